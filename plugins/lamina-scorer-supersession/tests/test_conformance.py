from functools import partial

import pytest

from lamina.testing import LoneHost, ScorerSuite
from lamina_scorer_supersession import SupersessionSettings, open_supersession


class TestSupersession(ScorerSuite):
    strategy = "supersession"

    @pytest.fixture
    def open_scorer(self, tmp_path):
        return partial(open_supersession, SupersessionSettings(), LoneHost(tmp_path))
