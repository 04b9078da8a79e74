from functools import partial

import pytest

from lamina.testing import CompressorSuite, LoneHost
from lamina.testing.fakes.compressor import Silent, SoundCompressor
from lamina_compressor_chain import ChainSettings, open_chain


class Raises:
    """A service that is away."""

    deterministic = False

    async def compress(self, request):
        raise OSError("away")


class TestChain(CompressorSuite):
    strategy = "chain"

    @pytest.fixture
    def open_compressor(self, tmp_path):
        parts = {
            ("compressor", "away"): Raises(),
            ("compressor", "mute"): Silent(),
            ("compressor", "cut"): SoundCompressor(),
        }
        return partial(open_chain, ChainSettings(("away", "mute", "cut")), LoneHost(tmp_path, parts=parts))
