from functools import partial

import pytest

from lamina.testing import CounterSuite, LoneHost
from lamina.testing.fakes.counter import SoundCounter, oracle
from lamina_counter_provider import AnthropicSettings, OpenaiSettings, open_anthropic, open_openai


class Around(CounterSuite):
    @pytest.fixture
    def host(self, tmp_path):
        return LoneHost(tmp_path, parts={("counter", "bytes"): SoundCounter()})

    @pytest.fixture
    def oracle(self):
        return oracle


class TestOpenai(Around):
    strategy = "openai"

    @pytest.fixture
    def open_counter(self, host):
        return partial(open_openai, OpenaiSettings("bytes", "gpt-4o"), host)


class TestAnthropic(Around):
    strategy = "anthropic"

    @pytest.fixture
    def open_counter(self, host):
        return partial(open_anthropic, AnthropicSettings("bytes", "claude-sonnet-4-5"), host)
