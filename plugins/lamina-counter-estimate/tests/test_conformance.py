from functools import partial

import pytest

from lamina.testing import CounterSuite, LoneHost
from lamina_counter_estimate import EstimateSettings, open_estimate


class TestEstimate(CounterSuite):
    strategy = "estimate"

    @pytest.fixture
    def open_counter(self, tmp_path):
        return partial(open_estimate, EstimateSettings(), LoneHost(tmp_path))
