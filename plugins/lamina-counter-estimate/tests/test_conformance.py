from functools import partial

import pytest

from lamina.testing import CounterSuite, LoneHost
from lamina_counter_estimate import EstimateSettings, open_estimate


class TestEstimate(CounterSuite):
    """By the bound's definition it holds for both tokenizers; each is its own truth."""

    strategy = "estimate"

    @pytest.fixture
    def open_counter(self, tmp_path):
        return partial(open_estimate, EstimateSettings(), LoneHost(tmp_path))

    @pytest.fixture
    def oracle(self, encoding):
        return lambda text: len(encoding.encode_ordinary(text))
