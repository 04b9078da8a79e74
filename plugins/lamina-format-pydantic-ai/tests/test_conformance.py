import json
import re
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from lamina.testing import FormatSuite, LoneHost
from lamina_format_pydantic_ai import PydanticAISettings, open_pydantic_ai

SAMPLES = Path(__file__).parent / "samples"


def request(*parts, **members):
    return {"kind": "request", "parts": list(parts), **members}


def response(*parts, **members):
    return {"kind": "response", "parts": list(parts), **members}


def asked(content="a"):
    return {"part_kind": "user-prompt", "content": content}


def text(content="b"):
    return {"part_kind": "text", "content": content}


def call(**members):
    return {"part_kind": "tool-call", "tool_name": "read", "args": {"path": "a.py"}, "tool_call_id": "c1", **members}


def result(**members):
    return {"part_kind": "tool-return", "tool_name": "read", "content": "x = 1", "tool_call_id": "c1", **members}


ASK = request(asked())
TALK = [ASK, response(call()), request(result()), response(text())]
AGAIN = [*TALK, request(asked("again")), *TALK[1:]]


def lines(*values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


class TestPydanticAI(FormatSuite):
    strategy = "pydantic-ai"
    record_limit = 1_000_000
    frame = re.compile(rb'([\s\[\]{},:]|"(id|conv_id|conversation_id|one|k-1|messages)"|\d)*')
    holds = frozenset({"system", "errors", "images"})
    samples = (
        *(path.read_bytes() for path in sorted(SAMPLES.iterdir())),
        json.dumps(AGAIN, indent=2).encode(),
        lines({"id": "one", "messages": TALK}, {"conv_id": 2, "messages": AGAIN}),
        lines(*AGAIN).replace(b"\n", b"\r\n"),
    )
    bad: ClassVar = {
        "no JSON": (b"hello", 1),
        "a number": (b"17", 1),
        "cut off in the fourth line": (lines(*TALK)[:-20], 4),
        "unknown kind": (lines(ASK, {"kind": "robot", "parts": []}), 2),
        "no parts": (lines(ASK, {"kind": "request"}), 2),
        "a part that is text": (lines(ASK, request("a")), 2),
        "a message that is text": (b'{"messages": [\n"hello"]}', 2),
        "a part without a kind": (lines(ASK, response({"content": "a"})), 2),
        "a part of a request without a kind": (lines(request({"content": "a"})), 1),
        "a prompt that is a number": (lines(ASK, request(asked(5))), 2),
        "a prompt that holds a number": (lines(ASK, request(asked([5]))), 2),
        "a text without text": (lines(ASK, response({"part_kind": "text"})), 2),
        "a call without a name": (lines(ASK, response({"part_kind": "tool-call"})), 2),
        "a result without a name": (lines(request({"part_kind": "tool-return", "content": "a"})), 1),
        "what the system says is a number": (lines(request({"part_kind": "system-prompt", "content": 5})), 1),
    }
    broken: ClassVar = {
        "first speaker": [response(text())],
        "kind": [{"kind": "robot", "parts": []}],
        "no parts": [{"kind": "request"}],
        "a part that is text": [request("a")],
        "a part without a kind": [request({"content": "a"})],
        "a prompt of the model": [ASK, response(asked())],
        "a text of a request": [request(text())],
        "a call of a request": [request(call())],
        "a result of the model": [ASK, response(call()), response(result())],
        "instructions that are no text": [request(asked(), instructions=5)],
        "a text without text": [ASK, response({"part_kind": "text"})],
        "what the system says is a list": [request({"part_kind": "system-prompt", "content": []})],
        "a prompt that is a number": [request(asked(5))],
        "a prompt that holds a number": [request(asked([5]))],
        "an unknown kind of item": [request(asked([{"kind": "robot"}]))],
        "a link without a url": [request(asked([{"kind": "image-url"}]))],
        "data without a kind": [request(asked([{"kind": "binary", "data": "aGk="}]))],
        "data that are none": [request(asked([{"kind": "binary", "data": "?", "media_type": "image/png"}]))],
        "a text item without text": [request(asked([{"kind": "text-content"}]))],
        "a file that is a link": [ASK, response({"part_kind": "file", "content": {"kind": "image-url", "url": "a"}})],
        "arguments that are a list": [ASK, response(call(args=[])), request(result())],
        "a name that is a number": [ASK, response(call(tool_name=5)), request(result())],
        "no id": [ASK, response(call(tool_call_id=None)), request(result(tool_call_id=None))],
        "a result without content": [
            ASK,
            response(call()),
            request({"part_kind": "tool-return", "tool_name": "read", "tool_call_id": "c1"}),
        ],
        "a retry that is a number": [request({"part_kind": "retry-feedback", "content": 5})],
        "an id used twice": [ASK, response(call(), call()), request(result())],
        "a call without a result": [ASK, response(call()), response(text())],
        "a last call without a result": [ASK, response(call())],
        "a result without a call": [request(result())],
        "a late result": [ASK, response(call()), ASK, response(text()), request(result())],
        "a second result": [ASK, response(call()), request(result(), result())],
        "half a surrogate pair": [request(asked("a\ud83d"))],
    }

    @pytest.fixture
    def open_format(self, tmp_path):
        return partial(open_pydantic_ai, PydanticAISettings(max_record_bytes=self.record_limit), LoneHost(tmp_path))
