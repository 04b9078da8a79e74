from functools import partial

import pytest

from lamina.testing import LoneHost, ScorerSuite
from lamina.testing.fakes.scorer import SoundScorer
from lamina_scorer_weighted import WeightedSettings, open_weighted


class Length:
    """Longer pages are worth less."""

    async def score(self, request):
        return [1 / page.tokens for page in request.pages]


class OpensWeighted:
    strategy = "weighted"
    adapt: bool

    @pytest.fixture
    def open_scorer(self, tmp_path):
        host = LoneHost(tmp_path, parts={("scorer", "newness"): SoundScorer(), ("scorer", "length"): Length()})
        settings = WeightedSettings(weights={"newness": 2.0, "length": 1.0}, adapt=self.adapt)
        return partial(open_weighted, settings, host)


class TestWeighted(OpensWeighted, ScorerSuite):
    adapt = True


class TestWeightedOff(OpensWeighted, ScorerSuite):
    adapt = False
