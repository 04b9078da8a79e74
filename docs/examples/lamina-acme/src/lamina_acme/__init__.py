"""A storage and a compressor for lamina: ``acme-json`` and ``acme-firstlines``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import field, frozen, validators
from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Compressor, Storage
from lamina.trust import outside_home


@frozen
class JsonSettings:
    """Settings of the storage ``acme-json``."""

    path: Path = field(default=Path("acme"), metadata={"trust": outside_home})
    """The folder of the journals, created if missing; relative ones lie in lamina's home folder."""
    fsync: bool = False
    """Whether a commit waits for the disk (milliseconds each): then it also survives a power failure."""
    slack_bytes: int = field(default=1_000_000, validator=validators.ge(0))
    """A journal is rewritten once what is outdated takes more than this, and more than what is not."""


@frozen
class FirstLinesSettings:
    """Settings of the compressor ``acme-firstlines``."""

    min_lines: int = field(default=3, validator=validators.ge(1), metadata={"tune": (1, 30)})
    """So many lines of each text stay, however small the target; texts of no more lines stay whole."""


@asynccontextmanager
async def open_json(settings: JsonSettings, host: Host) -> AsyncIterator[Storage]:
    """Open the journal of the host's namespace, and create it where it is missing.

    Raises:
        IntegrityError: The journal is damaged, or was written by a newer release.
        StorageError: It is open already, or the folder cannot be used.
    """
    from lamina_acme._storage import JsonStorage  # here, so that an installed but unused plugin costs nothing

    storage = JsonStorage(settings, host)
    try:
        yield storage
    finally:
        storage.close()


@asynccontextmanager
async def open_first_lines(settings: FirstLinesSettings, host: Host) -> AsyncIterator[Compressor]:
    """Open the compressor; it has nothing to close."""
    from lamina_acme._compressor import FirstLinesCompressor

    yield FirstLinesCompressor(settings.min_lines)


@hookimpl
def register_storage(register: Register[Storage]) -> None:
    """Offer ``acme-json``."""
    register("acme-json", open_json, JsonSettings, protocol=1)


@hookimpl
def register_compressor(register: Register[Compressor]) -> None:
    """Offer ``acme-firstlines``."""
    register("acme-firstlines", open_first_lines, FirstLinesSettings, protocol=1)
