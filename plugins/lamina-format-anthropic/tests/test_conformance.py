import json
import re
from functools import partial
from typing import ClassVar

import pytest

from lamina.testing import FormatSuite, LoneHost
from lamina_format_anthropic import AnthropicSettings, open_anthropic


def user(*blocks):
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks):
    return {"role": "assistant", "content": list(blocks)}


def text(said):
    return {"type": "text", "text": said}


def call(call_id="toolu_1", **other):
    return {"type": "tool_use", "id": call_id, "name": "read", "input": {"path": "a.py"}, **other}


def result(call_id="toolu_1", content="x = 1\n"):
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}


THOUGHT = {"type": "thinking", "thinking": "let me see", "signature": "c2ln"}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "ports"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
TALK = [
    {"role": "user", "content": "Was steht in a.py? 日本語"},
    assistant(THOUGHT, text("I look."), call(), call("toolu_2")),
    user(result(), result("toolu_2", [text("a"), PICTURE]), text("and b.py?")),
    assistant({"type": "redacted_thinking", "data": "ZGF0YQ=="}, text("An assignment.")),
]
AGAIN = [*TALK, user(text("again")), *TALK[1:]]


def lines(*values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


class TestAnthropic(FormatSuite):
    strategy = "anthropic"
    record_limit = 1_000_000
    frame = re.compile(rb'([\s\[\]{},:]|"(id|one|conv_id|model|m|n|messages|system)"|\d)*')
    holds = frozenset({"system", "errors", "images", "reasoning"})
    samples = (
        json.dumps(TALK, indent=2, ensure_ascii=False).encode(),
        json.dumps({"model": "m", "system": "Be brief.", "messages": AGAIN, "n": 1}, indent=1).encode(),
        json.dumps({"system": [text("Be brief.")], "messages": AGAIN}).encode(),
        lines({"id": "one", "system": "s", "messages": TALK}, {"conv_id": 2, "system": "s", "messages": AGAIN}),
        lines(*AGAIN).replace(b"\n", b"\r\n"),
    )
    bad: ClassVar = {
        "no JSON": (b"hello", 1),
        "cut off in the fourth line": (lines(*TALK)[:-60], 4),
        "unknown role": (lines(TALK[0], {"role": "robot", "content": "b"}), 2),
        "no role": (lines(TALK[0], {"content": "b"}), 2),
        "a message that is text": (b'{"messages": [\n"hello"]}', 2),
        "a system that is a number": (b'{"messages": [],\n"system": 5}', 2),
        "content that is a number": (lines(TALK[0], {"role": "user", "content": 5}), 2),
        "a block that is a number": (lines(TALK[0], user(5)), 2),
        "a text block without text": (lines(TALK[0], user({"type": "text"})), 2),
        "a call without a name": (lines(TALK[0], assistant({"type": "tool_use", "id": "a"})), 2),
        "a result of the assistant": (lines(*TALK[:2], assistant(result())), 3),
        "a call of the user": (lines(user(call())), 1),
    }
    broken: ClassVar = {
        "no message but the system's": [{"role": "system", "content": "a"}],
        "role": [{"role": "tool", "content": "a"}],
        "system later": [TALK[0], assistant(text("a")), {"role": "system", "content": "b"}],
        "a picture in the system": [{"role": "system", "content": [PICTURE]}, TALK[0]],
        "first speaker": [assistant(text("a"))],
        "alternation": [TALK[0], TALK[0]],
        "empty content": [user()],
        "blank text": [user(text(" \n"))],
        "blank content": [{"role": "user", "content": ""}],
        "content of another kind": [{"role": "user", "content": 5}],
        "a block without a type": [user({"text": "a"})],
        "a call without a result": [TALK[0], assistant(call()), user(text("b"))],
        "a last call without a result": [TALK[0], assistant(call())],
        "a result without a call": [user(result())],
        "a result behind text": [TALK[0], assistant(call()), user(text("a"), result())],
        "a late result": [TALK[0], assistant(call()), user(text("a")), assistant(text("b")), user(result())],
        "a second result": [TALK[0], assistant(call()), user(result(), result())],
        "a result of the assistant": [TALK[0], assistant(call()), assistant(result())],
        "an id used twice": [TALK[0], assistant(call(), call()), user(result())],
        "an id of other letters": [TALK[0], assistant(call("a.b")), user(result("a.b"))],
        "an input that is no object": [TALK[0], assistant(call(input="{}")), user(result())],
        "an id used again later": [TALK[0], assistant(call()), user(result()), assistant(call()), user(result())],
        "a name of other letters": [TALK[0], assistant(call(name="a.b")), user(result())],
        "a name too long": [TALK[0], assistant(call(name="a" * 129)), user(result())],
        "the user's call": [user(call()), assistant(text("a"))],
        "reasoning without a signature": [TALK[0], assistant({"type": "thinking", "thinking": "a"}, text("b"))],
        "the user's reasoning": [user(THOUGHT, text("a"))],
        "reasoning at the end": [TALK[0], assistant(THOUGHT)],
        "reasoning behind text": [TALK[0], assistant(text("a"), THOUGHT, text("b"))],
        "an error without a text": [TALK[0], assistant(call()), user({**result(content=""), "is_error": True})],
        "an error with a picture": [TALK[0], assistant(call()), user({**result(content=[PICTURE]), "is_error": True})],
        "a blank text in a result": [TALK[0], assistant(call()), user(result(content=[text(" ")]))],
        "a call in a result": [TALK[0], assistant(call()), user(result(content=[call("b")]))],
        "a kind of image": [user({"type": "image", "source": {**PICTURE["source"], "media_type": "image/jpg"}})],
        "an image that is none": [user({"type": "image", "source": {**PICTURE["source"], "data": "a"}})],
        "an image without a byte": [user({"type": "image", "source": {**PICTURE["source"], "data": ""}})],
        "a large image": [user({"type": "image", "source": {**PICTURE["source"], "data": "aGk=" * 2**21}})],
        "too many images": [user(*[PICTURE] * 101)],
        "a link without https": [user({"type": "image", "source": {"type": "url", "url": "http://example.org/a.png"}})],
        "the assistant's picture": [TALK[0], assistant(PICTURE)],
        "a search without its result": [TALK[0], assistant(SEARCH, text("a")), TALK[0]],
        "found without a search": [TALK[0], assistant(FOUND, text("a"))],
        "five marks": [user(*(text("a") | {"cache_control": {"type": "ephemeral"}} for _ in range(5)))],
        "another member": [{**TALK[0], "name": "a"}],
        "half a surrogate pair": [user(text("a\ud83d"))],
        "white space at the end": [TALK[0], assistant(text("a\n"))],
    }

    @pytest.fixture
    def open_format(self, tmp_path):
        return partial(open_anthropic, AnthropicSettings(max_record_bytes=self.record_limit), LoneHost(tmp_path))
