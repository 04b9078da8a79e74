from contextlib import asynccontextmanager

import pytest

from lamina.testing import CompressorSuite, LoneHost
from lamina_compressor_llm import LlmSettings, open_llm


class TestLlm(CompressorSuite):
    strategy = "llm"

    @pytest.fixture
    def open_compressor(self, server, tmp_path):
        host = LoneHost(tmp_path)

        @asynccontextmanager
        async def opened():
            chosen = LlmSettings(
                url=f"{server.url}/v1", model="m", min_tokens=100, max_calls=10**6, max_input_tokens=10**9
            )
            async with open_llm(chosen, host) as part:
                yield part

        yield opened
        assert host.logged == []
