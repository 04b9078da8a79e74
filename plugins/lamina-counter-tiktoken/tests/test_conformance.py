from functools import partial

import pytest

from lamina.testing import CounterSuite, LoneHost
from lamina_counter_tiktoken import TiktokenSettings, open_tiktoken


class TestTiktoken(CounterSuite):
    strategy = "tiktoken"
    encoding = "cl100k_base"

    @pytest.fixture
    def open_counter(self, tmp_path):
        return partial(open_tiktoken, TiktokenSettings(encoding=self.encoding), LoneHost(tmp_path))

    @pytest.fixture
    def oracle(self, published):
        encode = published(self.encoding).encode_ordinary
        return lambda text: len(encode(text))


class TestTiktokenOfO200k(TestTiktoken):
    encoding = "o200k_base"
