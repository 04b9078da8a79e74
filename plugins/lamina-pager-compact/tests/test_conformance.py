from functools import partial

import pytest

from lamina.testing import LoneHost, PagerSuite
from lamina_pager_compact import CompactSettings, open_compact


class TestCompact(PagerSuite):
    strategy = "compact"

    @pytest.fixture
    def open_pager(self, tmp_path):
        return partial(open_compact, CompactSettings(), LoneHost(tmp_path))
