from functools import partial

import pytest

from lamina.testing import ExecutorSuite, LoneHost
from lamina_executor_local import LocalSettings, open_local


class TestLocal(ExecutorSuite):
    strategy = "local"
    concurrent = 100

    @pytest.fixture
    def open_executor(self, tmp_path):
        return partial(open_local, LocalSettings(), LoneHost(tmp_path))
