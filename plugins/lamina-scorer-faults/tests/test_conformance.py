from functools import partial

import pytest

from lamina.testing import LoneHost, ScorerSuite
from lamina_scorer_faults import FaultsSettings, open_faults


class TestFaults(ScorerSuite):
    strategy = "faults"

    @pytest.fixture
    def open_scorer(self, tmp_path):
        return partial(open_faults, FaultsSettings(), LoneHost(tmp_path))
