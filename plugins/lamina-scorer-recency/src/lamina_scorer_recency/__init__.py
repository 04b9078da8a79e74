"""Recency scorer for lamina: newer pages are worth more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Scorer, ScoreRequest


@frozen
class RecencySettings:
    """Settings of the recency scorer."""

    half_life_pages: float = field(default=20.0, validator=validators.gt(0), metadata={"tune": (4.0, 100.0)})
    """After so many newer pages a page is worth half."""


class RecencyScorer:
    """Rates pages by their distance from the newest one."""

    def __init__(self, settings: RecencySettings) -> None:
        self._half_life = settings.half_life_pages

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Rate each page by recency.

        Exponential decay: 1 for the newest page, 0.5 one half-life before it. Pure; O(n).

        Source:
            Park et al. 2023, "Generative Agents", section 4.1. They decay by hours of their game; we count
            pages, because an agent's session has no clock of its own.
        """
        return [0.5 ** ((request.newest - page.id) / self._half_life) for page in request.pages]


@asynccontextmanager
async def open_recency(settings: RecencySettings, host: Host) -> AsyncIterator[Scorer]:
    """Open the scorer."""
    yield RecencyScorer(settings)


@hookimpl
def register_scorer(register: Register[Scorer]) -> None:
    """Offer ``recency``."""
    register("recency", open_recency, RecencySettings)
