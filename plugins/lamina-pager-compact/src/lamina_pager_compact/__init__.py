"""Compacting pager for lamina: append-only to a high mark, then down to a low one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import Attribute, field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.kit.paging import Layout, shorten_to
from lamina.kit.promise import Promise, PromiseSettings
from lamina.protocols import AdmitRequest, Pager, Plan, PlanRequest, Pressure, Shortened


@frozen
class CompactSettings(PromiseSettings):
    """Settings of the compacting pager; all are shares of the budget."""

    high: float = field(default=1.0, validator=[validators.gt(0.0), validators.le(1.0)], metadata={"tune": (0.6, 1.0)})
    """A window over this share is compacted."""
    low: float = field(default=0.5, validator=[validators.gt(0.0), validators.le(1.0)], metadata={"tune": (0.2, 0.9)})
    """What a compaction leaves, as a share of the budget beside system and pinned pages; at most ``high``."""
    large: float = field(default=0.5, validator=[validators.ge(0.0), validators.le(1.0)], metadata={"tune": (0.1, 0.9)})
    """A page over this share is shortened as it enters; 0 turns that off."""
    shortened: float = field(
        default=0.3, validator=[validators.gt(0.0), validators.le(1.0)], metadata={"tune": (0.05, 0.6)}
    )
    """The share that such a page is given."""

    @low.validator
    def _below_high(self, attribute: Attribute[float], value: float) -> None:
        if value > self.high:
            raise ValueError(f"low = {value} is above high = {self.high}; a compaction must make room")


class CompactPager:
    """Compacts seldom and much."""

    def __init__(self, settings: CompactSettings) -> None:
        self._settings = settings
        self._promise = Promise(settings)

    def due(self, request: Pressure) -> bool:
        """Plan when the window is over the high mark."""
        return request.tokens > self._settings.high * request.budget

    def large(self, budget: int) -> int | None:
        """A page over a share of the budget is looked at as it enters."""
        return max(1, int(self._settings.large * budget)) if self._settings.large else None

    async def admit(self, request: AdmitRequest) -> Shortened | None:
        """The largest offer within the share for such pages, else the smallest offer, else verbatim."""
        target = max(1, int(self._settings.shortened * request.budget))
        offers = [o for o in await request.offer([request.page], [target]) if o.tokens < request.page.tokens]
        within = [o for o in offers if o.tokens <= target]
        if within:
            return max(within, key=lambda o: (o.tokens, o.covers))
        return min(offers, key=lambda o: (o.tokens, -o.covers), default=None)

    async def plan(self, request: PlanRequest) -> Plan:
        """Keep the newest whole pages up to the low mark, and page out all before them but for what is promised."""
        return await self._promise.keep(request, self._newest)

    async def _newest(self, request: PlanRequest) -> Plan:
        """Keep the newest whole pages up to the low mark, and page out all before them.

        The newest page stays also above the low mark: verbatim where it fits the budget, else in the largest
        offer that does. Pages that were shortened before keep that form. Reads as many pages as fit.
        """
        layout = Layout(request)
        newest = len(request.pages) - 1
        # The mark is a share of what can be paged out at all. A share of the whole budget would leave nothing
        # but the newest page beside a system message of half the budget.
        mark = layout.pinned_tokens + int(self._settings.low * max(0, request.budget - layout.pinned_tokens))
        start, forms = layout.fit(mark), {}
        if start > newest >= 0 and not layout.pinned(newest):
            beside = layout.pinned_tokens + request.stub_tokens * layout.stubs(newest)
            standing = layout.standing(newest)
            tokens = standing.tokens if standing else request.pages[newest].tokens
            # Below the high mark first, or the next turn would compact again.
            for room in (int(self._settings.high * request.budget) - beside, request.budget - beside):
                if tokens <= room:
                    start = newest
                elif form := await shorten_to(request, request.pages[newest], room):
                    forms[newest] = (form, "newest, too large for the budget")
                    start = min(newest, layout.fit(mark, {newest: form}))
                if start <= newest:
                    break
        return Plan(layout.entries(start, kept="newest up to the low mark", out="before the low mark", forms=forms))


@asynccontextmanager
async def open_compact(settings: CompactSettings, host: Host) -> AsyncIterator[Pager]:
    """Open the pager."""
    yield CompactPager(settings)


@hookimpl
def register_pager(register: Register[Pager]) -> None:
    """Offer ``compact``."""
    register("compact", open_compact, CompactSettings)
