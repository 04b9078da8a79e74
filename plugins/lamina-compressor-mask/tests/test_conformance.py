from functools import partial

import pytest

from lamina.testing import CompressorSuite, LoneHost
from lamina_compressor_mask import MaskSettings, open_mask


class TestMask(CompressorSuite):
    strategy = "mask"
    sizes = False

    @pytest.fixture
    def open_compressor(self, tmp_path):
        return partial(open_mask, MaskSettings(), LoneHost(tmp_path))
