import asyncio
from functools import partial

import pytest

from lamina.protocols import Candidate, RankRequest
from lamina.testing import LoneHost, RankerSuite
from lamina_ranker_weighted import WeightedRanker, WeightedSettings, open_weighted


class TestWeighted(RankerSuite):
    strategy = "weighted"

    @pytest.fixture
    def open_ranker(self, tmp_path):
        return partial(open_weighted, WeightedSettings(), LoneHost(tmp_path))


def ranked(candidates, **settings):
    request = RankRequest(query="", candidates=candidates, limit=9, now_s=0.0, read=None)
    return asyncio.run(WeightedRanker(WeightedSettings(**settings)).rank(request))


def test_features_count_by_their_weights():
    candidates = [
        Candidate("a", {"words": 9.0, "words.recency": 0.0}),
        Candidate("b", {"words": 1.0, "words.recency": 7.0}),
    ]
    assert [p.id for p in ranked(candidates, weights={"words": 1.0, "words.recency": 0.9})] == ["a", "b"]
    assert [p.id for p in ranked(candidates, weights={"words": 0.9, "words.recency": 1.0})] == ["b", "a"]


def test_without_weights_every_index_counts_alike_and_nothing_else():
    candidates = [Candidate("a", {"words": 1.0, "words.recency": 9.0}), Candidate("b", {"words": 2.0, "likeness": 5.0})]
    assert [(p.id, p.features) for p in ranked(candidates)] == [
        ("b", {"likeness": 1.0, "words": 1.0}),
        ("a", {"likeness": 0.0, "words": 0.0}),
    ]


def test_a_weight_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="words: nan"):
        WeightedSettings(weights={"words": float("nan")})
