"""Long-term tier for lamina: everything, and what comes back into use goes up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Index, Storage, Tier, TierReview, Verdict


@frozen
class LongSettings:
    """Settings of the long-term tier."""

    storage: str = "main"
    """The storage that holds the records, by its configured name."""
    index: str = "lexical"
    """The index that finds them, by its configured name."""
    promote_uses: int = field(default=2, validator=validators.ge(1))
    """A memory that was recalled so often since it came into the tier, and last within ``recent_s``, goes one tier up."""
    recent_s: float = field(default=86_400.0, validator=validators.ge(0))
    """Seconds."""


class LongTier:
    """Keeps everything."""

    rank = 2

    def __init__(self, settings: LongSettings, storage: Storage, index: Index) -> None:
        self._settings, self.storage, self.index = settings, storage, index

    async def review(self, request: TierReview) -> Verdict:
        """Promote what is in use again, most used first, ties by id; demote nothing. Pure; O(n log n)."""
        since_s = request.now_s - self._settings.recent_s
        used = [m for m in request.memories if m.uses >= self._settings.promote_uses and m.used_s >= since_s]
        used.sort(key=lambda memory: (-memory.uses, memory.id))
        return Verdict(promote=tuple(memory.id for memory in used))


@asynccontextmanager
async def open_long(settings: LongSettings, host: Host) -> AsyncIterator[Tier]:
    """Open the tier over its storage and index."""
    storage, index = await host.open("storage", settings.storage), await host.open("index", settings.index)
    yield LongTier(settings, storage, index)


@hookimpl
def register_tier(register: Register[Tier]) -> None:
    """Offer ``long``."""
    register("long", open_long, LongSettings)
