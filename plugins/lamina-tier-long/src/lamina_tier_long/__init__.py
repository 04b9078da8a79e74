"""Long-term tier for lamina: everything, and what comes back into use goes up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Capacity, Placement, PlaceRequest, Storage, Tier


@frozen
class LongSettings:
    """Settings of the long-term tier."""

    storage: str = "main"
    """The storage that holds the records, by its configured name."""
    promote_uses: int = field(default=2, validator=validators.ge(1))
    """A memory that was recalled so often since it came into the tier, and last within ``recent_s``, goes one tier up."""
    recent_s: float = field(default=86_400.0, validator=validators.ge(0))
    """Seconds."""


class LongTier:
    """Keeps everything."""

    rank = 2
    capacity = Capacity()

    def __init__(self, settings: LongSettings, storage: Storage) -> None:
        self._settings, self.storage = settings, storage
        self.policy = f"last use; {settings.promote_uses}, {settings.recent_s}"

    def place(self, request: PlaceRequest) -> Placement:
        """By last use, which only tells where to look first: nothing has to leave. What is in use again rises."""
        memory = request.memory
        used = request.uses >= self._settings.promote_uses and memory.used_s >= request.now_s - self._settings.recent_s
        return Placement(memory.used_s, rise=used)


@asynccontextmanager
async def open_long(settings: LongSettings, host: Host) -> AsyncIterator[Tier]:
    """Open the tier over its storage."""
    yield LongTier(settings, await host.open("storage", settings.storage))


@hookimpl
def register_tier(register: Register[Tier]) -> None:
    """Offer ``long``."""
    register("long", open_long, LongSettings)
