"""``lamina tools``, ``call`` and ``grants``."""

import json

import pytest

TOOLS = """
import asyncio
from contextlib import asynccontextmanager
from attrs import frozen
from lamina.hookspecs import hookimpl
from lamina.outputs import text_output, failed
from lamina.protocols import Effects, ToolSpec

@frozen
class Settings:
    '''None.'''

class Tool:
    def __init__(self, name, **more):
        self.spec = ToolSpec(name, "Does it.\\nAnd more.", {"type": "object", "properties": {"command": {"type": "string", "format": "shell"}}, "required": ["command"]}, **more)
    async def run(self, request):
        command = request.arguments["command"]
        return failed("Refused", "no \\x1b[31m", hint="ask") if command == "fail" else text_output(f"ran {command} for {request.call.session}")

def opener(name, **more):
    @asynccontextmanager
    async def opened(settings, host):
        yield Tool(name, **more)
    return opened

@hookimpl
def register_tool(register):
    register("acme-shell", opener("shell", effects=Effects(destructive=True, open_world=True)), Settings)
    register("look", opener("look", effects=Effects(read_only=True), tags=("web",)), Settings)
"""

RULES = """
[tools.shell]
use = "acme-shell"
[tools.look]
[grants.rules]
rules = [
    { decision = "ask", call = "shell(git push *)", why = "a person pushes" },
    { decision = "allow", call = "shell(git *)" },
]
"""


@pytest.fixture
def tools(installed, tmp_path, lamina):
    installed("acme-tools", TOOLS)
    (tmp_path / "tools.toml").write_text(RULES)

    def run(*argv, **more):
        return lamina("--config", tmp_path / "tools.toml", *argv, **more)

    return run


class TestTools:
    def test_they_are_listed_with_what_they_do_and_where_they_run(self, tools):
        lines = tools("tools").out.splitlines()
        assert lines[0].split("  ")[0] == "tool"
        (shell,) = (line for line in lines if line.startswith("shell"))
        assert "destructive, open-world" in shell
        assert "local" in shell
        assert shell.endswith("Does it.")
        assert {line.split()[0] for line in lines[1:]} == {"expand", "look", "recall", "remember", "shell"}

    def test_json_holds_all_that_is_known_of_them(self, tools):
        told = tools("tools", "--json").json
        assert told["refused"] == {}
        look = next(tool for tool in told["tools"] if tool["name"] == "look")
        assert list(look) == ["name", "description", "parameters", "tags", "effects", "resources", "timeout_s", "version",
                              "source", "executor", "hidden"]  # fmt: skip
        assert (look["tags"], look["executor"], look["source"], look["hidden"]) == (["web"], "local", "look", False)
        assert look["effects"] == {"read_only": True, "idempotent": False, "destructive": False, "open_world": False}

    def test_those_that_fit_a_need_come_first(self, tools):
        assert tools("tools", "remember", "a", "fact", "--json").json["tools"][0]["name"] == "remember"
        assert tools("tools", "zebra").err == "lamina: no tool fits 'zebra'\n"

    def test_what_is_denied_always_is_said_to_be(self, tools):
        told = tools("--set", "grants.rules.rules=[]", "tools")
        assert "denied always" in next(line for line in told.out.splitlines() if line.startswith("shell"))


class TestCall:
    def test_it_prints_what_the_tool_gives(self, tools):
        done = tools("call", "look", "--args", '{"command": "x"}', "--session", "s")
        assert (done.code, done.out, done.err) == (0, "ran x for s\n", "")
        assert tools("call", "look", "--args", "-", stdin=b'{"command": "y"}').out == "ran y for None\n"

    def test_json_says_what_became_of_it(self, tools):
        told = tools("call", "shell", "--args", '{"command": "git status"}', "--json").json
        assert list(told) == [
            "tool",
            "arguments",
            "state",
            "text",
            "structured",
            "failure",
            "tries",
            "elapsed_s",
            "grant",
        ]
        assert (told["state"], told["tries"]) == ("done", 1)
        assert told["grant"] == {"answer": "allow", "rule": "2: allow shell(git *)", "why": "a rule says allow"}

    def test_a_failure_is_printed_and_fails(self, tools):
        done = tools("call", "look", "--args", '{"command": "fail"}')
        assert done.code == 1
        assert done.out.startswith("Refused: no ")
        failure = tools("call", "look", "--args", '{"command": "fail"}', "--json").json["failure"]
        assert (failure["type"], failure["hint"]) == ("Refused", "ask")

    @pytest.mark.parametrize(
        ("argv", "code", "said"),
        [
            (("nothing",), 1, "no tool named 'nothing'; registered: expand"),
            (("look",), 1, "arguments of 'look': command: is required"),
            (("look", "--args", "x"), 2, "--args is no JSON"),
            (("look", "--args", "[]"), 2, "--args holds list"),
            (("shell", "--args", '{"command": "rm x"}'), 1, "call of 'shell' denied: no rule is about it"),
            (("shell", "--args", '{"command": "git push"}'), 1, "it has to be asked for (1: ask shell(git push *))"),
        ],
    )
    def test_what_is_refused_is_one_line(self, tools, argv, code, said):
        done = tools("call", *argv)
        assert done.code == code
        assert said in done.err
        assert done.err.count("\n") == 1

    def test_what_has_to_be_asked_for_may_be_allowed_beforehand(self, tools):
        assert tools("call", "shell", "--args", '{"command": "git push"}', "--yes").out == "ran git push for None\n"

    def test_a_person_at_the_terminal_is_asked(self, tools, monkeypatch):
        from lamina_cli.commands import call

        monkeypatch.setattr(call, "is_terminal", lambda stream: True)
        given = ("call", "shell", "--args", '{"command": "git push"}')
        yes = tools(*given, stdin=b"y\n")
        assert yes.out == "ran git push for None\n"
        assert "1: ask shell(git push *) (a person pushes)" in yes.err
        assert tools(*given, stdin=b"\n").code == 1
        assert tools("call", "shell", "--args", '{"command": "rm x"}', stdin=b"y\n").code == 1


class TestGrants:
    @pytest.mark.parametrize(
        ("call", "said"),
        [
            ("shell(git push)", "ask: 1: ask shell(git push *): a person pushes\n"),
            ("shell(git log | git diff)", "allow: 2: allow shell(git *): a rule says allow\n"),
            ("shell(git status; rm -rf /)", "deny: default: no rule is about it, and it may change what cannot be taken back; changing = 'deny'\n"),
            ('shell({"command": "git log"})', "allow: 2: allow shell(git *): a rule says allow\n"),
            ("look", "allow: default: no rule is about it; otherwise = 'allow'\n"),
        ],
    )  # fmt: skip
    def test_it_prints_the_answer_the_rule_and_why(self, tools, call, said):
        done = tools("grants", "test", call)
        assert (done.code, done.out, done.err) == (0, said, "")

    def test_a_tool_that_is_not_there_is_taken_to_destroy(self, tools, tmp_path):
        (tmp_path / "tools.toml").write_text(
            '[grants.rules]\nrules = [{ decision = "allow", call = "bash(git *)" }, { decision = "allow", call = "write_file(src/**)" }]\n'
        )
        assert tools("grants", "test", "bash(git log)").out.startswith("allow: 1")
        done = tools("grants", "test", "bash(git log; rm x)")
        assert done.out.startswith("deny: default")
        assert "no tool named 'bash' is configured" in done.err
        assert tools("grants", "test", "write_file(src/../x)").out.startswith("deny")
        assert tools("grants", "test", "write_file(src/a)").out.startswith("allow: 2")
        assert tools("grants", "test", "other(git log)", "--as", "shell").out.startswith("deny")

    def test_json(self, tools):
        told = tools("grants", "test", "shell(git push)", "--json").json
        assert told == {"tool": "shell", "arguments": {"command": "git push"}, "known": True, "answer": "ask",
                        "rule": "1: ask shell(git push *)", "why": "a person pushes"}  # fmt: skip
        assert json.dumps(told)

    def test_what_is_no_call_is_used_wrongly(self, tools):
        assert tools("grants", "test", "a b(c)").code == 2
        assert tools("grants", "try", "look").code == 2
