from functools import partial

import pytest

from lamina.testing import ExecutorSuite, LoneHost
from lamina_executor_process import ProcessSettings, open_process


class TestProcess(ExecutorSuite):
    strategy = "process"
    concurrent = 3

    @pytest.fixture
    def open_executor(self, tmp_path):
        return partial(open_process, ProcessSettings(workers=3), LoneHost(tmp_path))
