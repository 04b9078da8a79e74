from functools import partial

import pytest

from lamina.testing import CompressorSuite, LoneHost
from lamina.testing.pages import tool_page
from lamina_compressor_code import CodeSettings, open_code


class TestCode(CompressorSuite):
    strategy = "code"
    sizes = False

    @pytest.fixture
    def open_compressor(self, tmp_path):
        return partial(open_code, CodeSettings(min_lines=3), LoneHost(tmp_path))

    def must_offer(self):
        long = "\n".join(f"def f{i}(a):\n" + "    print(a)\n" * 20 for i in range(9))
        return [tool_page(1, ("Read", '{"path": "a.py"}', long))]
