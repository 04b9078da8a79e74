from functools import partial

import pytest

from lamina.testing import CompressorSuite, LoneHost
from lamina_compressor_structural import StructuralSettings, open_structural


class TestStructural(CompressorSuite):
    strategy = "structural"
    sizes = False

    @pytest.fixture
    def open_compressor(self, tmp_path):
        return partial(open_structural, StructuralSettings(), LoneHost(tmp_path))


class TestLosslessOnly(TestStructural):
    @pytest.fixture
    def open_compressor(self, tmp_path):
        return partial(open_structural, StructuralSettings(lossless=True), LoneHost(tmp_path))
