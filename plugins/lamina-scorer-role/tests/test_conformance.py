from functools import partial

import pytest

from lamina.testing import LoneHost, ScorerSuite
from lamina_scorer_role import RoleSettings, open_role


class TestRole(ScorerSuite):
    strategy = "role"

    @pytest.fixture
    def open_scorer(self, tmp_path):
        return partial(open_role, RoleSettings(), LoneHost(tmp_path))
