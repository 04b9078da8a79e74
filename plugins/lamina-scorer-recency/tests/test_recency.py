import asyncio

import pytest

from lamina.model import Page, user
from lamina.protocols import ScoreRequest
from lamina_scorer_recency import RecencyScorer, RecencySettings


def scores(ids, newest, half_life_pages=20.0):
    pages = [Page(n, (user("x"),), (5,)) for n in ids]
    scorer = RecencyScorer(RecencySettings(half_life_pages))
    return asyncio.run(scorer.score(ScoreRequest(pages=pages, newest=newest)))


def test_the_newest_page_is_worth_1():
    assert scores([50], newest=50) == [1]


@pytest.mark.parametrize("half_life", [1, 7, 20.0])
def test_a_page_is_worth_half_of_one_that_is_a_half_life_newer(half_life):
    old, new = scores([100, 100 + int(half_life)], newest=400, half_life_pages=half_life)
    assert old == pytest.approx(new / 2)


def test_a_newer_page_is_worth_more():
    found = scores(range(1, 300), newest=300)
    assert found == sorted(found)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("half_life", [0, -1])
def test_a_half_life_that_is_none_is_refused(half_life):
    with pytest.raises(ValueError):
        RecencySettings(half_life)
