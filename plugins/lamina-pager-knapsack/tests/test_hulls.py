"""The choice against brute force, on small cases."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lamina_pager_knapsack._hulls import Option, choose, hull

quick = settings(max_examples=75, deadline=None)

whole = st.builds(Option, st.integers(0, 30), st.integers(-3, 40).map(float))
rough = st.builds(Option, st.integers(0, 30), st.floats(-0.5, 1, allow_subnormal=False))
few = st.one_of(
    st.lists(st.lists(whole, max_size=4), max_size=5),
    st.lists(st.lists(rough, max_size=4), max_size=5),
    # Linear groups, as shares of pages are: ties everywhere.
    st.lists(st.integers(1, 12).map(lambda n: [Option(n, n / 4), Option(2 * n, n / 2)]), max_size=5),
)
capacities = st.integers(0, 80)


def optimum(groups, capacity):
    """The best value of all choices, one by one."""
    best = 0.0
    for options in itertools.product(*([Option(0, 0.0), *group] for group in groups)):
        if sum(o.cost for o in options) <= capacity:
            best = max(best, math.fsum(o.value for o in options))
    return best


@quick
@given(few, capacities)
@example([[Option(1, 2.0)], [Option(10, 10.0)]], 10)
@example([[Option(0, 1.0), Option(5, 3.0)]], 0)
@example([[Option(1, 3.0), Option(10, 4.0)], [Option(9, 8.0)]], 10)
def test_a_choice_fits_and_its_value_lies_between_half_the_optimum_and_the_bound(groups, capacity):
    found = choose(groups, capacity)
    chosen = [groups[g][i] for g, i in enumerate(found.chosen) if i is not None]
    assert found.cost == sum(o.cost for o in chosen) <= capacity
    assert found.value == math.fsum(o.value for o in chosen)
    best = optimum(groups, capacity)
    slack = 1e-9 * (1 + abs(best))
    assert found.value <= best + slack
    assert best <= found.bound + slack
    assert found.value >= best / 2 - slack


@quick
@given(few, capacities)
def test_what_is_missed_is_at_most_the_largest_step_that_did_not_fit(groups, capacity):
    found = choose(groups, capacity)
    assert optimum(groups, capacity) - found.value <= found.missed + 1e-9
    points = [[groups[g][i] for i in hull(options, capacity)] for g, options in enumerate(groups)]
    gains = [b.value - a.value for group in points for a, b in itertools.pairwise([Option(0, 0.0), *group])]
    assert found.missed in [0.0, *gains]
    # Where every best option fits, nothing is missed.
    if sum(group[-1].cost for group in points if group) <= capacity:
        assert found.missed == 0
        assert found.value == found.bound


@quick
@given(few, capacities, st.randoms(use_true_random=False))
def test_another_order_of_groups_and_options_gives_the_same_value_cost_and_bound(groups, capacity, rng):
    shuffled = [rng.sample(group, len(group)) for group in groups]
    rng.shuffle(shuffled)
    one, other = choose(groups, capacity), choose(shuffled, capacity)
    assert (one.value, one.cost, one.bound, one.missed) == (other.value, other.cost, other.bound, other.missed)


@quick
@given(few, capacities)
def test_only_options_on_the_hulls_are_needed_for_the_bound(groups, capacity):
    only = [[options[i] for i in hull(options, capacity)] for options in groups]
    assert choose(only, capacity).bound == pytest.approx(max(choose(groups, capacity).bound, 0), abs=1e-9)


@quick
@given(st.lists(st.one_of(whole, rough), max_size=8))
def test_no_option_lies_above_the_hull_and_its_steps_gain_less_and_less(options):
    points = [Option(0, 0.0), *(options[i] for i in hull(options))]
    for a, b in itertools.pairwise(points):
        assert b.value > a.value
        assert b.cost > a.cost or a == (0, 0.0)
    steps = [(b.cost - a.cost, b.value - a.value) for a, b in itertools.pairwise(points) if b.cost > a.cost]
    for (cost, gain), (later, less) in itertools.pairwise(steps):
        assert gain * later >= less * cost - 1e-9
    for option in options:
        over = [p for p in points if p.cost <= option.cost]
        beyond = [p for p in points if p.cost > option.cost]
        height = max(p.value for p in over)
        if beyond and over:
            a, b = over[-1], beyond[0]
            height += (b.value - a.value) * (option.cost - a.cost) / (b.cost - a.cost)
        assert option.value <= height + 1e-9


@quick
@given(few, capacities)
def test_the_bound_is_that_of_the_linear_relaxation(groups, capacity):
    """The dual says the same: the least over all prices of a token."""
    usable = [[o for o in group if o.cost <= capacity] for group in groups]
    points = [[Option(0, 0.0), *(options[i] for i in hull(options))] for options in usable]
    prices = {0.0}
    for group in points:
        prices |= {(b.value - a.value) / (b.cost - a.cost) for a, b in itertools.pairwise(group) if b.cost > a.cost}

    def dual(price):
        return price * capacity + sum(max(o.value - price * o.cost for o in [Option(0, 0.0), *g]) for g in usable)

    assert choose(groups, capacity).bound == pytest.approx(min(map(dual, prices)), abs=1e-6)


def test_one_large_option_beats_a_small_one_of_more_gain_per_cost():
    assert choose([[Option(1, 2.0)], [Option(10, 10.0)]], 10).chosen == (None, 0)


def test_an_option_off_the_hull_fills_what_is_left():
    # A value of 2 at a cost of 10 lies below the line from nothing to 12 at 40.
    groups = [[Option(10, 2.0), Option(40, 12.0)], [Option(30, 30.0)]]
    assert hull(groups[0]) == [1]
    assert choose(groups, 40).chosen == (0, 0)


def test_groups_may_be_any_sequences():
    assert choose([(Option(5, 1.0),), [Option(5, 1.0), Option(5, 1.0)]], 5).cost == 5


def test_of_equal_groups_the_first_is_chosen():
    assert choose([[Option(5, 1.0)]] * 3, 10).chosen == (0, 0, None)


@pytest.mark.parametrize("option", [Option(-1, 1.0), Option(1, math.nan), Option(1, math.inf)])
def test_impossible_options_are_refused(option):
    with pytest.raises(ValueError, match="Option"):
        choose([[option]], 10)


def test_a_negative_capacity_is_refused():
    with pytest.raises(ValueError, match="capacity"):
        choose([], -1)


def test_ten_times_the_options_are_sorted_not_compared_pair_by_pair():
    """Comparisons are counted, not time: n log n of 4,000 options is far below their 16,000,000 pairs."""
    compared = 0

    class Counted(int):
        def __lt__(self, other):
            nonlocal compared
            compared += 1
            return int(self) < int(other)

    rng = random.Random(0)
    groups = [[Option(Counted(rng.randint(1, 500)), rng.random()) for _ in range(4)] for _ in range(1000)]
    assert choose(groups, 20_000).cost <= 20_000
    assert 0 < compared < 40 * 4000
