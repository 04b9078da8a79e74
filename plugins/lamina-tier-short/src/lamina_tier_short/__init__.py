"""Short-term tier for lamina: the most recently used memories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Capacity, Placement, PlaceRequest, Storage, Tier


@frozen
class ShortSettings:
    """Settings of the short-term tier."""

    storage: str = "main"
    """The storage that holds the records, by its configured name."""
    capacity: int = field(default=1000, validator=validators.ge(1))
    """Memories that it keeps; the least recently used beyond them go down."""
    capacity_tokens: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    """Tokens of all of them; any number where not given."""
    max_age_s: float = field(default=3600.0, validator=validators.gt(0))
    """Seconds without use after which a memory goes down."""


class ShortTier:
    """Keeps what was used last."""

    rank = 0

    def __init__(self, settings: ShortSettings, storage: Storage) -> None:
        self._settings, self.storage = settings, storage
        self.capacity = Capacity(settings.capacity, settings.capacity_tokens)
        self.policy = f"last use; {settings.max_age_s}"

    def place(self, request: PlaceRequest) -> Placement:
        """By last use, due once that is too long ago. Nothing rises: there is nothing above."""
        used_s = request.memory.used_s
        return Placement(used_s, used_s + self._settings.max_age_s)


@asynccontextmanager
async def open_short(settings: ShortSettings, host: Host) -> AsyncIterator[Tier]:
    """Open the tier over its storage."""
    yield ShortTier(settings, await host.open("storage", settings.storage))


@hookimpl
def register_tier(register: Register[Tier]) -> None:
    """Offer ``short``."""
    register("short", open_short, ShortSettings)
