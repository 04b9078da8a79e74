import pytest

from lamina.testing import LoneHost, ToolSuite
from lamina_tool_shell import ShellSettings, open_shell


class TestShell(ToolSuite):
    strategy = "shell"
    arguments = ({"command": "echo hello"}, {"command": "true && echo a | cat"})

    @pytest.fixture
    def open_tool(self, tmp_path):
        return lambda: open_shell(ShellSettings(folder=tmp_path), LoneHost(tmp_path))
