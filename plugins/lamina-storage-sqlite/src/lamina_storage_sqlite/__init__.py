"""SQLite storage for lamina: one durable file, shared by processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Storage
from lamina.trust import outside_home


@frozen
class SqliteSettings:
    """Settings of the SQLite storage."""

    path: Path = field(default=Path("lamina.db"), metadata={"trust": outside_home})
    """The database file, created if missing (mode 0600); relative ones lie in lamina's home folder."""
    busy_timeout_s: float = field(default=5.0, validator=[validators.ge(0), validators.le(3600)])
    """How long to wait for another process that is writing, in seconds."""
    synchronous: Literal["normal", "full"] = field(default="normal", validator=validators.in_(("normal", "full")))
    """What a commit survives: ``normal`` the death of the process (kill -9), ``full`` also the loss of power, for
    one fsync (milliseconds) that all commits share which wait for it. The file is never damaged by either."""
    watch_s: float = field(default=0.1, validator=[validators.gt(0), validators.le(3600)])
    """How often others' changes are looked for while someone watches, in seconds."""


@asynccontextmanager
async def open_sqlite(settings: SqliteSettings, host: Host) -> AsyncIterator[Storage]:
    """Open the file, and create it where it is missing; where nothing can be written, it is read.

    A file of an older release is brought up to date; a copy as it was stays beside it (``lamina.db.schema-1.backup``).

    Raises:
        IntegrityError: The file is damaged, cut off, not lamina's, or of a newer release.
        StorageError: It cannot be opened or stays locked.
    """
    from lamina_storage_sqlite._storage import SqliteStorage

    storage = await SqliteStorage.open(settings, host)
    try:
        yield storage
    finally:
        await storage.close()


@hookimpl
def register_storage(register: Register[Storage]) -> None:
    """Offer ``sqlite``."""
    register("sqlite", open_sqlite, SqliteSettings)
