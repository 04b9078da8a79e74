import asyncio

import pytest

from lamina.kit.promise import NOTHING
from lamina.protocols import AdmitRequest, PagedOut, Pressure, Shortened, Verbatim
from lamina.testing import made_page, plan_request, reference_count, window_tokens
from lamina_pager_compact import CompactPager, CompactSettings


def plan(pages, budget, entries=(), **settings):
    request = plan_request(pages, budget, entries=entries)
    return request, asyncio.run(CompactPager(CompactSettings(**{**NOTHING, **settings})).plan(request)).entries


def admit(page, budget, **settings):
    request = plan_request([page], budget)
    asked = AdmitRequest(session="s", page=page, budget=budget, tokens=0, offer=request.offer, count=reference_count)
    return asyncio.run(CompactPager(CompactSettings(**settings)).admit(asked))


@pytest.mark.parametrize("low", [0.2, 0.5, 0.9])
def test_a_compaction_leaves_the_low_mark_of_the_room_beside_the_pins(low):
    pages = [made_page(1, "system", 300), *(made_page(n, "calls", 40) for n in range(2, 200))]
    request, entries = plan(pages, 2000, low=low)
    mark = 304 + low * (2000 - 304)
    assert mark - pages[-1].tokens < window_tokens(request, entries) <= mark


def test_the_window_is_compacted_above_the_high_mark_only():
    pager = CompactPager(CompactSettings(high=0.8, low=0.5))
    assert not pager.due(Pressure(session="s", tokens=800, budget=1000, pages=9, results=0))
    assert pager.due(Pressure(session="s", tokens=801, budget=1000, pages=9, results=0))


def test_a_newest_page_above_the_low_mark_stands_whole_where_it_fits():
    _, entries = plan([made_page(1), made_page(2), made_page(3, "calls", 700)], 1000)
    assert [(e.first, e.last, type(e.rendition)) for e in entries] == [(1, 2, PagedOut), (3, 3, Verbatim)]


def test_a_newest_page_above_the_high_mark_is_cut_below_it():
    request, entries = plan([made_page(1), made_page(2), made_page(3, "calls", 950)], 1000, high=0.8)
    assert isinstance(entries[-1].rendition, Shortened)
    assert window_tokens(request, entries) <= 800


def test_a_large_page_enters_at_its_share_of_the_budget():
    form = admit(made_page(5, "calls", 3000), 2000)
    assert 0.8 * 600 <= form.tokens <= 600


def test_a_page_that_entered_shortened_stays_so_at_a_compaction():
    big = made_page(5, "calls", 600)
    form = admit(big, 1000)
    pages = [*(made_page(n, "user", 100) for n in range(1, 5)), big, made_page(6, "user", 50)]
    _, first = plan(pages, 1000, entries=plan(pages[:5], 10**6)[1])
    request, entries = plan(pages, 1000, entries=[type(first[0])(5, 5, form, "entered")])
    assert [e.rendition for e in entries if e.first == 5] == [form]
    assert window_tokens(request, entries) <= 500


def test_turning_large_off_admits_everything_verbatim():
    assert CompactPager(CompactSettings(large=0)).large(1000) is None


@pytest.mark.parametrize("settings", [{"low": 0.9, "high": 0.8}, {"low": 0}, {"high": 1.1}, {"large": -0.1}])
def test_marks_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError):
        CompactSettings(**settings)
