from functools import partial

import pytest

from lamina.testing import LoneHost, ScorerSuite
from lamina_scorer_liveness import LivenessSettings, open_liveness


class TestLiveness(ScorerSuite):
    strategy = "liveness"

    @pytest.fixture
    def open_scorer(self, tmp_path):
        return partial(open_liveness, LivenessSettings(), LoneHost(tmp_path))
