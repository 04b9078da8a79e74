import json
import re
from functools import partial
from typing import ClassVar

import pytest

from lamina.testing import FormatSuite, LoneHost
from lamina_format_openai import OpenAISettings, open_openai

CALL = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a.py"}'}}
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Was steht in a.py? 日本語"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "x = 1\n"},
    {"role": "assistant", "content": "An assignment."},
]
AGAIN = [*TALK, {"role": "user", "content": "again"}, *TALK[2:]]


def lines(*values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def calling(**function):
    call = {**CALL, "function": {**CALL["function"], **function}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


PICTURE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


def user(content):
    return {"role": "user", "content": content}


class TestOpenAI(FormatSuite):
    strategy = "openai"
    record_limit = 1_000_000
    frame = re.compile(rb'([\s\[\]{},:]|"(id|one|conv_id|model|m|n|messages)"|\d)*')
    holds = frozenset({"system", "images"})
    samples = (
        json.dumps(TALK, indent=2, ensure_ascii=False).encode(),
        json.dumps({"model": "m", "messages": AGAIN, "n": 1}, indent=1).encode(),
        lines({"id": "one", "messages": TALK}, {"conv_id": 2, "messages": AGAIN}),
        lines(*AGAIN).replace(b"\n", b"\r\n"),
    )
    bad: ClassVar = {
        "no JSON": (b"hello", 1),
        "a number": (b"17", 1),
        "cut off in the fourth line": (lines(*TALK[:4])[:-9], 4),
        "a trailing comma": (b'[\n{"role": "user", "content": "a"},\n]', 3),
        "unknown role": (lines(user("a"), {"role": "robot", "content": "b"}), 2),
        "no role": (lines(user("a"), {"content": "b"}), 2),
        "a message that is text": (b'{"messages": [\n"hello"]}', 2),
        "content that is a number": (lines(user("a"), user(5)), 2),
        "a part that is a number": (lines(user("a"), user([5])), 2),
        "a result without an id": (lines(*TALK[:3], {"role": "tool", "content": "x"}), 4),
        "a call without a function": (lines(user("a"), {"role": "assistant", "tool_calls": [{"id": "c"}]}), 2),
        "calls that are no list": (lines(user("a"), {"role": "assistant", "tool_calls": 5}), 2),
        "a number too long": (b'\n\n{"role": "user", "content": ' + b"1" * 5000 + b"}", 3),
    }
    broken: ClassVar = {
        "role": [user("a"), {"role": "robot", "content": "b"}],
        "empty content": [user(None)],
        "an empty list": [user([])],
        "a part without a type": [user([{"text": "a"}])],
        "content of another kind": [user(5)],
        "an assistant who says nothing": [user("a"), {"role": "assistant", "content": None}],
        "a call without a result": [TALK[1], TALK[2], user("b")],
        "a last call without a result": TALK[1:3],
        "a result without a call": [TALK[1], TALK[3]],
        "a result behind another message": [TALK[1], TALK[2], user("b"), TALK[3]],
        "a second result": [*TALK[1:4], TALK[3]],
        "a result without an id": [*TALK[1:3], {"role": "tool", "content": "x"}],
        "an id used twice": [user("a"), {**TALK[2], "tool_calls": [CALL, CALL]}, TALK[3]],
        "no calls in the list": [user("a"), {"role": "assistant", "content": "b", "tool_calls": []}],
        "the user's call": [{**TALK[2], "role": "user", "content": "a"}],
        "an id too long": [
            TALK[1],
            {**TALK[2], "tool_calls": [CALL | {"id": "c" * 41}]},
            TALK[3] | {"tool_call_id": "c" * 41},
        ],
        "a name of other letters": [TALK[1], calling(name="a.b"), TALK[3]],
        "a name too long": [TALK[1], calling(name="a" * 65), TALK[3]],
        "arguments that are no JSON": [TALK[1], calling(arguments='{"a": '), TALK[3]],
        "arguments that JSON has not": [TALK[1], calling(arguments='{"a": NaN}'), TALK[3]],
        "the assistant's picture": [TALK[1], {"role": "assistant", "content": [PICTURE]}],
        "a picture in a result": [*TALK[1:3], TALK[3] | {"content": [PICTURE]}],
        "a picture in the system": [{"role": "system", "content": [PICTURE]}, TALK[1]],
        "a refusal of the user": [user([{"type": "refusal", "refusal": "a"}])],
        "a link that is none": [user([PICTURE | {"image_url": {"url": "file:///a.png"}}])],
        "a speaker of two words": [user("a") | {"name": "a b"}],
        "half a surrogate pair": [user("a\ud83d")],
        "arguments that are no text": [
            user("a"),
            {**TALK[2], "tool_calls": [{**CALL, "function": {"name": "read", "arguments": {}}}]},
            TALK[3],
        ],
    }

    @pytest.fixture
    def open_format(self, tmp_path):
        return partial(open_openai, OpenAISettings(max_record_bytes=self.record_limit), LoneHost(tmp_path))
