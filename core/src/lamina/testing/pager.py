"""The conformance suite of pagers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Literal, TypeVar, overload

import pytest
from attrs import evolve, frozen
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from lamina.model import Page
from lamina.protocols import (
    AdmitRequest,
    Digest,
    Entry,
    PagedOut,
    Pager,
    Plan,
    PlanRequest,
    Pressure,
    Shortened,
    Verbatim,
)
from lamina.testing.plans import made_page, plan_request, reference_count, reference_offers, window_tokens
from lamina.testing.suite import Suite

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
OpenPager = Callable[[], AbstractAsyncContextManager[Pager]]

fast = settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
few = settings(fast, max_examples=20)


Kind = Literal["system", "user", "assistant", "calls"]
_KINDS: tuple[Kind, ...] = ("user", "assistant", "calls", "calls")
_SIZES = st.one_of(st.integers(0, 30), st.integers(30, 400), st.integers(400, 3000))
_PAGES = st.tuples(st.sampled_from(_KINDS), _SIZES, st.integers(0, 15), st.sampled_from((1, 1, 1, 2, 9)))


def _session(drawn: list[tuple[Kind, int, int, int]], *, pins: bool) -> list[Page]:
    pages: list[Page] = []
    number = 0
    for kind, tokens, chance, gap in drawn:
        number += gap
        pinned = pins and chance == 1
        if pins and (chance == 2 or (chance > 7 and not pages)):
            kind = "system"
        if pinned or kind == "system":
            tokens %= 100
        pages.append(made_page(number, kind, tokens, calls=1 + chance % 4, pinned=pinned))
    return pages


def sessions(*, min_size: int = 0, pins: bool = True) -> st.SearchStrategy[list[Page]]:
    """Pages of a session: small and huge, calls with results, pinned and system ones, gaps between the ids."""
    return st.lists(_PAGES, min_size=min_size, max_size=20).map(lambda drawn: _session(drawn, pins=pins))


# Random sessions alone would at times miss what only some of them show: a page too large to enter whole that still
# stands when a plan is made, stubs before and behind a page that must stand, a newest page that fits in a form only.
_LARGE: list[tuple[Kind, int, int, int]] = [
    ("user", 300, 5, 1), ("assistant", 500, 5, 1), ("calls", 2900, 5, 1), ("assistant", 400, 5, 1),
]  # fmt: skip
_CROWD: list[tuple[Kind, int, int, int]] = [("user", 400, 5, 1), ("assistant", 60, 1, 1), ("calls", 700, 6, 2)]
_MANY: list[tuple[Kind, int, int, int]] = [("user", 200, 5, 1), ("assistant", 150, 6, 1)]
EXAMPLES = (
    _session(_LARGE, pins=False),
    _session([("user", 20, 8, 1), *_CROWD, *_CROWD, *_CROWD], pins=True),
    _session([*_MANY, *_MANY, *_MANY, *_MANY, ("calls", 2800, 7, 1)], pins=False),
)

budgets = st.one_of(st.integers(1, 200), st.integers(200, 2000))


def examples(test: F) -> F:
    """The sessions of ``EXAMPLES``, each with a budget that it does not fit."""
    for pages in EXAMPLES:
        test = example(pages=pages, budget=1000)(test)
    return test


def smallest(request: PlanRequest, page: Page) -> int:
    """The fewest tokens in which a page can stand."""
    return min([page.tokens, *(o.tokens for o in reference_offers(page, 0))])


def needed(request: PlanRequest, *, newest: bool) -> int:
    """Tokens of the window of the pins, and the newest page in its smallest form, with everything else paged out."""
    stay = {p.id: p.tokens for p in request.pages if p.pinned or p.role == "system"}
    if newest and request.pages[-1].id not in stay:
        stay[request.pages[-1].id] = smallest(request, request.pages[-1])
    runs = sum(
        page.id not in stay and (at == 0 or request.pages[at - 1].id in stay) for at, page in enumerate(request.pages)
    )
    return sum(stay.values()) + request.stub_tokens * runs


class Watched(Sequence[Page]):
    """Pages that count how often one is read."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages, self.reads = pages, 0

    def __len__(self) -> int:
        return len(self._pages)

    @overload
    def __getitem__(self, at: int) -> Page: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Page]: ...
    def __getitem__(self, at: int | slice) -> Page | Sequence[Page]:
        self.reads += len(range(*at.indices(len(self)))) if isinstance(at, slice) else 1
        return self._pages[at]


@frozen
class Turn:
    """A plan that a driven session came to."""

    request: PlanRequest
    plan: Plan
    offered: Sequence[Shortened]
    """All that was offered up to then."""
    due: bool
    """Whether the pager wants to plan once more, at once."""

    @property
    def feasible(self) -> bool:
        """Whether what must stand fits."""
        return needed(self.request, newest=True) <= self.request.budget


def pressure(request: PlanRequest) -> Pressure:
    """How full the request's window is as it stands."""
    out = {p.id for p in request.pages for e in request.entries if _out(e) and e.first <= p.id <= e.last}
    shown = [p for p in request.pages if p.id not in out]
    cut = {e.first for e in request.entries if isinstance(e.rendition, Shortened)}
    return Pressure(
        session=request.session,
        tokens=window_tokens(request, request.entries),
        budget=request.budget,
        pages=len(shown),
        results=sum(len(m.results) for p in shown if p.id not in cut for m in p.messages),
    )


def _out(entry: Entry) -> bool:
    return isinstance(entry.rendition, PagedOut | Digest)


async def drive(pager: Pager, pages: Sequence[Page], budget: int) -> list[Turn]:
    """Append the pages one by one, as the kernel does, and plan when it is due or the window is over its budget."""
    turns: list[Turn] = []
    entries: tuple[Entry, ...] = ()
    offered: list[Shortened] = []
    large = pager.large(budget)
    for n, page in enumerate(pages, 1):
        request = plan_request(pages[:n], budget, entries=entries, offered=offered)
        if large is not None and page.tokens > large and page.id not in request.pinned:
            before = window_tokens(evolve(request, pages=pages[: n - 1]), entries)
            asked = AdmitRequest(
                session="test", page=page, budget=budget, tokens=before, offer=request.offer, count=reference_count
            )
            form = await pager.admit(asked)
            if form is not None:
                request = evolve(request, entries=(*entries, Entry(page.id, page.id, form, "as it entered")))
        now = pressure(request)
        entries = request.entries if isinstance(request.entries, tuple) else tuple(request.entries)
        if pager.due(now) or now.tokens > budget:
            plan = await pager.plan(request)
            entries = plan.entries
            turns.append(Turn(request, plan, tuple(offered), pager.due(pressure(evolve(request, entries=entries)))))
    return turns


class PagerSuite(Suite):
    """What every pager must hold.

    Give a fixture ``open_pager``: ``async with open_pager() as pager``. Requests come from
    :func:`lamina.testing.plan_request`, with offers that reach any target down to a note.
    """

    reads: ClassVar[int | None] = 2_000
    """How often a plan may read a page of a session of 20,000 of which some forty fit; ``None``: it reads the past."""

    @pytest.fixture
    def open_pager(self) -> OpenPager:
        raise NotImplementedError("give the fixture open_pager")

    def run(self, open_pager: OpenPager, act: Callable[[Pager], Coroutine[Any, Any, T]]) -> T:
        """Do something with a freshly opened pager."""

        async def opened() -> T:
            async with open_pager() as pager:
                return await act(pager)

        return asyncio.run(opened())

    def plan(self, open_pager: OpenPager, request: PlanRequest) -> Plan:
        """A fresh pager's plan."""
        return self.run(open_pager, lambda pager: pager.plan(request))

    @fast
    @examples
    @given(pages=sessions(), budget=budgets)
    def test_entries_hold_every_page_once_and_in_order(
        self, open_pager: OpenPager, pages: list[Page], budget: int
    ) -> None:
        plan = self.plan(open_pager, plan_request(pages, budget))
        ids = [page.id for page in pages]
        held: list[int] = []
        for entry in plan.entries:
            assert entry.first in ids
            assert entry.last in ids
            assert entry.first <= entry.last
            held += [page for page in ids if entry.first <= page <= entry.last]
        assert held == ids

    @fast
    @examples
    @given(pages=sessions(), budget=budgets)
    def test_a_shortened_entry_holds_one_page_in_a_form_that_was_offered(
        self, open_pager: OpenPager, pages: list[Page], budget: int
    ) -> None:
        offered: list[Shortened] = []
        plan = self.plan(open_pager, plan_request(pages, budget, offered=offered))
        for entry in plan.entries:
            if isinstance(entry.rendition, Shortened):
                assert entry.first == entry.last == entry.rendition.page
                assert entry.rendition in offered

    @fast
    @examples
    @given(pages=sessions(), budget=budgets)
    def test_a_digest_quotes_its_own_pages_in_order(
        self, open_pager: OpenPager, pages: list[Page], budget: int
    ) -> None:
        plan = self.plan(open_pager, plan_request(pages, budget))
        ids = {page.id for page in pages}
        for entry in plan.entries:
            if isinstance(entry.rendition, Digest):
                quoted = [excerpt.page for excerpt in entry.rendition.excerpts]
                assert quoted == sorted(quoted)
                assert all(entry.first <= page <= entry.last and page in ids for page in quoted)

    @fast
    @examples
    @given(pages=sessions(min_size=1), budget=budgets)
    def test_pinned_and_system_pages_stand_verbatim(
        self, open_pager: OpenPager, pages: list[Page], budget: int
    ) -> None:
        plan = self.plan(open_pager, plan_request(pages, budget))
        for page in pages:
            if page.pinned or page.role == "system":
                held = [e.rendition for e in plan.entries if e.first <= page.id <= e.last]
                assert all(isinstance(rendition, Verbatim) for rendition in held)

    @fast
    @examples
    @given(pages=sessions(min_size=1), budget=budgets)
    def test_the_newest_page_stands_where_it_fits_in_any_form(
        self, open_pager: OpenPager, pages: list[Page], budget: int
    ) -> None:
        request = plan_request(pages, budget)
        assume(needed(request, newest=True) <= budget)
        held = [e for e in self.plan(open_pager, request).entries if e.first <= pages[-1].id <= e.last]
        assert all(isinstance(entry.rendition, Verbatim | Shortened) for entry in held)

    @fast
    @examples
    @given(pages=sessions(min_size=1), budget=budgets)
    def test_the_window_fits_the_budget_where_what_must_stay_does(
        self, open_pager: OpenPager, pages: list[Page], budget: int
    ) -> None:
        request = plan_request(pages, budget)
        assume(needed(request, newest=True) <= budget or needed(request, newest=False) <= budget)
        plan = self.plan(open_pager, request)
        assert window_tokens(request, plan.entries) <= budget

    @few
    @examples
    @given(pages=sessions(min_size=1), budget=budgets)
    def test_a_plan_whose_compressors_offer_nothing_fits_too(
        self, open_pager: OpenPager, pages: list[Page], budget: int
    ) -> None:
        async def nothing(asked: Sequence[Page], targets: Sequence[int]) -> list[Shortened]:
            return []

        request = plan_request(pages, budget, offer=nothing)
        assume(needed(request, newest=False) <= budget)
        plan = self.plan(open_pager, request)
        assert window_tokens(request, plan.entries) <= budget

    @few
    @examples
    @given(pages=sessions(), budget=budgets)
    def test_the_same_request_gets_the_same_plan(self, open_pager: OpenPager, pages: list[Page], budget: int) -> None:
        async def twice(pager: Pager) -> tuple[Plan, Plan]:
            return await pager.plan(plan_request(pages, budget)), await pager.plan(plan_request(pages, budget))

        first, second = self.run(open_pager, twice)
        assert first == second == self.plan(open_pager, plan_request(pages, budget))

    @few
    @examples
    @given(pages=sessions(min_size=1), budget=budgets)
    def test_every_entry_says_why(self, open_pager: OpenPager, pages: list[Page], budget: int) -> None:
        plan = self.plan(open_pager, plan_request(pages, budget))
        assert all(isinstance(entry.rule, str) and entry.rule.strip() for entry in plan.entries)

    @few
    @given(tokens=st.integers(0, 10**7), budget=st.integers(1, 10**6), pages=st.integers(0, 10**5))
    def test_due_is_answered_with_yes_or_no_and_always_the_same(
        self, open_pager: OpenPager, tokens: int, budget: int, pages: int
    ) -> None:
        pressure = Pressure(session="test", tokens=tokens, budget=budget, pages=pages, results=pages // 2)

        async def ask(pager: Pager) -> list[Any]:
            return [pager.due(pressure), pager.due(pressure)]

        first, second = self.run(open_pager, ask)
        assert type(first) is bool
        assert first is second

    def test_an_empty_window_is_not_due(self, open_pager: OpenPager) -> None:
        async def ask(pager: Pager) -> bool:
            return pager.due(Pressure(session="test", tokens=0, budget=8000, pages=0, results=0))

        assert not self.run(open_pager, ask)

    @few
    @given(budget=st.integers(1, 10**7))
    def test_large_is_none_or_a_positive_number(self, open_pager: OpenPager, budget: int) -> None:
        async def ask(pager: Pager) -> Any:
            return pager.large(budget)

        large = self.run(open_pager, ask)
        assert large is None or (type(large) is int and large > 0)

    @few
    @given(tokens=st.integers(0, 4000), budget=st.integers(50, 2000), full=st.integers(0, 2000))
    def test_a_page_is_admitted_verbatim_or_in_a_form_that_was_offered(
        self, open_pager: OpenPager, tokens: int, budget: int, full: int
    ) -> None:
        offered: list[Shortened] = []
        page = made_page(7, "calls", tokens)
        request = plan_request([page], budget, offered=offered)

        async def admit(pager: Pager) -> Shortened | None:
            return await pager.admit(
                AdmitRequest(
                    session="test",
                    page=page,
                    budget=budget,
                    tokens=min(full, budget),
                    offer=request.offer,
                    count=reference_count,
                )
            )

        form = self.run(open_pager, admit)
        assert form is None or (form in offered and form.tokens < page.tokens)

    @few
    @examples
    @given(pages=sessions(min_size=2), budget=st.integers(1000, 3000))
    def test_a_session_driven_page_by_page_stays_within_its_budget(
        self, open_pager: OpenPager, pages: list[Page], budget: int
    ) -> None:
        for turn in self.run(open_pager, lambda pager: drive(pager, pages, budget)):
            if turn.feasible:
                assert window_tokens(turn.request, turn.plan.entries) <= budget
            for entry in turn.plan.entries:
                if isinstance(entry.rendition, Shortened):
                    assert entry.rendition in turn.offered

    @few
    @examples
    @given(pages=sessions(min_size=2, pins=False), budget=st.integers(1000, 3000))
    def test_a_plan_settles_what_was_due(self, open_pager: OpenPager, pages: list[Page], budget: int) -> None:
        for turn in self.run(open_pager, lambda pager: drive(pager, pages, budget)):
            assert not (turn.feasible and turn.due)

    def test_a_long_past_is_not_read_to_plan(self, open_pager: OpenPager) -> None:
        if self.reads is None:
            pytest.skip(f"{self.strategy} reads the past on purpose")
        tail = [made_page(19_950 + n, "calls", 100) for n in range(1, 51)]
        message = made_page(1, "user", 40)
        past = [made_page(1, "system", 60), *(evolve(message, id=n, pinned=n == 9000) for n in range(2, 19_951))]
        request = plan_request([*past, *tail], 5000)
        watched = Watched(request.pages)
        plan = self.plan(open_pager, evolve(request, pages=watched))
        assert watched.reads <= self.reads
        assert len(plan.entries) <= 200
        assert window_tokens(request, plan.entries) <= 5000
