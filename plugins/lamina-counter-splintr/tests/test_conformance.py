from functools import partial

import pytest

from lamina.testing import CounterSuite, LoneHost
from lamina_counter_splintr import SplintrSettings, open_splintr


class TestSplintr(CounterSuite):
    strategy = "splintr"

    @pytest.fixture
    def open_counter(self, home):
        return partial(open_splintr, SplintrSettings(), LoneHost(home))

    @pytest.fixture
    def oracle(self, true):
        encode = true("cl100k_base").encode_ordinary
        return lambda text: len(encode(text))
