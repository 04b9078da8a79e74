from functools import partial

import pytest

from lamina.testing import CompressorSuite, LoneHost
from lamina.testing.pages import texts, tool_page
from lamina_compressor_semantic import SemanticSettings, open_semantic


class TestSemantic(CompressorSuite):
    strategy = "semantic"

    @pytest.fixture
    def open_compressor(self, tmp_path):
        return partial(open_semantic, SemanticSettings(), LoneHost(tmp_path))

    def must_offer(self):
        return [tool_page(1, ("Read", '{"path": "a.log"}', texts()["logs"]))]
