"""Storages that are broken on purpose, each in one way, and two sound ones.

Every class says in ``fails`` which tests of :class:`lamina.testing.storage.StorageSuite` it must fail: exactly those.
"""

from __future__ import annotations

from lamina.testing.fakes import _storage_offers, _storage_reads, _storage_writes
from lamina.testing.fakes._storage_sound import Place, PlainStorage, SoundStorage

__all__ = ["BROKEN", "MODEL", "SOUND", "Place"]

MODEL = _storage_writes.MODEL
"""The test whose findings are up to chance."""
SOUND = (SoundStorage, PlainStorage)
BROKEN = tuple(
    kind
    for module in (_storage_writes, _storage_reads, _storage_offers)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, SoundStorage) and kind.__module__ == module.__name__
)
