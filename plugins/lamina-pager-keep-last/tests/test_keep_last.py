import asyncio

from hypothesis import given
from hypothesis import strategies as st

from lamina.kit.promise import NOTHING
from lamina.protocols import Entry, PagedOut, Pressure, Shortened, Verbatim
from lamina.testing import made_page, plan_request, window_tokens
from lamina_pager_keep_last import KeepLastPager, KeepLastSettings

BARE = KeepLastSettings(**NOTHING)


def plan(pages, budget, entries=()):
    request = plan_request(pages, budget, entries=entries)
    return request, asyncio.run(KeepLastPager(BARE).plan(request)).entries


@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=20), budget=st.integers(350, 2000))
def test_it_keeps_as_many_of_the_newest_pages_as_fit_and_not_one_more(sizes, budget):
    pages = [made_page(2 * n, "user", size) for n, size in enumerate(sizes, 1)]
    request, entries = plan(pages, budget)

    def tokens(kept):
        return sum(p.tokens for p in pages[len(pages) - kept :]) + request.stub_tokens * (kept < len(pages))

    most = max(kept for kept in range(len(pages) + 1) if tokens(kept) <= budget)
    kept = [e for e in entries if isinstance(e.rendition, Verbatim)]
    assert [p.id for p in pages if kept and p.id >= kept[0].first] == [p.id for p in pages[len(pages) - most :]]


def test_a_session_that_fits_stands_whole():
    pages = [made_page(n, "calls", 30) for n in range(1, 10)]
    _, entries = plan(pages, sum(p.tokens for p in pages))
    assert [(e.first, e.last, e.rendition) for e in entries] == [(1, 9, Verbatim())]


def test_a_newest_page_that_is_too_large_is_cut_to_what_is_left():
    request, entries = plan([made_page(1, "system"), made_page(2), made_page(3, "calls", 5000)], 1000)
    assert [type(e.rendition) for e in entries] == [Verbatim, PagedOut, Shortened]
    assert 800 <= window_tokens(request, entries) <= 1000


def test_a_page_that_stands_shortened_keeps_its_form():
    pages = [made_page(1), made_page(2, "calls", 900), made_page(3)]
    form = plan(pages[:2], 500)[1][-1].rendition
    _, entries = plan(pages, 600, [Entry(1, 1, PagedOut(), "old"), Entry(2, 2, form, "cut")])
    assert [e.rendition for e in entries if e.first == 2] == [form]


def test_it_is_due_only_over_the_budget():
    assert not KeepLastPager(BARE).due(Pressure(session="s", tokens=1000, budget=1000, pages=9, results=9))
    assert KeepLastPager(BARE).due(Pressure(session="s", tokens=1001, budget=1000, pages=9, results=9))
