"""What an opener is given: the clock, chance, the logger, paths, the namespace, and other configured parts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, overload

from lamina.model import Hit, Memory, Page
from lamina.protocols import (
    Compressor,
    Consolidator,
    Counter,
    Embedder,
    Executor,
    Extractor,
    Filter,
    Format,
    Grants,
    Index,
    Pager,
    Ranker,
    Scorer,
    Storage,
    Tier,
    Tool,
    ToolSource,
)


class Services(Protocol):
    """What tools may do with the context that they are opened in (given by ``host.services``)."""

    async def recall(
        self, query: str, *, limit: int = 10, session: str | None = None, filter: Filter | None = None,
        tiers: Sequence[str] | None = None, use: bool = True, deadline_s: float | None = None,
    ) -> list[Hit]:  # fmt: skip
        """Hits for a query; see :meth:`lamina.Context.recall`."""
        ...

    async def mark_used(self, hits: Sequence[Hit]) -> None:
        """Count hits as used that a model was shown; see :meth:`lamina.Context.mark_used`."""
        ...

    async def remember(self, text: str, **facts: Any) -> Memory:
        """Write a memory; see :meth:`lamina.Context.remember`."""
        ...

    async def forget(self, *ids: str) -> list[str]:
        """Remove memories; see :meth:`lamina.Context.forget`."""
        ...

    async def expand(self, session: str, first: int, last: int) -> list[Page]:
        """Pages by id, logged as faults where they were not resident; see :meth:`lamina.Session.expand`."""
        ...


class Host(Protocol):
    """The kernel's side of an opener."""

    name: str
    """The instance's configured name."""
    namespace: str
    """The tenant; bind every key to it."""
    clock: Callable[[], float]
    """Unix time in seconds."""
    random: random.Random
    """Seeded where the configuration says so."""
    logger: Any
    """A structlog logger, bound to the instance's name."""
    services: Services
    """What the context can do; usable once opening is over, not inside the opener."""

    def path(self, given: str | Path) -> Path:
        """An absolute path: relative ones lie in lamina's home folder, whose parents are created (mode 0700)."""
        ...

    @overload
    async def open(self, kind: Literal["storage"], name: str) -> Storage: ...
    @overload
    async def open(self, kind: Literal["tier"], name: str) -> Tier: ...
    @overload
    async def open(self, kind: Literal["index"], name: str) -> Index: ...
    @overload
    async def open(self, kind: Literal["embedder"], name: str) -> Embedder: ...
    @overload
    async def open(self, kind: Literal["ranker"], name: str) -> Ranker: ...
    @overload
    async def open(self, kind: Literal["consolidator"], name: str) -> Consolidator: ...
    @overload
    async def open(self, kind: Literal["extractor"], name: str) -> Extractor: ...
    @overload
    async def open(self, kind: Literal["compressor"], name: str) -> Compressor: ...
    @overload
    async def open(self, kind: Literal["scorer"], name: str) -> Scorer: ...
    @overload
    async def open(self, kind: Literal["counter"], name: str) -> Counter: ...
    @overload
    async def open(self, kind: Literal["pager"], name: str) -> Pager: ...
    @overload
    async def open(self, kind: Literal["tool"], name: str) -> Tool | ToolSource: ...
    @overload
    async def open(self, kind: Literal["executor"], name: str) -> Executor: ...
    @overload
    async def open(self, kind: Literal["grants"], name: str) -> Grants: ...
    @overload
    async def open(self, kind: Literal["format"], name: str) -> Format: ...
    async def open(self, kind: str, name: str) -> Any:
        """Another configured instance, opened once and closed after all that use it.

        Raises:
            ConfigError: No such instance, or the openers form a cycle (which is spelt out).
        """
        ...
