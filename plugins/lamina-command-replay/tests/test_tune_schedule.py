"""Which sessions a search sees, in which order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lamina_command_replay._recording import Recording
from lamina_command_replay._schedule import ENOUGH, Case, Pace, rungs, split

CASES = st.lists(st.tuples(st.text(max_size=6), st.integers(1, 90)), max_size=25).map(
    lambda pairs: [Case(Recording(id, f"file-{number}", ()), pressed) for number, (id, pressed) in enumerate(pairs)]
)


def ids(cases):
    return {case.recording.id for case in cases}


@given(CASES)
@settings(max_examples=30)
def test_every_session_is_in_one_part_and_no_id_in_both(cases):
    parts = split(cases)
    assert sorted(map(id, (*parts.search, *parts.held_out))) == sorted(map(id, cases))
    assert not ids(parts.search) & ids(parts.held_out)


@given(CASES)
@settings(max_examples=30)
def test_a_third_is_held_out_where_there_are_enough(cases):
    parts = split(cases)
    assert len(ids(parts.held_out)) == (len(ids(cases)) // 3 if len(ids(cases)) >= ENOUGH else 0)


@given(CASES, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_order_of_the_files_changes_nothing(cases, random):
    turned = list(cases)
    random.shuffle(turned)
    one, other = split(cases), split(turned)
    assert ids(one.held_out) == ids(other.held_out)
    assert [c.recording.id for c in one.search] == [c.recording.id for c in other.search]


def test_both_parts_have_short_and_long_sessions():
    cases = [Case(Recording(f"s{n}", "f", ()), n) for n in range(1, 31)]
    for part in (split(cases).search, split(cases).held_out):
        assert min(case.pressed for case in part) <= 3
        assert max(case.pressed for case in part) >= 28


@given(CASES)
@settings(max_examples=30)
def test_rungs_are_all_cases_and_the_first_ones_are_cheap(cases):
    parts = rungs(cases)
    assert sorted(id(case) for part in parts for case in part) == sorted(map(id, cases))
    assert all(parts)
    whole, cost = sum(case.pressed for case in cases), 0
    for part, share in zip(parts[:-1], (1 / 9, 1 / 3)[-len(parts) + 1 :], strict=False):
        cost += sum(case.pressed for case in part)
        assert cost <= share * whole


def test_one_session_is_one_rung():
    case = Case(Recording("only", "f", ()), 50)
    assert rungs([case]) == [(case,)]


def test_pace_is_learnt_for_each_pager():
    case = Case(Recording("a", "f", ()), 5)
    pace = Pace({case: 10.0}, "own")
    known, unknown = pace.expect("own", [case]), pace.expect("other", [case])
    assert 10 < known < unknown
    pace.saw("other", [case], 1.0)
    assert 1 < pace.expect("other", [case]) < 2
    assert pace.expect("own", [case]) == known
