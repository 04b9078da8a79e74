"""Reciprocal rank fusion for lamina: one ranking of what several indexes find."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Ranked, Ranker, RankRequest


@frozen
class RrfSettings:
    """Settings of the fusion."""

    k: float = field(default=60.0, validator=[validators.gt(0), validators.le(1e6)], metadata={"tune": (1, 120)})
    """The greater, the less the very first places count before those that follow."""
    reach: int = field(default=50, validator=validators.ge(1))
    """Hits that each index is asked for at least."""


class RrfRanker:
    """Adds up 1 / (k + place) over the indexes that found a memory; scores are not compared, only places."""

    near = 0

    def __init__(self, settings: RrfSettings) -> None:
        self._settings = settings

    def reach(self, limit: int) -> int:
        """Hits that each index is asked for."""
        return max(limit, self._settings.reach)

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        """By the sum, ties by id; features are each index's share. O(n log n).

        Source:
            Cormack, Clarke and Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
            Learning Methods".
        """
        ranked = []
        for candidate in request.candidates:
            shares = {name: 1 / (self._settings.k + place) for name, place in sorted(candidate.places.items())}
            ranked.append(Ranked(candidate.id, sum(shares.values()), shares))
        return sorted(ranked, key=lambda place: (-place.score, place.id))[: request.limit]


@asynccontextmanager
async def open_rrf(settings: RrfSettings, host: Host) -> AsyncIterator[Ranker]:
    """Open the ranker."""
    yield RrfRanker(settings)


@hookimpl
def register_ranker(register: Register[Ranker]) -> None:
    """Offer ``rrf``."""
    register("rrf", open_rrf, RrfSettings)
