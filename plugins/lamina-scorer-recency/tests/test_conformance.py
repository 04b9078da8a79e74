from functools import partial

import pytest

from lamina.testing import LoneHost, ScorerSuite
from lamina_scorer_recency import RecencySettings, open_recency


class TestRecency(ScorerSuite):
    strategy = "recency"

    @pytest.fixture
    def open_scorer(self, tmp_path):
        return partial(open_recency, RecencySettings(), LoneHost(tmp_path))
