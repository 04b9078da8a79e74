"""What the format writes and reads, held against ``pydantic-ai``; run by ``nox -s formats``."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_ai.messages import (
    BinaryContent,
    CompactionPart,
    DocumentUrl,
    FilePart,
    ImageUrl,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryFeedbackPart,
    RetryInfo,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolAvailabilityDeltaPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
)
from pydantic_ai.usage import RequestUsage

from lamina.protocols import ParseRequest, RenderRequest
from lamina.testing.conversations import TEXTS, conversations
from lamina_format_pydantic_ai._format import PydanticAIFormat

FMT = PydanticAIFormat()
SAMPLES = sorted(Path(__file__).parent.joinpath("samples").iterdir())
T = datetime(2026, 11, 1, tzinfo=UTC)


def parse(data):
    return [message for parsed in FMT.parse(ParseRequest(data=data)) for message in parsed.messages]


def loaded(messages):
    rendered = FMT.render(RenderRequest(messages=messages))
    assert FMT.check(rendered) == []
    return ModelMessagesTypeAdapter.validate_json(json.dumps(rendered))


def dumped(messages):
    """The messages as JSON, without times that the library made up."""
    return json.loads(ModelMessagesTypeAdapter.dump_json(messages))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_library_loads_every_sample_as_it_is_written(path):
    assert loaded(parse(path.read_bytes()))


@settings(max_examples=100, deadline=None)
@given(messages=conversations(frozenset({"system", "errors", "images", "reasoning"})))
def test_the_library_loads_every_conversation(messages):
    assert loaded(messages)


ITEMS = st.one_of(
    TEXTS,
    st.builds(lambda: ImageUrl("https://example.org/a.png", force_download=True)),
    st.builds(lambda: ImageUrl("https://example.org/b", media_type="image/webp")),
    st.builds(lambda: BinaryContent(b"\xff\xef\xfe", media_type="image/png", identifier="i")),
    st.builds(lambda: BinaryContent(b"%PDF", media_type="application/pdf")),
    st.builds(lambda: DocumentUrl("https://example.org/a.pdf")),
    st.builds(lambda: UploadedFile("f", provider_name="openai")),
    st.builds(lambda: TextContent("words", metadata={"a": 1})),
)
RESULTS = st.one_of(
    TEXTS,
    st.sampled_from([{"a": [1, None]}, [1, 2], 5, True, None, "", [], {"kind": "binary"}]),
    st.builds(lambda: ["seen", BinaryContent(b"hi", media_type="image/png")]),
    st.builds(lambda: BinaryContent(b"hi", media_type="image/png")),
)
SAID = st.one_of(
    TEXTS.map(TextPart),
    st.builds(lambda: TextPart("a", id="msg_1", provider_name="openai", provider_details={"x": [1]})),
    st.builds(lambda: ThinkingPart("hm", signature="c2ln", provider_name="anthropic")),
    st.builds(lambda: ThinkingPart("", signature="c2ln", provider_name="anthropic", id="redacted_thinking")),
    st.builds(lambda: ThinkingPart("hm", signature="c2ln", provider_name="openai", id="rs_1")),
    st.builds(lambda: ThinkingPart("hm")),
    st.builds(lambda: NativeToolCallPart("web_search", {"q": 1}, tool_call_id="b", provider_name="anthropic")),
    st.builds(lambda: NativeToolReturnPart("web_search", {"r": [1]}, tool_call_id="b", timestamp=T)),
    st.builds(lambda: FilePart(BinaryContent(b"hi", media_type="image/png"), id="f", provider_name="openai")),
    st.builds(lambda: FilePart(BinaryContent(b"hi", media_type="audio/wav"))),
    st.builds(lambda: CompactionPart(content="before", provider_name="anthropic")),
)


@st.composite
def talks(draw):
    instructions = draw(st.none() | st.just("Answer."))
    made, open_ = [], []
    for turn in range(draw(st.integers(1, 4))):
        parts = [SystemPromptPart(draw(TEXTS), timestamp=T)] if draw(st.integers(0, 3)) == 0 else []
        for call in open_:
            outcome = draw(st.sampled_from(["success", "failed", "denied", "retried"]))
            content = draw(RESULTS) if outcome == "success" else "no"
            parts.append(ToolReturnPart("look", content, tool_call_id=call, timestamp=T, outcome=outcome, metadata=draw(st.none() | st.just({"m": 1}))))  # fmt: skip
        if draw(st.integers(0, 4)) == 0:
            parts.append(ToolAvailabilityDeltaPart(tools_added=["x"]))
        if draw(st.integers(0, 4)) == 0:
            parts.append(RetryFeedbackPart("no number", retry=RetryInfo(cause="model_retry"), timestamp=T))
        parts.append(UserPromptPart(draw(TEXTS | st.lists(ITEMS, min_size=1, max_size=3)), timestamp=T))
        made.append(ModelRequest(parts, instructions=instructions, run_id=draw(st.none() | st.just("r"))))
        if draw(st.integers(0, 4)) == 0:
            made.append(ModelRequest([UserPromptPart("and", timestamp=T)], instructions=instructions))
        open_ = [f"c{turn}-{k}" for k in range(draw(st.integers(0, 2)))]
        args = st.sampled_from([{"a": 1}, "{}", '{"a": ', "", None])
        said = [*draw(st.lists(SAID, min_size=1, max_size=3)), *(ToolCallPart("look", draw(args), tool_call_id=c) for c in open_)]  # fmt: skip
        made.append(ModelResponse(said, timestamp=T, usage=RequestUsage(input_tokens=draw(st.integers(0, 2))), model_name=draw(st.none() | st.just("m"))))  # fmt: skip
    if open_:
        made.append(ModelRequest([ToolReturnPart("look", "x", tool_call_id=c, timestamp=T) for c in open_], instructions=instructions))  # fmt: skip
    return made


@settings(max_examples=300, deadline=None)
@given(talk=talks())
def test_what_the_library_dumps_comes_back_the_same(talk):
    data = ModelMessagesTypeAdapter.dump_json(talk)
    assert FMT.sniff(ParseRequest(data=data)) > 0.9
    assert dumped(loaded(parse(data))) == json.loads(data)
