"""In-memory storage for lamina: fast, gone when it is closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Storage


@frozen
class MemorySettings:
    """Settings of the memory storage."""

    max_bytes: int | None = field(default=None, validator=validators.optional(validators.gt(0)))
    """Most bytes of keys (in UTF-8) and values together; a commit beyond is refused. No bound by default."""


@asynccontextmanager
async def open_memory(settings: MemorySettings, host: Host) -> AsyncIterator[Storage]:
    """Open an empty storage; what it holds is gone when it is closed."""
    from lamina_storage_memory._storage import MemoryStorage

    storage = MemoryStorage(host.name, settings.max_bytes)
    try:
        yield storage
    finally:
        storage.close()


@hookimpl
def register_storage(register: Register[Storage]) -> None:
    """Offer ``memory``."""
    register("memory", open_memory, MemorySettings)
