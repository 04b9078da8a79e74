"""Medium-term tier for lamina: the worthiest memories by importance and use."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Capacity, Placement, PlaceRequest, Storage, Tier

_MOST = 1e300


@frozen
class MediumSettings:
    """Settings of the medium-term tier."""

    storage: str = "main"
    """The storage that holds the records, by its configured name."""
    capacity: int = field(default=10_000, validator=validators.ge(1))
    """Memories that it keeps; those of least worth beyond them go down."""
    capacity_tokens: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    """Tokens of all of them; any number where not given."""
    half_life_s: float = field(default=604_800.0, validator=validators.gt(0))
    """Seconds without use after which a memory is worth half."""
    promote_uses: int = field(default=3, validator=validators.ge(1))
    """A memory that was recalled so often since it came into the tier, and last within ``recent_s``, goes one tier up."""
    recent_s: float = field(default=3600.0, validator=validators.ge(0))
    """Seconds."""


class MediumTier:
    """Keeps what is worth most."""

    rank = 1

    def __init__(self, settings: MediumSettings, storage: Storage) -> None:
        self._settings, self.storage = settings, storage
        self.capacity = Capacity(settings.capacity, settings.capacity_tokens)
        self.policy = f"worth; {settings.half_life_s}, {settings.promote_uses}, {settings.recent_s}"

    def place(self, request: PlaceRequest) -> Placement:
        """By worth: (importance + ln(1 + uses)) × 0.5 ^ (age / half-life), all uses counted, those elsewhere too.

        All decay alike, so the order of two memories is that of their worth at any one instant, taken as a logarithm:
        half-lives of value, in seconds, beyond the last use. What is worth nothing stands lowest.

        Source:
            Park et al. 2023, "Generative Agents", section 4.1, weigh importance and recency; use frequency with
            diminishing returns is ours.
        """
        memory = request.memory
        value = memory.importance + math.log1p(memory.uses)
        order = memory.used_s + math.log2(value) * self._settings.half_life_s if value > 0 else -_MOST
        order = min(max(order, -_MOST), _MOST)
        used = request.uses >= self._settings.promote_uses and memory.used_s >= request.now_s - self._settings.recent_s
        return Placement(order, rise=used)


@asynccontextmanager
async def open_medium(settings: MediumSettings, host: Host) -> AsyncIterator[Tier]:
    """Open the tier over its storage."""
    yield MediumTier(settings, await host.open("storage", settings.storage))


@hookimpl
def register_tier(register: Register[Tier]) -> None:
    """Offer ``medium``."""
    register("medium", open_medium, MediumSettings)
