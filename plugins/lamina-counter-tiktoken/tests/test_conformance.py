from functools import partial

import pytest

from lamina.testing import CounterSuite, LoneHost
from lamina_counter_tiktoken import TiktokenSettings, open_tiktoken


class TestTiktoken(CounterSuite):
    strategy = "tiktoken"

    @pytest.fixture
    def open_counter(self, tmp_path):
        return partial(open_tiktoken, TiktokenSettings(), LoneHost(tmp_path))
