import asyncio
from functools import partial

import pytest

from lamina.protocols import RankRequest
from lamina.testing import LoneHost, RankerSuite
from lamina.testing.ranker import candidates_of
from lamina_ranker_rrf import RrfRanker, RrfSettings, open_rrf


class TestRrf(RankerSuite):
    strategy = "rrf"

    @pytest.fixture
    def open_ranker(self, tmp_path):
        return partial(open_rrf, RrfSettings(), LoneHost(tmp_path))


def test_what_two_indexes_find_is_before_what_one_finds_better():
    candidates = candidates_of({"words": {"a": 9.0, "b": 1.0}, "likeness": {"c": 9.0, "b": 1.0}})
    request = RankRequest(query="", candidates=candidates, limit=3, now_s=0.0, read=None)
    ranked = asyncio.run(RrfRanker(RrfSettings(k=10)).rank(request))
    assert [place.id for place in ranked] == ["b", "a", "c"]
    assert ranked[0].features == {"words": 1 / 12, "likeness": 1 / 12}
