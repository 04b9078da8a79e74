import json
from functools import partial

import pytest

from lamina.testing import CompressorSuite, LoneHost
from lamina.testing.pages import tool_page
from lamina_compressor_values import ValuesSettings, open_values


class TestValues(CompressorSuite):
    strategy = "values"
    sizes = False

    @pytest.fixture
    def open_compressor(self, tmp_path):
        return partial(open_values, ValuesSettings(), LoneHost(tmp_path))

    def must_offer(self):
        rows = [{"id": f"item-{i}", "price": i * 1.5, "note": None, "hidden": False} for i in range(40)]
        return [tool_page(1, ("list", "{}", json.dumps(rows)))]
