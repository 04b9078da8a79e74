import json
from functools import partial
from typing import ClassVar

import pytest

from lamina.testing import FormatSuite, LoneHost
from lamina_format_claude_code import ClaudeCodeSettings, open_claude_code

_TIME = "2026-02-16T18:47:50.736Z"


def user(content, **other):
    said = {"role": "user", "content": content}
    return {"type": "user", "sessionId": "s1", "uuid": "u", "timestamp": _TIME, "message": said, **other}


def assistant(message_id, *blocks, **other):
    said = {"role": "assistant", "id": message_id, "content": list(blocks)}
    return {"type": "assistant", "sessionId": "s1", "uuid": "u", "timestamp": _TIME, "message": said, **other}


def text(said):
    return {"type": "text", "text": said}


def call(call_id):
    return {"type": "tool_use", "id": call_id, "name": "Read", "input": {"file_path": "/a.py"}}


def result(call_id, content="1→x = 1"):
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}


def lines(*values):
    return b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values)


SESSION = lines(
    {"type": "summary", "summary": "Reading files", "leafUuid": "u"},
    user("Caveat: …", isMeta=True),
    user("read a.py und b.py 日本語", isSidechain=False),
    assistant("m1", {"type": "thinking", "thinking": "let me", "signature": "c2ln"}),
    assistant("m1", text("I look.")),
    assistant("m1", call("t1")),
    assistant("m1", call("t2")),
    {"type": "progress", "sessionId": "s1", "data": {}},
    user([result("t2", [text("a"), text("b")])]),
    user([result("t1")], toolUseResult={"type": "text"}),
    assistant("m2", text("Done.")),
    {"type": "system", "subtype": "compact_boundary", "sessionId": "s1", "content": "Conversation compacted"},
    user("This session is being continued …", isCompactSummary=True),
    assistant("m3", text("I go on."), call("t3")),
    user([result("t3"), text("[Request interrupted by user]")]),
)
MIXED = lines(
    user("main", isSidechain=False),
    user("task of an agent", isSidechain=True, agentId="a1"),
    assistant("m1", call("t1"), isSidechain=False),
    assistant("m9", text("agent's answer"), isSidechain=True, agentId="a1"),
    user([result("t1")], isSidechain=False),
    user("another", isSidechain=True),
)
AGENT = lines(
    user("task", isSidechain=True, agentId="a2"), assistant("m1", text("done"), isSidechain=True, agentId="a2")
)


def line(i, kind, *content):
    return {"type": kind, "uuid": str(i), "message": {"role": kind, "content": list(content)}}


class TestClaudeCode(FormatSuite):
    strategy = "claude-code"
    record_limit = 1_000_000
    holds = frozenset({"system", "errors", "images", "reasoning"})
    samples = (SESSION, MIXED, AGENT, SESSION.replace(b"\n", b"\r\n\n"))
    bad: ClassVar = {
        "no JSON": (b"hello", 1),
        "cut off in the third line": (SESSION[: SESSION.index(b"und b.py")], 3),
        "two values on a line": (SESSION + b"{} {}\n", 16),
        "a line that is a list": (SESSION + b"\n[]\n", 17),
        "a message that is text": (SESSION + lines({"type": "user", "message": "a"}), 16),
        "no message": (SESSION + lines({"type": "user"}), 16),
        "content that is a number": (SESSION + lines(user(5)), 16),
        "a block that is a number": (SESSION + lines(user([5])), 16),
        "a call without an id": (SESSION + lines(assistant("m", {"type": "tool_use", "name": "Read"})), 16),
        "a number too long": (b'\n\n{"type": ' + b"1" * 5000 + b"}", 3),
    }
    broken: ClassVar = {
        "type": [{"type": "robot", "uuid": "1"}],
        "no uuid": [{**line(1, "user", text("a")), "uuid": None}],
        "a uuid used twice": [line(1, "user", text("a")), line(1, "assistant", text("b"))],
        "empty content": [line(1, "user")],
        "no message": [{"type": "user", "uuid": "1"}],
        "a block without a type": [line(1, "user", {"text": "a"})],
        "a call without a result": [line(1, "user", text("a")), line(2, "assistant", call("t"))],
        "a result without a call": [line(1, "user", result("t"))],
        "a result before its call": [line(1, "user", result("t")), line(2, "assistant", call("t"))],
        "the user's call": [line(1, "user", call("t")), line(2, "user", result("t"))],
        "a result of the assistant": [line(1, "assistant", call("t")), line(2, "assistant", result("t"))],
    }

    @pytest.fixture
    def open_format(self, tmp_path):
        return partial(open_claude_code, ClaudeCodeSettings(max_record_bytes=self.record_limit), LoneHost(tmp_path))
