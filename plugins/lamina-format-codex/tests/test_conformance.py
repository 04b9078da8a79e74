import json
from functools import partial
from typing import ClassVar

import pytest

from lamina.testing import FormatSuite, LoneHost
from lamina_format_codex import CodexSettings, open_codex

AT = "2026-01-02T03:04:05.000Z"


def line(kind, /, **payload):
    return {"timestamp": AT, "type": kind, "payload": payload}


def item(kind, /, **members):
    return line("response_item", type=kind, **members)


def event(kind, /, **members):
    return line("event_msg", type=kind, **members)


def user(text):
    return item("message", role="user", content=[{"type": "input_text", "text": text}])


def said(text):
    return item("message", role="assistant", content=[{"type": "output_text", "text": text}])


def call(id, /, **members):
    return item("function_call", name="shell", arguments='{"command": ["ls"]}', call_id=id, **members)


def output(id, text="a.py"):
    return item("function_call_output", call_id=id, output=text)


HEAD = line("session_meta", id="0199-aa", cwd="/w", originator="codex_cli_rs", cli_version="0.60.0")
THOUGHT = item("reasoning", summary=[{"type": "summary_text", "text": "hm"}], content=None, encrypted_content="gAAA")
TALK = [
    HEAD,
    item("message", role="developer", content=[{"type": "input_text", "text": "<permissions instructions>\nnone\n</permissions instructions>"}]),
    user("# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\nUse tabs.\n</INSTRUCTIONS>"),
    user("<environment_context>\n  <cwd>/w</cwd>\n</environment_context>"),
    user("Was steht in a.py? 日本語"),
    event("user_message", message="Was steht in a.py? 日本語", kind="plain"),
    line("turn_context", cwd="/w", model="m"),
    event("agent_reasoning", text="hm"),
    THOUGHT,
    call("c1", id="fc_1"),
    event("token_count", info=None),
    output("c1"),
    said("An assignment."),
    event("agent_message", message="An assignment."),
    line("compacted", message="They spoke of a.py.", replacement_history=[{"type": "message", "role": "user", "content": []}]),
    event("context_compacted"),
    user("again"),
    item("custom_tool_call", name="apply_patch", input="*** Begin Patch", call_id="c2", status="completed"),
    item("custom_tool_call_output", call_id="c2", output="Done"),
    item("web_search_call", status="completed", action={"type": "search", "query": "walrus"}),
    said("Done."),
]  # fmt: skip
EARLY = [
    {"id": "0188-bb", "timestamp": AT, "instructions": None, "git": {"branch": "main"}},
    {"record_type": "state"},
    *(made["payload"] for made in TALK if made["type"] == "response_item"),
]


def lines(*values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


class TestCodex(FormatSuite):
    strategy = "codex"
    record_limit = 1_000_000
    holds = frozenset({"system", "images"})
    samples = (
        lines(*TALK),
        "".join(json.dumps(made, ensure_ascii=False, separators=(", ", " : ")) + "\r\n" for made in TALK[:14]).encode(),
        lines(*EARLY),
    )
    bad: ClassVar = {
        "no JSON": (b"hello", 1),
        "a number": (b"17", 1),
        "cut off in the third line": (lines(*TALK[:3])[:-9], 3),
        "two objects on a line": (b'{"type": "compacted", "payload": {}}{}\n', 1),
        "an array": (lines(HEAD) + b"[]", 2),
        "nothing": (lines(HEAD) + b"null", 2),
        "an unknown role": (lines(HEAD, item("message", role="robot", content=[])), 2),
        "content that is a number": (lines(HEAD, item("message", role="user", content=5)), 2),
        "a part that is a number": (lines(HEAD, item("message", role="user", content=[5])), 2),
        "an output without an id": (lines(HEAD, item("function_call_output", output="x")), 2),
        "a call without a name": (lines(HEAD, item("function_call", call_id="c")), 2),
        "a number too long": (b'\n\n{"type": "x", "payload": {"n": ' + b"1" * 5000 + b"}}", 3),
    }
    broken: ClassVar = {
        "no type": [{"payload": {}}],
        "no payload": [{"type": "response_item"}],
        "an item without a type": [line("response_item", role="user")],
        "a message without content": [item("message", role="user")],
        "a call without an id": [item("function_call", name="a", arguments="{}")],
        "a call without an output": [user("a"), call("c1")],
        "an output without a call": [user("a"), output("c1")],
        "a second output": [user("a"), call("c1"), output("c1"), output("c1")],
    }

    @pytest.fixture
    def open_format(self, tmp_path):
        return partial(open_codex, CodexSettings(max_record_bytes=self.record_limit), LoneHost(tmp_path))
