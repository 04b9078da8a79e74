"""Which configurations are worth choosing between."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from lamina_command_replay._front import choose, dominates, front, knee, spread

RATES = st.integers(0, 8).map(lambda n: n / 8)
ITEMS = st.lists(st.tuples(RATES, RATES), max_size=12).map(
    lambda pairs: [(r, b, number) for number, (r, b) in enumerate(pairs)]
)


def worth(item):
    return item[0], item[1]


def found(items):
    return front(items, worth, lambda item: item[2])


@given(ITEMS)
@settings(max_examples=30)
def test_no_member_is_dominated_by_anything(items):
    assert not any(dominates(worth(other), worth(member)) for member in found(items) for other in items)


@given(ITEMS)
@settings(max_examples=30)
def test_what_is_not_a_member_is_dominated_by_one_or_equal_to_a_simpler_one(items):
    members = found(items)
    for item in items:
        if item not in members:
            assert any(
                dominates(worth(member), worth(item)) or (worth(member) == worth(item) and member[2] < item[2])
                for member in members
            )


@given(ITEMS, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_order_of_the_items_changes_nothing(items, random):
    turned = list(items)
    random.shuffle(turned)
    assert found(turned) == found(items)


@given(ITEMS)
@settings(max_examples=30)
def test_retention_ascends_with_the_bill(items):
    members = found(items)
    for lower, higher in pairwise(members):
        assert lower[0] < higher[0]
        assert lower[1] < higher[1]


@given(ITEMS.filter(bool), RATES)
@settings(max_examples=30)
def test_what_is_asked_for_is_kept_and_nothing_that_fits_is_better(items, limit):
    members = found(items)
    cheap = choose(members, worth, at_most_bill=limit)
    fitting = [item for item in items if item[1] <= limit]
    assert (cheap is None) == (not fitting)
    assert cheap is None or cheap[0] == max(item[0] for item in fitting)
    rich = choose(members, worth, at_least_retention=limit)
    fitting = [item for item in items if item[0] >= limit]
    assert (rich is None) == (not fitting)
    assert rich is None or rich[1] == min(item[1] for item in fitting)


def test_the_knee_is_where_more_begins_to_cost_more():
    members = [(0.1, 0.1, 0), (0.7, 0.2, 1), (0.8, 0.5, 2), (0.9, 1.0, 3)]
    assert knee(members, worth) == members[1]


def test_of_two_the_knee_keeps_more():
    members = [(0.5, 0.1, 0), (0.9, 0.3, 1)]
    assert knee(members, worth) == members[1]
    assert knee(members[:1], worth) == members[0]


def test_nothing_is_chosen_of_nothing():
    assert choose([], worth) is None


@given(ITEMS.filter(bool), st.integers(2, 6), st.data())
@settings(max_examples=25)
def test_few_members_stand_for_many(items, most, data):
    members = found(items)
    always = data.draw(st.sampled_from(members))
    shown = spread(members, worth, most, [always])
    assert [member for member in members if member in shown] == shown
    assert {members[0], members[-1], always} <= set(shown)
    assert len(shown) <= max(most, 3)
    assert len(members) > most or shown == members
