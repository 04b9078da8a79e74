import json
import re
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from lamina.testing import FormatSuite, LoneHost
from lamina_format_opencode import OpencodeSettings, open_opencode

SAMPLES = Path(__file__).parent / "samples"
TIME = {"start": 1, "end": 2}
DONE = {"status": "completed", "input": {}, "output": "x = 1", "title": "a.py", "metadata": {}, "time": TIME}


def message(role, number, *parts, **members):
    own = f"msg_{number:012x}"
    ids = {"sessionID": "ses_1", "messageID": own}
    info = {"id": own, "sessionID": "ses_1", "role": role, "time": {"created": number}}
    info |= {"parentID": "msg_"} if role == "assistant" else {}
    return {
        "info": info | members,
        "parts": [{"id": f"prt_{number}_{k}", **ids, **part} for k, part in enumerate(parts)],
    }


def text(said):
    return {"type": "text", "text": said}


def tool(call_id="c1", **state):
    return {"type": "tool", "callID": call_id, "tool": "read", "state": {**DONE, **state}}


ASK = message("user", 1, text("a"))
TALK = [ASK, message("assistant", 2, tool()), message("assistant", 3, text("An assignment."))]
AGAIN = [*TALK, message("user", 4, text("again")), message("assistant", 5, text("b"), tool("c2"))]


def lines(*values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def without(held, *names):
    return {key: value for key, value in held.items() if key not in names}


class TestOpencode(FormatSuite):
    strategy = "opencode"
    record_limit = 1_000_000
    frame = re.compile(rb'[\s\[\]{},:]*|\{\s*"info": \{"?[^{}]*("time": \{[^{}]*\})?[^{}]*\},\s*"messages": \[\s*')
    holds = frozenset({"system", "errors", "images", "reasoning"})
    samples = (
        *(path.read_bytes() for path in sorted(SAMPLES.iterdir())),
        json.dumps(AGAIN, indent=2).encode(),
        lines(*AGAIN).replace(b"\n", b"\r\n"),
    )
    bad: ClassVar = {
        "no JSON": (b"hello", 1),
        "a number": (b"17", 1),
        "cut off in the second line": (lines(*TALK[:2])[:-20], 2),
        "no info": (lines(ASK, {"parts": []}), 2),
        "unknown role": (lines(ASK, message("robot", 2)), 2),
        "no parts": (lines(ASK, without(message("user", 2), "parts")), 2),
        "a part that is text": (lines(ASK, {**message("user", 2), "parts": ["a"]}), 2),
        "a part without a type": (lines(message("user", 1, {})), 1),
        "a text without text": (lines(ASK, message("user", 2, {"type": "text"})), 2),
        "a file without a link": (lines(message("user", 1, {"type": "file", "mime": "image/png"})), 1),
        "a call without a state": (lines(ASK, message("assistant", 2, without(tool(), "state"))), 2),
        "a call that gave nothing": (lines(ASK, message("assistant", 2, tool(output=None))), 2),
        "a message that is text": (b'{"messages": [\n"hello"]}', 2),
    }
    broken: ClassVar = {
        "no info": [{"parts": []}],
        "no parts": [without(ASK, "parts")],
        "role": [message("robot", 1)],
        "an id that is a number": [message("user", 1, id=5)],
        "an id before the last": [message("user", 2, text("a")), message("user", 1, text("a"))],
        "no session": [message("user", 1, sessionID=None)],
        "no time": [message("user", 1, time=None)],
        "no question": [message("assistant", 1, text("a"), parentID=None)],
        "a part that is text": [{**ASK, "parts": ["a"]}],
        "a part without an id": [message("user", 1, {**text("a"), "id": None})],
        "a part twice": [{**ASK, "parts": ASK["parts"] * 2}],
        "a part of another message": [message("user", 1, {**text("a"), "messageID": "msg_2"})],
        "the user's call": [message("user", 1, tool())],
        "the model's subtask": [message("assistant", 1, {"type": "subtask"})],
        "a text without text": [message("user", 1, {"type": "text"})],
        "a file without a link": [message("user", 1, {"type": "file", "mime": "image/png"})],
        "a call without a name": [message("assistant", 1, {**tool(), "tool": 5})],
        "a call without a state": [message("assistant", 1, without(tool(), "state"))],
        "another status": [message("assistant", 1, tool(status="lost"))],
        "a call that runs": [message("assistant", 1, tool(status="running"))],
        "input that is text": [message("assistant", 1, tool(input="{}"))],
        "no output": [message("assistant", 1, tool(output=None))],
        "an error without a text": [message("assistant", 1, tool(status="error"))],
        "a call twice": [message("assistant", 1, tool(), tool())],
    }

    @pytest.fixture
    def open_format(self, tmp_path):
        return partial(open_opencode, OpencodeSettings(max_record_bytes=self.record_limit), LoneHost(tmp_path))
