"""Knapsack pager for lamina: what stands is what the configured scorer values most for its tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import Attribute, field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.kit.promise import PromiseSettings
from lamina.protocols import Pager


def _share(default: float) -> float:
    return field(default=default, validator=[validators.gt(0.0), validators.le(1.0)])


def _part(default: float) -> float:
    return field(default=default, validator=[validators.ge(0.0), validators.le(1.0)])


@frozen
class KnapsackSettings(PromiseSettings):
    """Settings of the knapsack pager."""

    high: float = _share(1.0)
    """A window over this share of the budget is compacted."""
    low: float = _share(0.7)
    """What a compaction leaves, as a share of the budget beside system and pinned pages; at most ``high``."""
    tail_share: float = _part(0.25)
    """The newest pages stay whole up to this share of what a compaction leaves; the newest always does."""
    candidates: int = field(default=256, validator=validators.ge(1))
    """So many older pages are scored at a compaction: those that stand, those that faulted, the newest others."""
    offered: int = field(default=8, validator=validators.ge(0))
    """So many of those that would not stand, the best, may be shortened: the compressors are asked for them."""
    targets: tuple[float, ...] = field(default=(0.4,))
    """Sizes that the compressors are asked for, as shares of a page."""
    size: float = _part(1.0)
    """How the worth of a page grows with its tokens: a page of four times the tokens is worth ``4 ** size`` times as
    much at the same score. 0: all pages alike; 1: a score is worth the same per token."""
    discount: float = _part(0.3)
    """What it is worth to keep all that stands as it stands, because its prefix stays cached, relative to the worth of
    the best choice."""
    prefixes: int = field(default=8, validator=validators.ge(1))
    """So many lengths of the standing prefix, none among them, are compared."""
    entry_share: float = _part(0.5)
    """A larger page enters shortened to this share of the budget; 0 turns that off."""
    lossless_share: float = _part(0.95)
    """A lossless form enters if it has at most this share of the page's tokens; 0 turns that off."""

    @low.validator
    def _below_high(self, attribute: Attribute[float], value: float) -> None:
        if value > self.high:
            raise ValueError(f"low = {value} is above high = {self.high}; a compaction must make room")

    @targets.validator
    def _are_shares(self, attribute: Attribute[tuple[float, ...]], value: tuple[float, ...]) -> None:
        if not all(0 < share < 1 for share in value):
            raise ValueError("targets are shares of a page, between 0 and 1")


@asynccontextmanager
async def open_knapsack(settings: KnapsackSettings, host: Host) -> AsyncIterator[Pager]:
    """Open the pager."""
    from lamina_pager_knapsack._pager import KnapsackPager  # keeps start-up light

    yield KnapsackPager(settings)


@hookimpl
def register_pager(register: Register[Pager]) -> None:
    """Offer ``knapsack``."""
    register("knapsack", open_knapsack, KnapsackSettings)
