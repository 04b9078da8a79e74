"""What stands is what the scorer values most for its tokens."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.kit.promise import NOTHING
from lamina.protocols import AdmitRequest, Digest, Entry, Excerpt, PagedOut, Pressure, Shortened, Verbatim
from lamina.testing import made_page, plan_request, reference_count, window_tokens
from lamina_pager_knapsack import KnapsackSettings
from lamina_pager_knapsack._pager import KnapsackPager


def scored(request, worth, asked=None):
    """The request with scores by page id; what is not named is worth 0.1."""

    async def score(pages):
        if asked is not None:
            asked.append([page.id for page in pages])
        return [worth.get(page.id, 0.1) for page in pages]

    return evolve(request, score=score)


def planned(request, **chosen):
    return asyncio.run(KnapsackPager(KnapsackSettings(**{**NOTHING, **chosen})).plan(request)).entries


def how(entries):
    """Page id to its entry; runs of paged-out pages by their first."""
    return {e.first: e for e in entries}


def standing(entries):
    return {n for e in entries if not isinstance(e.rendition, PagedOut | Digest) for n in range(e.first, e.last + 1)}


def session(pages=60, tokens=80):
    return [made_page(n, "calls" if n % 3 else "user", tokens) for n in range(1, pages + 1)]


def test_old_pages_that_the_scorer_values_stand_and_newer_ones_that_it_does_not_go():
    request = scored(plan_request(session(), 2000), {5: 0.9, 6: 0.9, 20: 0.8})
    stands = standing(planned(request, low=0.5, offered=0))
    assert {5, 6, 20, 60} <= stands
    assert 30 not in stands


@pytest.mark.parametrize("low", [0.3, 0.6, 1.0])
def test_a_compaction_leaves_the_low_mark_of_the_room_beside_the_pins(low):
    pages = [made_page(1, "system", 300), *(made_page(n, "calls", 40) for n in range(2, 200))]
    request = plan_request(pages, 2000)
    mark = 304 + low * (2000 - 304)
    tokens = window_tokens(request, planned(request, low=low))
    assert mark - 2 * pages[-1].tokens < tokens <= mark


def test_without_scores_the_newest_pages_stand():
    pages = session()
    request = scored(plan_request(pages, 2000), {page.id: 0.0 for page in pages})
    stands = standing(planned(request))
    assert stands == set(range(min(stands), 61))
    assert len(stands) > 5


def test_a_weighed_page_shows_its_score_and_a_run_that_went_its_best():
    request = scored(plan_request(session(), 2000), {5: 0.9, 20: 0.08})
    entries = planned(request, low=0.4, offered=0, candidates=55, discount=0.0)
    assert how(entries)[5].score == 0.9
    assert entries[-1].rule == "newest"
    (run,) = [e for e in entries if e.first <= 20 <= e.last]
    assert isinstance(run.rendition, PagedOut)
    assert (run.rule, run.score) == ("worth less for its tokens", 0.1)
    few = planned(request, low=0.4, offered=0, candidates=20)
    assert (few[0].rule, few[0].score) == ("too old to be weighed", None)


def test_a_page_without_room_for_all_of_it_stands_shortened():
    pages = [*session(20, 30), made_page(21, "calls", 1500), *(made_page(n, "user", 30) for n in range(22, 30))]
    request = scored(plan_request(pages, 2000), {21: 0.9})
    entry = how(planned(request, low=0.6, targets=(0.5,)))[21]
    assert isinstance(entry.rendition, Shortened)
    assert entry.rule == "worth its tokens, shortened"
    assert isinstance(how(planned(request, low=0.6, offered=0)).get(21, entry).rendition, PagedOut | Shortened)
    assert 21 not in standing(planned(request, low=0.6, offered=0))


def test_a_page_that_stands_shortened_keeps_that_form_or_goes():
    pages = session(30)
    request = plan_request(pages, 1500)
    (form,) = asyncio.run(request.offer([pages[9]], [40]))[:1]
    entries = [Entry(10, 10, form, "as it entered")]
    kept = planned(scored(evolve(request, entries=entries), {10: 1.0}))
    assert how(kept)[10].rendition is form
    gone = planned(scored(evolve(request, entries=entries), {10: 0.0}))
    assert 10 not in standing(gone)


def test_a_page_that_was_paged_out_comes_back_when_it_is_worth_it():
    out = [Entry(1, 40, PagedOut(), "out")]
    request = evolve(plan_request(session(), 2000), entries=out)
    assert 7 not in standing(planned(request, offered=0))
    assert 7 in standing(planned(scored(request, {7: 1.0}), offered=0, discount=0.0))


def test_a_digest_of_another_pager_is_weighed_as_pages_that_do_not_stand():
    request = evolve(plan_request(session(), 2000), entries=[Entry(1, 40, Digest((Excerpt(3, "x"),)), "excerpts")])
    entries = planned(scored(request, {7: 1.0}), discount=0.0)
    assert 7 in standing(entries)
    assert not any(isinstance(e.rendition, Digest) for e in entries)


def test_the_prefix_stays_as_it_stood_where_that_costs_little():
    pages = session(40)
    before = planned(scored(plan_request(pages[:30], 1500), {2: 0.5, 4: 0.5, 6: 0.5}), low=0.5, offered=0)
    request = evolve(plan_request(pages, 1500), entries=before)
    # Another old page is now worth a little more than those that stand.
    worth = {2: 0.5, 4: 0.5, 6: 0.5, 8: 0.55}
    stays = planned(scored(request, worth), low=0.5, offered=0, discount=1.0)
    moves = planned(scored(request, worth), low=0.5, offered=0, discount=0.0)
    head = [(e.first, e.rendition) for e in before if e.first <= 6]
    assert [(e.first, e.rendition) for e in stays if e.first <= 6] == head
    assert 8 not in standing(stays)
    assert 8 in standing(moves)
    assert any("cached" in e.rule for e in stays)


def test_what_faulted_and_does_not_stand_loosens_the_prefix():
    pages = session(40)
    first = dict.fromkeys(range(2, 12), 0.5)
    before = planned(scored(plan_request(pages[:30], 1500), first), low=0.5, offered=0)
    faults = dict.fromkeys(range(12, 18), 1)
    worth = {**first, **dict.fromkeys(faults, 0.6)}
    request = evolve(plan_request(pages, 1500), entries=before)
    assert not set(faults) & standing(before)
    quiet = planned(scored(request, worth), low=0.5, offered=0, discount=0.9)
    faulted = planned(scored(evolve(request, faults=faults), worth), low=0.5, offered=0, discount=0.9)
    assert any("cached" in e.rule for e in quiet)
    assert not set(faults) & standing(quiet)
    assert set(faults) & standing(faulted)


def test_only_so_many_pages_are_scored_and_faulted_ones_are_among_them():
    asked = []
    pages = [made_page(n, "user", 30) for n in range(1, 2001)]
    entries = [Entry(1, 1980, PagedOut(), "out")]
    request = evolve(plan_request(pages, 1000, faults={17: 2, 900: 1}), entries=entries)
    planned(scored(request, {}, asked), candidates=50)
    assert [len(ids) for ids in asked] == [50]
    assert {17, 900} <= set(asked[0])
    assert min(set(asked[0]) - {17, 900}) > 1900


def test_compressors_are_asked_for_so_many_pages_only():
    offered = []
    request = scored(plan_request(session(200), 3000, offered=offered), {n: n / 400 for n in range(200)})
    planned(request, offered=5, targets=(0.5, 0.2))
    assert 0 < len({offer.page for offer in offered}) <= 5


def test_a_gap_that_costs_less_than_its_stub_is_no_gap():
    pages = [made_page(n, "user", 2 if n == 30 else 60) for n in range(1, 61)]
    worth = {29: 0.9, 31: 0.9, 30: 0.0}
    entries = planned(scored(plan_request(pages, 2000), worth), low=0.5, offered=0)
    assert {29, 30, 31} <= standing(entries)
    assert how(entries)[30].rule == "costs no more than a stub"


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(1, 300), st.floats(0, 1)), min_size=5, max_size=40),
    st.integers(300, 2000),
    st.fixed_dictionaries(
        {
            "size": st.floats(0, 1),
            "tail_share": st.floats(0, 1),
            "candidates": st.integers(1, 50),
            "offered": st.integers(0, 10),
            "prefixes": st.integers(1, 10),
            "discount": st.floats(0, 1),
            "low": st.floats(0.1, 1),
        }
    ),
    st.data(),
)
def test_the_mark_holds_whatever_pages_are_worth_and_the_newest_stands(drawn, budget, chosen, data):
    pages = [made_page(n, "user", tokens) for n, (tokens, _) in enumerate(drawn, 1)]
    request = scored(plan_request(pages, budget), {n: score for n, (_, score) in enumerate(drawn, 1)})
    newest = pages[-1].tokens + request.stub_tokens
    mark = max(int(chosen["low"] * budget), newest)
    entries = planned(request, **chosen)
    assert window_tokens(request, entries) <= mark
    assert len(pages) in standing(entries)
    # Also from what stood after another plan.
    more = [*pages, made_page(len(pages) + 1, "user", data.draw(st.integers(1, 200)))]
    again = planned(evolve(scored(plan_request(more, budget), {}), entries=entries), **chosen)
    assert window_tokens(plan_request(more, budget), again) <= max(mark, more[-1].tokens + request.stub_tokens)
    assert len(more) in standing(again)


def test_it_is_due_over_the_high_mark_only():
    pager = KnapsackPager(KnapsackSettings(high=0.8))
    assert not pager.due(Pressure(session="s", tokens=800, budget=1000, pages=9, results=0))
    assert pager.due(Pressure(session="s", tokens=801, budget=1000, pages=9, results=0))


def admitted(page, budget, offer=None, **chosen):
    request = plan_request([page], budget, offer=offer)
    asked = AdmitRequest(session="s", page=page, budget=budget, tokens=0, offer=request.offer, count=reference_count)
    return asyncio.run(KnapsackPager(KnapsackSettings(**chosen)).admit(asked))


def test_a_large_page_enters_at_its_share_of_the_budget():
    assert 800 <= admitted(made_page(5, "calls", 3000), 2000).tokens <= 1000
    assert admitted(made_page(5, "calls", 900), 2000) is None
    assert admitted(made_page(5, "calls", 3000), 2000, entry_share=0.0) is None


def test_a_lossless_form_enters_where_it_saves_enough():
    page = made_page(5, "calls", 400)

    def saying(lossless, tokens):
        async def offer(pages, targets):
            return [Shortened(5, {(1, 0): "short"}, "c", lossless=lossless, covers=1.0, tokens=tokens)]

        return offer

    assert admitted(page, 2000, saying(True, 300)).tokens == 300
    assert admitted(page, 2000, saying(False, 300)) is None
    assert admitted(page, 2000, saying(True, page.tokens - 1)) is None
    assert admitted(page, 2000, saying(True, 300), lossless_share=0.0) is None


def test_pages_are_shown_as_they_enter_unless_that_is_turned_off():
    assert KnapsackPager(KnapsackSettings()).large(1000) == 48
    assert KnapsackPager(KnapsackSettings(lossless_share=0.0)).large(1000) == 500
    assert KnapsackPager(KnapsackSettings(lossless_share=0.0, entry_share=0.0)).large(1000) is None


def test_a_newest_page_above_the_low_mark_stands_whole_where_it_fits():
    entries = planned(plan_request([made_page(1), made_page(2), made_page(3, "calls", 700)], 1000))
    assert [(e.first, e.last, type(e.rendition)) for e in entries] == [(1, 2, PagedOut), (3, 3, Verbatim)]


@pytest.mark.parametrize(
    "wrong",
    [{"low": 0.9, "high": 0.8}, {"low": 0}, {"high": 1.1}, {"targets": (1.0,)}, {"candidates": 0}, {"size": 1.5}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError):
        KnapsackSettings(**wrong)
