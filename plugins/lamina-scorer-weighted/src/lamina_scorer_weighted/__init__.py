"""Weighted scorer for lamina: combines scorers by weights that faults adapt."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from attrs import Attribute, field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Scorer


@frozen
class WeightedSettings:
    """Settings of the weighted scorer."""

    weights: Mapping[str, float] = field()
    """Names of configured scorers to their weights: at least one, none negative, not all 0."""
    adapt: bool = True
    """Whether faults change the weights of the session that they happen in."""
    rate: float = field(default=0.5, validator=[validators.gt(0.0), validators.le(2.0)])
    """How much one lesson changes a weight: by a factor of at most ``exp(2 * rate)``."""
    floor: float = field(default=0.25, validator=[validators.gt(0.0), validators.le(1.0)])
    """An adapted weight is at least this share of the configured one."""
    ceiling: float = field(default=4.0, validator=[validators.ge(1.0), validators.le(1000.0)])
    """An adapted weight is at most so many times the configured one."""

    @weights.validator
    def _combine(self, attribute: Attribute[Mapping[str, float]], value: Mapping[str, float]) -> None:
        if not value:
            raise ValueError("weights is empty; name at least one scorer, as in weights = {recency = 1.0}")
        for name, weight in value.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"weights.{name} = {weight}: a weight is a finite number, 0 or more")
        total = sum(value.values())
        if not 0 < total < math.inf:
            raise ValueError(f"weights sum to {total}; give at least one scorer a weight above 0")


@asynccontextmanager
async def open_weighted(settings: WeightedSettings, host: Host) -> AsyncIterator[Scorer]:
    """Open the scorer, and those that it combines.

    Raises:
        ConfigError: One of them is not there, or needs this one.
    """
    from lamina_scorer_weighted._scorer import WeightedScorer  # keeps start-up light

    # A weight of 0 can never grow: such a scorer need not even be installed.
    named = {name: weight for name, weight in settings.weights.items() if weight > 0}
    yield WeightedScorer(settings, {name: (await host.open("scorer", name), named[name]) for name in named})


@hookimpl
def register_scorer(register: Register[Scorer]) -> None:
    """Offer ``weighted``."""
    register("weighted", open_weighted, WeightedSettings)
