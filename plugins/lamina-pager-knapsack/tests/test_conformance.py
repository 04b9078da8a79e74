"""The knapsack pager keeps the pagers' contract."""

from __future__ import annotations

from functools import partial

import pytest

from lamina.testing import LoneHost, PagerSuite
from lamina_pager_knapsack import KnapsackSettings, open_knapsack


class TestKnapsack(PagerSuite):
    strategy = "knapsack"

    @pytest.fixture
    def open_pager(self, tmp_path):
        return partial(open_knapsack, KnapsackSettings(), LoneHost(tmp_path))
