"""A weighted sum of what indexes know of a memory, as a ranking for lamina."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Candidate, Ranked, Ranker, RankRequest


def _finite(_: object, attribute: object, weights: Mapping[str, float]) -> None:
    for name, weight in weights.items():
        if not math.isfinite(weight):
            raise ValueError(f"{name}: {weight} is no weight")


@frozen
class WeightedSettings:
    """Settings of the weighted sum."""

    weights: Mapping[str, float] = field(factory=dict, validator=_finite, hash=False)
    """By name of a feature: ``INDEX`` for an index's score, ``INDEX.FEATURE`` for what it says beside it. Without any,
    the scores of all indexes count alike."""
    reach: int = field(default=50, validator=validators.ge(1))
    """Hits that each index is asked for at least."""


class WeightedRanker:
    """Adds up features, each brought to the range from 0 to 1 among the candidates, times its weight."""

    near = 0

    def __init__(self, settings: WeightedSettings) -> None:
        self._settings = settings

    def reach(self, limit: int) -> int:
        """Hits that each index is asked for."""
        return max(limit, self._settings.reach)

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        """By the sum, ties by id; a candidate without a feature has its least value. O(n log n)."""
        weights = self._settings.weights or dict.fromkeys(
            sorted({name for c in request.candidates for name in c.features if "." not in name}), 1.0
        )
        ranges = {name: _range(request.candidates, name) for name in weights}
        ranked = []
        for candidate in request.candidates:
            shares = {
                name: weight * _brought(candidate.features.get(name), *ranges[name]) for name, weight in weights.items()
            }
            ranked.append(Ranked(candidate.id, sum(shares.values()), shares))
        return sorted(ranked, key=lambda place: (-place.score, place.id))[: request.limit]


def _range(candidates: Sequence[Candidate], name: str) -> tuple[float, float]:
    values = [c.features[name] for c in candidates if name in c.features]
    return (min(values), max(values)) if values else (0.0, 0.0)


def _brought(value: float | None, low: float, high: float) -> float:
    """A value from 0 to 1; 1 also where all are the same, because to be found counts."""
    if value is None:
        return 0.0
    return (value - low) / (high - low) if high > low else 1.0


@asynccontextmanager
async def open_weighted(settings: WeightedSettings, host: Host) -> AsyncIterator[Ranker]:
    """Open the ranker."""
    yield WeightedRanker(settings)


@hookimpl
def register_ranker(register: Register[Ranker]) -> None:
    """Offer ``weighted``."""
    register("weighted", open_weighted, WeightedSettings)
