"""Near-duplicates of memories share one place, for lamina: MinHash finds them, their words decide."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Consolidator


@frozen
class DuplicatesSettings:
    """Settings of the near-duplicates."""

    storage: str = "main"
    """The storage that holds the signatures, by its configured name."""
    likeness: float = field(default=0.85, validator=[validators.gt(0.5), validators.le(1)])
    """From which share of common word triples on (Jaccard) two texts say the same."""
    least_words: int = field(default=5, validator=validators.ge(1))
    """Shorter texts are let stand: "thank you" is said more than once."""


@asynccontextmanager
async def open_duplicates(settings: DuplicatesSettings, host: Host) -> AsyncIterator[Consolidator]:
    """Open the consolidator over its storage."""
    from lamina_consolidator_duplicates._duplicates import Duplicates

    storage = await host.open("storage", settings.storage)
    yield Duplicates(storage, host.name, settings.likeness, settings.least_words)


@hookimpl
def register_consolidator(register: Register[Consolidator]) -> None:
    """Offer ``duplicates``."""
    register("duplicates", open_duplicates, DuplicatesSettings)
