"""Fault scorer for lamina: pages that were needed while they were paged out are worth more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Scorer, ScoreRequest


@frozen
class FaultsSettings:
    """Settings of the fault scorer."""

    half_faults: float = field(default=1.0, validator=validators.gt(0))
    """So many faults halve what a page lacks to be worth 1."""
    spread: float = field(default=0.25, validator=[validators.ge(0), validators.le(1)])
    """The share of a page's worth that the pages next to it get: what is needed seldom stands alone."""


class FaultsScorer:
    """Rates pages by how often they faulted."""

    def __init__(self, settings: FaultsSettings) -> None:
        self._half, self._spread = settings.half_faults, settings.spread

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Rate each page by its faults.

        0 without one; with ``half_faults`` of them 0.5, with twice as many 0.75, and so on towards 1. A page next
        to one that faulted (by id) is worth at least ``spread`` of that. Pure; O(pages + faults).
        """
        worth: dict[int, float] = {}
        for page, faults in request.faults.items():
            own = 1.0 - 0.5 ** (faults / self._half)
            for near, share in ((page, own), (page - 1, own * self._spread), (page + 1, own * self._spread)):
                worth[near] = max(share, worth.get(near, 0.0))
        return [worth.get(page.id, 0.0) for page in request.pages]


@asynccontextmanager
async def open_faults(settings: FaultsSettings, host: Host) -> AsyncIterator[Scorer]:
    """Open the scorer."""
    yield FaultsScorer(settings)


@hookimpl
def register_scorer(register: Register[Scorer]) -> None:
    """Offer ``faults``."""
    register("faults", open_faults, FaultsSettings)
