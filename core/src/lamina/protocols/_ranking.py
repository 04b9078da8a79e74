"""Making one ranking of what several indexes found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from lamina.model import Memory

Read = Callable[[Sequence[str]], Awaitable[Mapping[str, Memory]]]
"""Reads memories with their texts, by id; what is gone, or not asked for, is left out. Costs a read of the storage."""


@frozen
class Candidate:
    """A memory that an index found."""

    id: str
    features: Mapping[str, float] = field(factory=dict, hash=False)
    """What indexes say of it: ``INDEX`` its score there, ``INDEX.FEATURE`` each feature. One that an index did not
    find has none of its."""
    places: Mapping[str, int] = field(factory=dict, hash=False)
    """Its place in each index's order, from 1; none where it only stands beside something that was found."""


@frozen
class RankRequest:
    """Asks for candidates in the order in which they answer a query."""

    query: str
    candidates: Sequence[Candidate]
    """By id."""
    limit: int
    now_s: float
    read: Read
    """For rankers that look at memories themselves; a look at all candidates would cost more than most rankings."""


@frozen
class Ranked:
    """One candidate in its place."""

    id: str
    score: float
    features: Mapping[str, float] = field(factory=dict, hash=False)
    """What the score was made of, by name; explains it."""
    same: tuple[str, ...] = ()
    """Candidates that say nearly the same and share this place."""


@runtime_checkable
class Ranker(Protocol):
    """Orders what indexes found. Without one, the greatest score of any index decides."""

    near: int
    """So many neighbours on each side, in its thread, of what was found best are wanted as candidates too: what answers a
    question often stands beside the words that it was asked in. Those that come behind all that was found are left out of
    the answer."""

    def reach(self, limit: int) -> int:
        """How many hits to ask of each index for a ranking of ``limit``; at least that many."""
        ...

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        """At most ``limit`` places, best first, ties by id; each candidate in one of them at most; deterministic."""
        ...
