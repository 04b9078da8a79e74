"""Time index for lamina: memories of the days that a query speaks of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Index
from lamina.trust import outside_home


@frozen
class TimeSettings:
    """Settings of the time index."""

    path: str = field(default="times.db", metadata={"trust": outside_home})
    """Database file; created if missing (mode 0600). Relative paths lie in lamina's home folder."""
    near_days: int = field(default=2, validator=[validators.ge(0), validators.le(366)])
    """So many days beside what a query speaks of are found too, the nearer the better."""
    newest: int = field(default=0, validator=validators.ge(0))
    """At most so many of the newest are found where a query speaks of no time."""
    half_life_days: float = field(default=30.0, validator=validators.gt(0))
    """After so many days a memory's ``recency`` is a half."""
    busy_timeout_s: float = field(default=5.0, validator=validators.gt(0))
    """Seconds to wait for another process that writes."""


@asynccontextmanager
async def open_time(settings: TimeSettings, host: Host) -> AsyncIterator[Index]:
    """Open the index of the host's namespace.

    Raises:
        StorageError: The file cannot be opened or stays locked.
        IntegrityError: The file is no index, is damaged, or was written by a newer release.
    """
    from lamina.kit.indexfile import IndexFile
    from lamina_index_time._index import RULES, TimeIndex  # keeps start-up light

    file = await IndexFile.open(host.path(settings.path), host.namespace, RULES, settings.busy_timeout_s)
    try:
        yield TimeIndex(file, settings)
    finally:
        await file.close()


@hookimpl
def register_index(register: Register[Index]) -> None:
    """Offer ``time``."""
    register("time", open_time, TimeSettings)
