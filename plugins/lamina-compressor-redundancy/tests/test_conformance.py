from functools import partial

import pytest

from lamina.testing import CompressorSuite, LoneHost
from lamina.testing.pages import tool_page
from lamina_compressor_redundancy import RedundancySettings, open_redundancy


class TestRedundancy(CompressorSuite):
    strategy = "redundancy"
    sizes = False

    @pytest.fixture
    def open_compressor(self, tmp_path):
        return partial(open_redundancy, RedundancySettings(), LoneHost(tmp_path))

    def must_offer(self):
        text = "\n".join(f"line {i} of the file" for i in range(60))
        return [tool_page(1, ("Read", '{"path": "a.py"}', text), ("Read", '{"path": "b.py"}', text))]


class TestReferringToLaterPages(TestRedundancy):
    """Many of the suite's pages hold the same text, so here they refer to one another."""

    @pytest.fixture
    def open_compressor(self, tmp_path):
        return partial(open_redundancy, RedundancySettings(later=True), LoneHost(tmp_path))
