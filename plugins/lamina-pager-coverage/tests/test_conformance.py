"""The coverage pager keeps the pagers' contract."""

from __future__ import annotations

from functools import partial

import pytest

from lamina.testing import LoneHost, PagerSuite
from lamina_pager_coverage import CoverageSettings, open_coverage


class TestCoverage(PagerSuite):
    strategy = "coverage"

    @pytest.fixture
    def open_pager(self, tmp_path):
        return partial(open_coverage, CoverageSettings(), LoneHost(tmp_path))
