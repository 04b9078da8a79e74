import json
import re
from functools import partial
from typing import ClassVar

import pytest

from lamina.testing import FormatSuite, LoneHost
from lamina_format_responses import ResponsesSettings, open_responses


def message(role, content, **members):
    return {"type": "message", "role": role, "content": content, **members}


def said(text, number=1):
    part = {"type": "output_text", "text": text, "annotations": []}
    return message("assistant", [part], id=f"msg_{number}", status="completed")


def call(id="call_1", number=1, **members):
    made = {
        "type": "function_call",
        "call_id": id,
        "name": "read",
        "arguments": '{"path": "a.py"}',
        "id": f"fc_{number}",
    }
    return made | members


def output(id="call_1", said="x = 1\n", **members):
    return {"type": "function_call_output", "call_id": id, "output": said, **members}


def thought(number=1, **members):
    return {"type": "reasoning", "id": f"rs_{number}", "summary": [], "encrypted_content": "gAAA", **members}


PICTURE = {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"}
ASKED = [
    message("developer", "Be brief."),
    message("user", [{"type": "input_text", "text": "Was steht in a.py? 日本語"}]),
]
TALK = [*ASKED, thought(), call(), output(), said("An assignment.")]
AGAIN = [
    *TALK,
    {"role": "user", "content": "again"},
    thought(2),
    call("call_2", 2),
    call("call_3", 3),
    output("call_3"),
    output("call_2"),
    said("Still.", 2),
]


def lines(*values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def user(content):
    return message("user", content)


class TestResponses(FormatSuite):
    strategy = "responses"
    record_limit = 1_000_000
    frame = re.compile(
        rb'([\s\[\]{},:]|null|"(id|one|conversation_id|object|response|model|m|instructions|input|output|items)"|\d)*'
    )
    holds = frozenset({"system", "images"})
    samples = (
        json.dumps(TALK, indent=2, ensure_ascii=False).encode(),
        json.dumps({"model": "m", "instructions": "Be kind.", "input": AGAIN}, indent=1).encode(),
        json.dumps(
            {"id": "one", "object": "response", "instructions": None, "output": [thought(), said("a")]}
        ).encode(),
        lines({"id": "one", "input": TALK}, {"conversation_id": 2, "items": AGAIN}),
        lines(*AGAIN).replace(b"\n", b"\r\n"),
    )
    bad: ClassVar = {
        "no JSON": (b"hello", 1),
        "a number": (b"17", 1),
        "cut off in the fourth line": (lines(*TALK[:4])[:-9], 4),
        "a trailing comma": (b'[\n{"role": "user", "content": "a"},\n]', 3),
        "unknown role": (lines(user("a"), {"role": "robot", "content": "b"}), 2),
        "neither type nor role": (lines(user("a"), {"content": "b"}), 2),
        "an item that is a number": (b'{"input": [\n17]}', 2),
        "content that is a number": (lines(user("a"), user(5)), 2),
        "a part that is a number": (lines(user("a"), user([5])), 2),
        "an output without an id": (lines(*TALK[:4], {"type": "function_call_output", "output": "x"}), 5),
        "a call without a name": (lines(user("a"), {"type": "function_call", "call_id": "c"}), 2),
        "an id that is a number": (lines(user("a"), call(7)), 2),
        "a number too long": (b'\n\n{"role": "user", "content": ' + b"1" * 5000 + b"}", 3),
    }
    broken: ClassVar = {
        "role": [user("a"), message("robot", "b")],
        "a message of a tool": [user("a"), message("tool", "b")],
        "no content": [message("user", None)],
        "an empty list": [user([])],
        "a part without a type": [user([{"text": "a"}])],
        "content of another kind": [user(5)],
        "no item": [{"text": "a"}],
        "the assistant's input": [message("assistant", [{"type": "input_text", "text": "a"}])],
        "the user's output": [user([{"type": "output_text", "text": "a"}])],
        "the assistant's picture": [message("assistant", [PICTURE])],
        "a call without an output": [user("a"), call()],
        "an output without a call": [user("a"), output()],
        "an output before its call": [user("a"), output(), call()],
        "a second output": [user("a"), call(), output(), output()],
        "an output of another kind": [user("a"), call(), output(type="custom_tool_call_output")],
        "an id of a call used twice": [user("a"), call(), output(), call(number=2), output()],
        "an id of a call too long": [user("a"), call("c" * 65), output("c" * 65)],
        "an empty id of a call": [user("a"), call(""), output("")],
        "a name of other letters": [user("a"), call(name="a.b"), output()],
        "a name too long": [user("a"), call(name="a" * 129), output()],
        "arguments that are no JSON": [user("a"), call(arguments='{"a": '), output()],
        "arguments that JSON has not": [user("a"), call(arguments='{"a": NaN}'), output()],
        "arguments that are no text": [user("a"), call(arguments={}), output()],
        "an id of another type": [user("a"), call(id="call_1", number=1) | {"id": "call_1"}, output()],
        "an id of other letters": [user("a"), said("b") | {"id": "msg_1."}],
        "two items of one id": [user("a"), said("b"), said("c")],
        "reasoning at the end": [user("a"), thought()],
        "reasoning before the user": [user("a"), thought(), user("b")],
        "reasoning before an output": [user("a"), call(), thought(), output()],
        "reasoning without summaries": [user("a"), thought(summary=None), said("b")],
        "a picture of another kind": [user([PICTURE | {"image_url": "data:image/tiff;base64,aGk="}])],
        "a picture that is none": [user([PICTURE | {"image_url": "data:image/png;base64,a"}])],
        "a picture of a file": [user([PICTURE | {"image_url": "file:///a.png"}])],
        "a picture too large": [user([PICTURE | {"image_url": "data:image/png;base64," + "A" * (21 * 2**20)}])],
        "a file without data": [user([{"type": "input_file", "filename": "a.pdf"}])],
        "a client's own member": [user("a"), call(parsed_arguments={}), output()],
        "the output of no program": [user("a"), {"type": "program_output", "id": "p", "call_id": "p", "result": ""}],
        "compaction not last": [{"type": "compaction_trigger"}, user("a")],
        "a screen that is text": [user("a"), {"type": "computer_call", "call_id": "c", "action": {"type": "wait"}}, {"type": "computer_call_output", "call_id": "c", "output": "a"}],
        "a shell without commands": [user("a"), {"type": "shell_call", "call_id": "c", "action": {}}, {"type": "shell_call_output", "call_id": "c", "output": []}],
        "half a surrogate pair": [user("a\ud83d")],
    }  # fmt: skip

    @pytest.fixture
    def open_format(self, tmp_path):
        return partial(open_responses, ResponsesSettings(max_record_bytes=self.record_limit), LoneHost(tmp_path))
