import json
import re
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from lamina.testing import FormatSuite, LoneHost
from lamina_format_gemini import GeminiSettings, open_gemini

SAMPLES = Path(__file__).parent / "samples"
READ = {"functionCall": {"id": "c1", "name": "read", "args": {"path": "a.py"}}}
GAVE = {"functionResponse": {"id": "c1", "name": "read", "response": {"output": "x = 1"}}}
PICTURE = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}


def user(*parts):
    return {"role": "user", "parts": list(parts)}


def model(*parts):
    return {"role": "model", "parts": list(parts)}


def text(said):
    return {"text": said}


def calling(**members):
    return model({"functionCall": {**READ["functionCall"], **members}})


def giving(**members):
    return user({"functionResponse": {**GAVE["functionResponse"], **members}})


ASK = user(text("a"))
TALK = [ASK, model(READ), user(GAVE), model(text("An assignment."))]
AGAIN = [*TALK, user(text("again")), *TALK[1:]]


def lines(*values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


class TestGemini(FormatSuite):
    strategy = "gemini"
    record_limit = 1_000_000
    frame = re.compile(
        rb'([\s\[\]{},:]|"(id|conv_id|one|sessionId|projectHash|startTime|lastUpdated|systemInstruction|system_instruction|contents|messages'
        rb'|history|generationConfig|temperature|5f1c|9a|[\d-]+T[\d:.]+Z)"|\d)*'
    )
    holds = frozenset({"system", "errors", "images"})
    samples = (
        *(path.read_bytes() for path in sorted(SAMPLES.iterdir())),
        json.dumps(AGAIN, indent=2).encode(),
        lines({"id": "one", "system_instruction": "s", "contents": TALK}, {"conv_id": 2, "contents": AGAIN}),
        lines(*AGAIN).replace(b"\n", b"\r\n"),
        json.dumps({"history": AGAIN}, indent=1).encode(),
    )
    bad: ClassVar = {
        "no JSON": (b"hello", 1),
        "cut off in the fourth line": (lines(*TALK)[:-20], 4),
        "unknown role": (lines(ASK, {"role": "robot", "parts": []}), 2),
        "no parts": (lines(ASK, {"role": "user"}), 2),
        "parts that are a number": (lines(ASK, {"role": "user", "parts": 5}), 2),
        "a part that is a number": (lines(ASK, user(5)), 2),
        "a content that is text": (b'{"contents": [\n"hello"]}', 2),
        "a text that is a number": (lines(ASK, user({"text": 5})), 2),
        "a call without a name": (lines(ASK, model({"functionCall": {"args": {}}})), 2),
        "the user's call": (lines(user(READ)), 1),
        "the model's response": (lines(ASK, model(READ), model(GAVE)), 3),
        "a response that is text": (lines(ASK, model(READ), giving(response="x")), 3),
        "data without a kind": (lines(user({"inlineData": {"data": "aGk="}})), 1),
        "a file without a link": (lines(user({"fileData": {}})), 1),
        "an unknown message of a chat": (
            lines({"sessionId": "a", "projectHash": "b"}, {"id": "c", "type": "robot"}),
            2,
        ),
    }
    broken: ClassVar = {
        "no content but the system's": [{"role": "system", "parts": [text("a")]}],
        "a picture in the system": [{"role": "system", "parts": [PICTURE]}, ASK],
        "role": [ASK, {"role": "assistant", "parts": [text("a")]}],
        "system later": [ASK, model(text("a")), {"role": "system", "parts": [text("b")]}],
        "first speaker": [model(text("a"))],
        "alternation": [ASK, ASK],
        "no parts": [user()],
        "no list of parts": [{"role": "user", "parts": "a"}],
        "a part that is no object": [user("a")],
        "a part without data": [user({})],
        "a thought without data": [ASK, model({"thought": True})],
        "two kinds of data": [user({**text("a"), **PICTURE})],
        "a blank text": [user(text(" "))],
        "a text that is none": [user({"text": 5})],
        "a signature that is none": [ASK, model({**text("a"), "thoughtSignature": "?"})],
        "the user's thought": [user({**text("a"), "thought": True})],
        "the user's call": [user(READ)],
        "the user's code": [user({"executableCode": {"code": "1"}})],
        "the model's response": [ASK, model(READ), user(GAVE), model(GAVE)],
        "a call without a response": [ASK, model(READ), ASK],
        "a last call without a response": [ASK, model(READ)],
        "a response without a call": [user(GAVE)],
        "a response to another call": [ASK, model(READ), giving(id="c2")],
        "a response of another name": [ASK, model(READ), giving(name="write")],
        "a second response": [ASK, model(READ), user(GAVE, GAVE)],
        "a response behind text": [ASK, model(READ), user(text("b"), GAVE)],
        "a late response": [ASK, model(READ), ASK, model(text("b")), user(GAVE)],
        "a response that is text": [ASK, model(READ), giving(response="x")],
        "a response that shows a text": [ASK, model(READ), giving(parts=[text("a")])],
        "a response that shows two things at once": [
            ASK,
            model(READ),
            giving(parts=[{**PICTURE, "fileData": {"fileUri": "https://example.org"}}]),
        ],
        "a response that shows another kind of image": [
            ASK,
            model(READ),
            giving(parts=[{"inlineData": {"mimeType": "image/heic", "data": "aGk="}}]),
        ],
        "an id used twice": [ASK, model(READ, READ), user(GAVE, GAVE)],
        "an id used again later": [ASK, model(READ), user(GAVE), model(READ), user(GAVE)],
        "an id that is empty": [ASK, calling(id=""), giving(id="")],
        "a name of other letters": [ASK, calling(name="a b"), giving(name="a b")],
        "a name that begins with a digit": [ASK, calling(name="1a"), giving(name="1a")],
        "a name too long": [ASK, calling(name="a" * 65), giving(name="a" * 65)],
        "arguments that are text": [ASK, calling(args="{}"), user(GAVE)],
        "a call that is text": [ASK, model({"functionCall": "read"})],
        "a kind of image": [user({"inlineData": {"mimeType": "image/gif", "data": "aGk="}})],
        "data of no kind": [user({"inlineData": {"data": "aGk="}})],
        "data that is none": [user({"inlineData": {"mimeType": "image/png", "data": "?"}})],
        "a file without a link": [user({"fileData": {"mimeType": "image/png"}})],
        "too much data": [user({"inlineData": {"mimeType": "image/png", "data": "AAAA" * 6 * 2**20}})],
        "a result of no code": [ASK, model({"codeExecutionResult": {"outcome": "OUTCOME_OK"}})],
        "code without code": [ASK, model({"executableCode": {"language": "PYTHON"}})],
        "half a surrogate pair": [user(text("a\ud83d"))],
    }

    @pytest.fixture
    def open_format(self, tmp_path):
        return partial(open_gemini, GeminiSettings(max_record_bytes=self.record_limit), LoneHost(tmp_path))
