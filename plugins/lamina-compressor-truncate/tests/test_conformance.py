from functools import partial

import pytest

from lamina.testing import CompressorSuite, LoneHost
from lamina_compressor_truncate import TruncateSettings, open_truncate


class TestTruncate(CompressorSuite):
    strategy = "truncate"

    @pytest.fixture
    def open_compressor(self, tmp_path):
        return partial(open_truncate, TruncateSettings(), LoneHost(tmp_path))
