from hypothesis import given
from hypothesis import strategies as st

from lamina.kit.paging import Layout, position
from lamina.testing import made_page, plan_request, window_tokens


@given(ids=st.lists(st.integers(1, 60), unique=True).map(sorted), wanted=st.integers(0, 61))
def test_a_position_is_where_the_id_stands_or_none(ids, wanted):
    pages = [made_page(n) for n in ids]
    assert position(pages, wanted) == (ids.index(wanted) if wanted in ids else None)


@given(pins=st.lists(st.booleans(), max_size=12), start=st.integers(0, 12))
def test_stubs_are_the_runs_of_pages_that_are_paged_out(pins, start):
    start = min(start, len(pins))
    pages = [made_page(3 * n, pinned=pinned) for n, pinned in enumerate(pins, 1)]
    out = [not pinned and at < start for at, pinned in enumerate(pins)]
    runs = sum(now and not before for before, now in zip([False, *out], out, strict=False))
    assert Layout(plan_request(pages, 100)).stubs(start) == runs


@given(drawn=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), max_size=12), limit=st.integers(0, 600))
def test_fit_is_the_first_start_whose_window_is_within_the_limit(drawn, limit):
    pages = [made_page(n, tokens=size, pinned=not chance) for n, (size, chance) in enumerate(drawn, 1)]
    request = plan_request(pages, limit)
    layout = Layout(request)
    fits = [
        start
        for start in range(len(pages))
        if window_tokens(request, layout.entries(start, kept="new", out="old")) <= limit
    ]
    assert layout.fit(limit) == min(fits, default=len(pages))
