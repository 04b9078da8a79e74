"""What the format writes and reads, held against the types of ``google-genai``; run by ``nox -s formats``."""

import json
from pathlib import Path

import pytest
from google.genai import types
from hypothesis import given, settings

from lamina.protocols import ParseRequest, RenderRequest
from lamina.testing.conversations import conversations
from lamina_format_gemini._format import GeminiFormat

FMT = GeminiFormat()


def accepted(contents):
    """The contents as the library holds them: it refuses members that it does not know."""
    return [types.Content.model_validate_json(json.dumps(content)) for content in contents]


def parse(data):
    return [message for parsed in FMT.parse(ParseRequest(data=data)) for message in parsed.messages]


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parent.joinpath("samples").iterdir()), ids=lambda path: path.name
)
def test_the_library_reads_every_sample_as_it_is_written(path):
    accepted(FMT.render(RenderRequest(messages=parse(path.read_bytes()))))


@settings(max_examples=100, deadline=None)
@given(messages=conversations(frozenset({"system", "errors", "images", "reasoning"})))
def test_the_library_reads_every_conversation(messages):
    accepted(FMT.render(RenderRequest(messages=messages)))


def test_what_the_library_dumps_is_read_and_read_back_the_same():
    contents = [
        types.Content(role="user", parts=[types.Part(text="see"), types.Part.from_bytes(data=b"\xff\xef\xfe", mime_type="image/png")]),
        types.Content(role="model", parts=[
            types.Part(text="hm", thought=True),
            types.Part(function_call=types.FunctionCall(name="look", args={"a": [1]}), thought_signature=b"\xfb\xff\xfe"),
        ]),
        types.Content(role="user", parts=[types.Part.from_function_response(name="look", response={"result": "sun"})]),
        types.Content(role="model", parts=[
            types.Part(executable_code=types.ExecutableCode(code="1", language=types.Language.PYTHON)),
            types.Part(code_execution_result=types.CodeExecutionResult(outcome=types.Outcome.OUTCOME_OK, output="1")),
        ]),
    ]  # fmt: skip
    for options in ({}, {"exclude_none": True}, {"by_alias": True, "exclude_none": True}):
        dumped = "\n".join(content.model_dump_json(**options) for content in contents).encode()
        assert FMT.sniff(ParseRequest(data=dumped)) > 0.9
        rendered = FMT.render(RenderRequest(messages=parse(dumped)))
        assert FMT.check(rendered) == []
        assert accepted(rendered) == contents
