from functools import partial

import pytest

from lamina.protocols import Effects, ToolSpec
from lamina.testing import GrantsSuite, LoneHost
from lamina_grants_rules import Rule, RulesSettings, open_rules

SHELL = {"type": "object", "properties": {"command": {"type": "string", "format": "shell"}}}
WRITE = {"type": "object", "properties": {"path": {"type": "string", "format": "path"}, "text": {"type": "string"}}}


class TestRules(GrantsSuite):
    strategy = "rules"
    specs = (
        ToolSpec("shell", "Run it.", SHELL, effects=Effects(destructive=True, open_world=True)),
        ToolSpec("write", "Write it.", WRITE, effects=Effects(destructive=True)),
        ToolSpec("forbidden", "Never.", WRITE),
        ToolSpec("recall", "Find it.", {"type": "object", "properties": {"query": {"type": "string"}}}),
    )
    allowed = (
        ("shell", {"command": "git status"}),
        ("write", {"path": "src/a/b.py", "text": "x"}),
        ("recall", {"query": "x"}),
    )
    asked = (("shell", {"command": "git push"}), ("write", {"path": "docs/a.md"}), ("shell", {}))
    denied = (
        ("shell", {"command": "git status; rm -rf /"}),
        ("write", {"path": "src/../../etc/passwd"}),
        ("forbidden", {"path": "src/a"}),
    )

    @pytest.fixture
    def open_grants(self, tmp_path):
        rules = (
            Rule("deny", "forbidden"),
            Rule("ask", "shell(git push *)"),
            Rule("allow", "shell(git *)"),
            Rule("deny", "shell"),
            Rule("allow", "write(src/**)"),
            Rule("ask", "write(docs/*)"),
        )
        return partial(open_rules, RulesSettings(rules, root=tmp_path), LoneHost(tmp_path))
