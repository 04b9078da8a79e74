"""Short-term tier for lamina: the most recently used memories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Index, Storage, Tier, TierReview, Verdict


@frozen
class ShortSettings:
    """Settings of the short-term tier."""

    storage: str = "main"
    """The storage that holds the records, by its configured name."""
    index: str = "lexical"
    """The index that finds them, by its configured name."""
    capacity: int = field(default=1000, validator=validators.ge(1))
    """Memories that it keeps; the least recently used beyond them go down."""
    max_age_s: float = field(default=3600.0, validator=validators.gt(0))
    """Seconds without use after which a memory goes down."""


class ShortTier:
    """Keeps what was used last."""

    rank = 0

    def __init__(self, settings: ShortSettings, storage: Storage, index: Index) -> None:
        self._settings, self.storage, self.index = settings, storage, index

    async def review(self, request: TierReview) -> Verdict:
        """Demote what is stale, and the least recently used beyond the capacity.

        Demoted in that order: the longest unused first; ties by id. Pure; O(n log n). Nothing is promoted: there
        is nothing above.
        """
        oldest_first = sorted(request.memories, key=lambda memory: (memory.used_s, memory.id))
        surplus = len(oldest_first) - self._settings.capacity
        limit_s = request.now_s - self._settings.max_age_s
        return Verdict(demote=tuple(m.id for at, m in enumerate(oldest_first) if at < surplus or m.used_s < limit_s))


@asynccontextmanager
async def open_short(settings: ShortSettings, host: Host) -> AsyncIterator[Tier]:
    """Open the tier over its storage and index."""
    storage, index = await host.open("storage", settings.storage), await host.open("index", settings.index)
    yield ShortTier(settings, storage, index)


@hookimpl
def register_tier(register: Register[Tier]) -> None:
    """Offer ``short``."""
    register("short", open_short, ShortSettings)
