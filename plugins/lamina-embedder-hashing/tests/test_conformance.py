from functools import partial

import pytest

from lamina.testing import EmbedderSuite, LoneHost
from lamina_embedder_hashing import HashingSettings, open_hashing


class TestHashing(EmbedderSuite):
    strategy = "hashing"

    @pytest.fixture
    def open_embedder(self, tmp_path):
        return partial(open_hashing, HashingSettings(), LoneHost(tmp_path))


class TestHashingInFewDimensions(EmbedderSuite):
    strategy = "hashing"

    @pytest.fixture
    def open_embedder(self, tmp_path):
        return partial(open_hashing, HashingSettings(dimensions=16), LoneHost(tmp_path))
