import json
import re
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from lamina.testing import FormatSuite, LoneHost
from lamina_format_langchain import LangChainSettings, open_langchain

SAMPLES = Path(__file__).parent / "samples"
CALL = {"name": "read", "args": {"path": "a.py"}, "id": "c1", "type": "tool_call"}


def human(content, **data):
    return {"type": "human", "data": {"content": content, **data}}


def ai(content="", *calls, **data):
    return {"type": "ai", "data": {"content": content, "tool_calls": list(calls), **data}}


def tool(content="x = 1", **data):
    return {"type": "tool", "data": {"content": content, "tool_call_id": "c1", **data}}


ASK = human("a")
TALK = [ASK, ai("", CALL), tool(), ai("An assignment.")]
AGAIN = [*TALK, human("again"), *TALK[1:]]


def lines(*values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


class TestLangChain(FormatSuite):
    strategy = "langchain"
    record_limit = 1_000_000
    frame = re.compile(rb'([\s\[\]{},:]|"(id|conv_id|thread_id|one|t-1|messages)"|\d)*')
    holds = frozenset({"system", "errors", "images"})
    samples = (
        *(path.read_bytes() for path in sorted(SAMPLES.iterdir())),
        json.dumps(AGAIN, indent=2).encode(),
        lines({"id": "one", "messages": TALK}, {"conv_id": 2, "messages": AGAIN}),
        lines(*AGAIN).replace(b"\n", b"\r\n"),
        lines([AGAIN]),
    )
    bad: ClassVar = {
        "no JSON": (b"hello", 1),
        "a number": (b"17", 1),
        "cut off in the fourth line": (lines(*TALK)[:-20], 4),
        "unknown type": (lines(ASK, {"type": "robot", "content": "b"}), 2),
        "another class": (lines(ASK, {"lc": 1, "type": "constructor", "id": ["langchain", "OpenAI"], "kwargs": {}}), 2),
        "no content": (lines(ASK, {"type": "human"}), 2),
        "a message that is text": (b'{"messages": [\n"hello"]}', 2),
        "content that is a number": (lines(human(5)), 1),
        "a block that is a number": (lines(ASK, human([5])), 2),
        "calls that are no list": (lines(ASK, ai("", tool_calls=5)), 2),
        "a call without a name": (lines(ASK, ai("", {"args": {}})), 2),
        "a result without an id": (lines(ASK, {"type": "tool", "data": {"content": "x"}}), 2),
        "the user's call": (lines(human([{"type": "tool_use", "id": "a", "name": "b", "input": {}}])), 1),
    }
    broken: ClassVar = {
        "type": [{"type": "robot", "data": {"content": "a"}}],
        "no data": [{"type": "human", "content": "a"}],
        "another type inside": [human("a", type="ai")],
        "no content": [{"type": "human", "data": {}}],
        "content of another kind": [human(5)],
        "a block that is a number": [human([5])],
        "a text without text": [human([{"type": "text"}])],
        "metadata that are text": [human("a", response_metadata="m")],
        "arguments beside that are a list": [human("a", additional_kwargs=[])],
        "a name that is a number": [human("a", name=5)],
        "an id that is an object": [human("a", id={})],
        "a speaker without a role": [{"type": "chat", "data": {"content": "a"}}],
        "a result without an id": [ASK, ai("", CALL), {"type": "tool", "data": {"content": "x"}}],
        "another status": [ASK, ai("", CALL), tool(status="failed")],
        "usage in words": [ASK, ai("a", usage_metadata={"input_tokens": "many"})],
        "calls that are no list": [ASK, ai("a", tool_calls={})],
        "a call without a name": [ASK, ai("", {"args": {}, "id": "c1"}), tool()],
        "a call without an id": [ASK, ai("", CALL | {"id": None}), tool()],
        "arguments that are text": [ASK, ai("", CALL | {"args": "{}"}), tool()],
        "invalid arguments that are an object": [ASK, ai("", invalid_tool_calls=[CALL]), tool()],
        "an id used twice": [ASK, ai("", CALL, CALL), tool()],
        "a call without a result": [ASK, ai("", CALL), ASK],
        "a last call without a result": [ASK, ai("", CALL)],
        "a result without a call": [ASK, tool()],
        "a late result": [ASK, ai("", CALL), ASK, tool()],
        "a second result": [ASK, ai("", CALL), tool(), tool()],
        "half a surrogate pair": [human("a\ud83d")],
    }

    @pytest.fixture
    def open_format(self, tmp_path):
        return partial(open_langchain, LangChainSettings(max_record_bytes=self.record_limit), LoneHost(tmp_path))
