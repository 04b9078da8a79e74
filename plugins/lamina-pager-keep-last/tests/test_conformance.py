from functools import partial

import pytest

from lamina.testing import LoneHost, PagerSuite
from lamina_pager_keep_last import KeepLastSettings, open_keep_last


class TestKeepLast(PagerSuite):
    strategy = "keep-last"

    @pytest.fixture
    def open_pager(self, tmp_path):
        return partial(open_keep_last, KeepLastSettings(), LoneHost(tmp_path))
