import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.model import Page, user
from lamina.protocols import ScoreRequest
from lamina_scorer_faults import FaultsScorer, FaultsSettings


def scores(faults, pages=9, **settings):
    asked = [Page(n, (user("x"),), (5,)) for n in range(1, pages + 1)]
    scorer = FaultsScorer(FaultsSettings(**settings))
    return asyncio.run(scorer.score(ScoreRequest(pages=asked, newest=pages, faults=faults)))


def test_without_faults_no_page_is_worth_anything():
    assert scores({}) == [0.0] * 9


@pytest.mark.parametrize("half", [0.5, 1.0, 3.0])
def test_each_half_number_of_faults_halves_what_lacks(half):
    for times in range(1, 5):
        assert scores({5: times * half}, half_faults=half)[4] == pytest.approx(1 - 0.5**times)


@given(st.integers(1, 50), st.integers(1, 50))
def test_a_page_that_faulted_more_often_is_worth_at_least_as_much(some, more):
    found = scores({2: some, 8: some + more})
    assert found[1] <= found[7] <= 1


def test_the_pages_beside_a_faulted_one_get_their_share():
    assert scores({5: 1}, spread=0.5)[3:6] == [0.25, 0.5, 0.25]
    assert scores({5: 1, 6: 2}, spread=0.5)[3:7] == [0.25, 0.5, 0.75, 0.375]
    assert scores({5: 1}, spread=0.0)[3:6] == [0, 0.5, 0]


def test_faults_of_pages_that_were_not_asked_about_do_no_harm():
    assert scores({1000: 5, -3: 2}) == [0.0] * 9


@pytest.mark.parametrize("wrong", [{"half_faults": 0}, {"half_faults": -1}, {"spread": -0.1}, {"spread": 1.1}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        FaultsSettings(**wrong)
