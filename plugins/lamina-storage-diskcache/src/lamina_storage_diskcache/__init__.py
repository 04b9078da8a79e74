"""diskcache storage for lamina: durable, with lifetimes, and nothing is ever unpickled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Storage
from lamina.trust import outside_home


@frozen
class DiskcacheSettings:
    """Settings of the diskcache storage."""

    path: Path = field(default=Path("cache"), metadata={"trust": outside_home})
    """The folder, created if missing (mode 0700); relative ones lie in lamina's home folder."""
    busy_timeout_s: float = field(default=5.0, validator=[validators.ge(0), validators.le(3600)])
    """How long a commit waits for another process that is writing, in seconds (opening: up to 60, by diskcache)."""
    watch_s: float = field(default=0.1, validator=[validators.gt(0), validators.le(3600)])
    """How often others' changes are looked for while someone watches, in seconds."""


@asynccontextmanager
async def open_diskcache(settings: DiskcacheSettings, host: Host) -> AsyncIterator[Storage]:
    """Open the folder, and create it where it is missing.

    Raises:
        IntegrityError: What is there is damaged, or no cache.
        StorageError: It cannot be opened or stays locked.
    """
    from lamina_storage_diskcache._storage import DiskcacheStorage

    storage = DiskcacheStorage(settings, host)
    try:
        await storage.open()
        yield storage
    finally:
        await storage.close()


@hookimpl
def register_storage(register: Register[Storage]) -> None:
    """Offer ``diskcache``."""
    register("diskcache", open_diskcache, DiskcacheSettings)
