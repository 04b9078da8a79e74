"""Medium-term tier for lamina: the worthiest memories by importance and use."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.model import Memory
from lamina.protocols import Index, Storage, Tier, TierReview, Verdict


@frozen
class MediumSettings:
    """Settings of the medium-term tier."""

    storage: str = "main"
    """The storage that holds the records, by its configured name."""
    index: str = "lexical"
    """The index that finds them, by its configured name."""
    capacity: int = field(default=10_000, validator=validators.ge(1))
    """Memories that it keeps; those of least worth beyond them go down."""
    half_life_s: float = field(default=604_800.0, validator=validators.gt(0))
    """Seconds without use after which a memory is worth half."""
    promote_uses: int = field(default=3, validator=validators.ge(1))
    """A memory that was recalled so often since it came into the tier, and last within ``recent_s``, goes one tier up."""
    recent_s: float = field(default=3600.0, validator=validators.ge(0))
    """Seconds."""


class MediumTier:
    """Keeps what is worth most."""

    rank = 1

    def __init__(self, settings: MediumSettings, storage: Storage, index: Index) -> None:
        self._settings, self.storage, self.index = settings, storage, index

    def worth(self, memory: Memory, now_s: float, earlier_uses: int = 0) -> float:
        """The logarithm of (importance + ln(1 + uses)) × 0.5 ^ (age / half-life); of nothing, minus infinity.

        All uses count here, also those before the memory came into the tier.

        The logarithm, because the decay itself underflows to 0 after a thousand half-lives and would make all
        old memories equal.

        Source:
            Park et al. 2023, "Generative Agents", section 4.1, weigh importance and recency; use frequency with
            diminishing returns is ours.
        """
        value = memory.importance + math.log1p(memory.uses + earlier_uses)
        age_s = max(0.0, now_s - memory.used_s)
        return (math.log(value) if value > 0 else -math.inf) - math.log(2) * age_s / self._settings.half_life_s

    async def review(self, request: TierReview) -> Verdict:
        """Promote what is in use, and demote the least worth of the rest beyond the capacity.

        The least worth first; ties by last use, then id. Pure; O(n log n).
        """
        since_s = request.now_s - self._settings.recent_s
        up: list[Memory] = []
        stay: list[Memory] = []
        for memory in request.memories:
            used = memory.uses >= self._settings.promote_uses and memory.used_s >= since_s
            (up if used else stay).append(memory)
        earlier = request.earlier_uses
        stay.sort(key=lambda m: (self.worth(m, request.now_s, earlier.get(m.id, 0)), m.used_s, m.id))
        # Promotions leave only when the tier above takes them; until then they must not push others out, so
        # what counts against the capacity is what stays.
        surplus = max(0, len(stay) - self._settings.capacity)
        return Verdict(
            demote=tuple(memory.id for memory in stay[:surplus]), promote=tuple(sorted(memory.id for memory in up))
        )


@asynccontextmanager
async def open_medium(settings: MediumSettings, host: Host) -> AsyncIterator[Tier]:
    """Open the tier over its storage and index."""
    storage, index = await host.open("storage", settings.storage), await host.open("index", settings.index)
    yield MediumTier(settings, storage, index)


@hookimpl
def register_tier(register: Register[Tier]) -> None:
    """Offer ``medium``."""
    register("medium", open_medium, MediumSettings)
