"""A sound pager, and one for each way to break the protocol.

Each broken one names in ``fails`` the tests of :class:`lamina.testing.PagerSuite` that it must fail, and no others.
"""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

from attrs import evolve

from lamina.kit.paging import Layout, shorten_to
from lamina.protocols import AdmitRequest, Digest, Entry, Excerpt, Plan, PlanRequest, Pressure, Shortened, Verbatim


class SoundPager:
    """Keeps the newest pages that fit; a page that is larger than the budget enters at half of it."""

    fails: ClassVar[frozenset[str]] = frozenset()

    def due(self, request: Pressure) -> bool:
        return request.tokens > request.budget

    def large(self, budget: int) -> int | None:
        return budget

    async def admit(self, request: AdmitRequest) -> Shortened | None:
        offers = await request.offer([request.page], [request.budget // 2])
        return max(offers, key=lambda o: o.tokens, default=None)

    async def plan(self, request: PlanRequest) -> Plan:
        layout, newest = Layout(request), len(request.pages) - 1
        start, forms = layout.fit(request.budget), {}
        if start > newest >= 0:
            room = request.budget - layout.pinned_tokens - request.stub_tokens * layout.stubs(newest)
            if not layout.pinned(newest) and (form := await shorten_to(request, request.pages[newest], room)):
                start, forms = newest, {newest: (form, "cut")}
        return Plan(layout.entries(start, kept="new", out="old", forms=forms))


class LosesTheOldest(SoundPager):
    """Leaves the first entry out of the plan where it stands verbatim."""

    fails = frozenset({"test_entries_hold_every_page_once_and_in_order"})

    async def plan(self, request: PlanRequest) -> Plan:
        entries = (await super().plan(request)).entries
        return Plan(entries[1:] if entries and isinstance(entries[0].rendition, Verbatim) else entries)


class Reorders(SoundPager):
    """Puts the newest entry first."""

    fails = frozenset({"test_entries_hold_every_page_once_and_in_order"})

    async def plan(self, request: PlanRequest) -> Plan:
        entries = (await super().plan(request)).entries
        return Plan((*entries[-1:], *entries[:-1]))


class Invents(SoundPager):
    """Shortens by itself what nobody offered to shorten."""

    fails = frozenset(
        {
            "test_a_shortened_entry_holds_one_page_in_a_form_that_was_offered",
            "test_a_session_driven_page_by_page_stays_within_its_budget",
            "test_a_page_is_admitted_verbatim_or_in_a_form_that_was_offered",
        }
    )

    async def admit(self, request: AdmitRequest) -> Shortened | None:
        return Shortened(request.page.id, {(0, 0): "gone"}, tokens=1)

    async def plan(self, request: PlanRequest) -> Plan:
        plan = await super().plan(request)
        return Plan(tuple(evolve(e, rendition=self._cut(e.rendition)) for e in plan.entries))

    def _cut(self, rendition: Any) -> Any:
        return evolve(rendition, tokens=rendition.tokens - 1) if isinstance(rendition, Shortened) else rendition


class ForgetsPins(SoundPager):
    """Takes pinned and system pages for any others."""

    fails = frozenset({"test_pinned_and_system_pages_stand_verbatim"})

    async def plan(self, request: PlanRequest) -> Plan:
        return await super().plan(evolve(request, pinned=()))


class DropsTheNewest(SoundPager):
    """Pages the newest page out when it does not fit whole."""

    fails = frozenset({"test_the_newest_page_stands_where_it_fits_in_any_form"})

    async def plan(self, request: PlanRequest) -> Plan:
        layout = Layout(request)
        return Plan(layout.entries(layout.fit(request.budget), kept="new", out="old"))


class ForgetsStubs(SoundPager):
    """Takes stubs for free, and for a rebate."""

    fails = frozenset(
        {
            "test_the_window_fits_the_budget_where_what_must_stay_does",
            "test_a_plan_whose_compressors_offer_nothing_fits_too",
            "test_a_session_driven_page_by_page_stays_within_its_budget",
            "test_a_long_past_is_not_read_to_plan",
            "test_a_plan_settles_what_was_due",
        }
    )

    async def plan(self, request: PlanRequest) -> Plan:
        # The rebate makes it overshoot at nearly every plan: random examples must not decide whether it is caught.
        rebate = 2 * request.stub_tokens if request.pages else 0
        return await super().plan(evolve(request, stub_tokens=0, budget=request.budget + rebate))


class TrustsOffers(SoundPager):
    """Keeps the newest page whole when nobody offers to shorten it."""

    fails = frozenset({"test_a_plan_whose_compressors_offer_nothing_fits_too"})

    async def plan(self, request: PlanRequest) -> Plan:
        if request.pages and not await request.offer(request.pages[-1:], [1]):
            layout, newest = Layout(request), len(request.pages) - 1
            if layout.fit(request.budget) > newest and request.pages[-1].tokens > 200:
                return Plan(layout.entries(newest, kept="new", out="old"))
        return await super().plan(request)


class Wavers(SoundPager):
    """Plans differently every other time."""

    fails = frozenset({"test_the_same_request_gets_the_same_plan"})

    def __init__(self) -> None:
        self._turn = itertools.count()

    async def plan(self, request: PlanRequest) -> Plan:
        turn = next(self._turn)
        plan = await super().plan(request)
        return Plan(tuple(evolve(e, rule=f"{e.rule} {turn % 2}") for e in plan.entries))


class SaysNothing(SoundPager):
    """Gives no reasons."""

    fails = frozenset({"test_every_entry_says_why"})

    async def plan(self, request: PlanRequest) -> Plan:
        return Plan(tuple(evolve(e, rule=" ") for e in (await super().plan(request)).entries))


class IsAlwaysDue(SoundPager):
    """Wants to compact at every turn."""

    fails = frozenset({"test_an_empty_window_is_not_due", "test_a_plan_settles_what_was_due"})

    def due(self, request: Pressure) -> bool:
        return True


class AnswersInNumbers(SoundPager):
    """Answers with how far over the budget the window is."""

    fails = frozenset({"test_due_is_answered_with_yes_or_no_and_always_the_same"})

    def due(self, request: Pressure) -> Any:
        return max(0, request.tokens - request.budget)


class TakesAllForLarge(SoundPager):
    """Gives a limit of nothing."""

    fails = frozenset({"test_large_is_none_or_a_positive_number"})

    def large(self, budget: int) -> Any:
        return budget // 10**8


class QuotesStrangers(SoundPager):
    """Makes a digest with an excerpt of a page that it does not stand for."""

    fails = frozenset({"test_a_digest_quotes_its_own_pages_in_order"})

    async def plan(self, request: PlanRequest) -> Plan:
        plan = await super().plan(request)
        first = plan.entries[0] if plan.entries else None
        if first is None or first.rule != "old" or request.stub_tokens < 16:
            return plan
        digest = Digest((Excerpt(first.last + 1, "so it said"),))
        return Plan((Entry(first.first, first.last, digest, "digest"), *plan.entries[1:]))


class ReadsThePast(SoundPager):
    """Looks at every page to plan."""

    fails = frozenset({"test_a_long_past_is_not_read_to_plan"})

    async def plan(self, request: PlanRequest) -> Plan:
        assert sum(page.tokens for page in request.pages) >= 0
        return await super().plan(request)


class ListsThePast(SoundPager):
    """Gives every page that was paged out an entry of its own."""

    fails = frozenset({"test_a_long_past_is_not_read_to_plan"})

    async def plan(self, request: PlanRequest) -> Plan:
        entries: list[Entry] = []
        for e in (await super().plan(request)).entries:
            pages = (page.id for page in request.pages if e.first <= page.id <= e.last)
            entries += (
                [e] if isinstance(e.rendition, Verbatim | Shortened) else [evolve(e, first=p, last=p) for p in pages]
            )
        return Plan(tuple(entries))


BROKEN: tuple[type[SoundPager], ...] = (
    LosesTheOldest,
    Reorders,
    Invents,
    ForgetsPins,
    DropsTheNewest,
    ForgetsStubs,
    TrustsOffers,
    Wavers,
    SaysNothing,
    IsAlwaysDue,
    AnswersInNumbers,
    TakesAllForLarge,
    QuotesStrangers,
    ReadsThePast,
    ListsThePast,
)
