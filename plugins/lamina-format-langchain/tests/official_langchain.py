"""What the format writes and reads, held against ``langchain-core``; run by ``nox -s formats``."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.load import dumpd
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    messages_from_dict,
    messages_to_dict,
)

from lamina.protocols import ParseRequest, RenderRequest
from lamina.testing.conversations import TEXTS, conversations
from lamina_format_langchain._format import LangChainFormat

FMT = LangChainFormat()
SAMPLES = sorted(Path(__file__).parent.joinpath("samples").iterdir())


def parse(data):
    return [message for parsed in FMT.parse(ParseRequest(data=data)) for message in parsed.messages]


def loaded(messages):
    rendered = FMT.render(RenderRequest(messages=messages))
    assert FMT.check(rendered) == []
    return messages_from_dict(json.loads(json.dumps(rendered)))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_library_loads_every_sample_as_it_is_written(path):
    assert loaded(parse(path.read_bytes()))


@settings(max_examples=100, deadline=None)
@given(messages=conversations(frozenset({"system", "errors", "images", "reasoning"})))
def test_the_library_loads_every_conversation(messages):
    assert loaded(messages)


BLOCKS = st.one_of(
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    st.just({"type": "text", "text": "a", "annotations": [{"type": "citation", "url": "https://example.org"}]}),
    st.just({"type": "image", "base64": "aGk=", "mime_type": "image/png", "id": "i"}),
    st.just({"type": "image", "url": "https://example.org/a.png"}),
    st.just({"type": "image", "source_type": "base64", "data": "aGk=", "mime_type": "image/png"}),
    st.just({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}),
    st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}}),
    st.just({"type": "image_url", "image_url": "https://example.org/a.png"}),
    st.just({"type": "file", "base64": "JVBERg==", "mime_type": "application/pdf", "filename": "a.pdf"}),
    st.just({"type": "audio", "file_id": "f"}),
    st.just({"type": "text-plain", "mime_type": "text/plain", "text": "plain"}),
    st.just({"type": "non_standard", "value": {"a": [1]}}),
    st.just({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}, "title": "T"}),
    st.just({"cachePoint": {"type": "default"}}),
)
THOUGHTS = st.sampled_from([
    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
    {"type": "thinking", "thinking": "hm", "index": 0},
    {"type": "redacted_thinking", "data": "Zm9v"},
    {"type": "reasoning", "reasoning": "hm", "extras": {"signature": "c2ln"}},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "Zm9v"},
    {"type": "server_tool_call", "id": "s", "name": "web_search", "args": {"query": "q"}},
    {"type": "refusal", "refusal": "I cannot"},
])  # fmt: skip
CONTENT = TEXTS | st.lists(BLOCKS, min_size=1, max_size=3)


@st.composite
def talks(draw):
    made = [SystemMessage(draw(TEXTS))] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(1, 3))):
        made.append(draw(st.sampled_from([HumanMessage, HumanMessage, lambda c, **k: ChatMessage(c, role="critic", **k)]))(draw(CONTENT), id=draw(st.none() | st.just("m"))))  # fmt: skip
        calls = [{"name": "look", "args": {"a": [1, None]}, "id": f"c{turn}-{k}", "type": "tool_call"} for k in range(draw(st.integers(0, 2)))]  # fmt: skip
        bad = [{"name": "look", "args": '{"a": ', "id": f"x{turn}", "error": "bad", "type": "invalid_tool_call"}] * draw(st.integers(0, 1))  # fmt: skip
        blocks = draw(st.lists(THOUGHTS | BLOCKS, max_size=3))
        if draw(st.booleans()):
            blocks += [{"type": "tool_use", "id": c["id"], "name": c["name"], "input": c["args"]} for c in calls]
        usage = draw(st.none() | st.just({"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}))
        made.append(AIMessage(blocks or draw(TEXTS), tool_calls=calls, invalid_tool_calls=bad, usage_metadata=usage, response_metadata=draw(st.just({}) | st.just({"model_provider": "x"}))))  # fmt: skip
        for call in [*calls, *bad]:
            made.append(ToolMessage(draw(CONTENT), tool_call_id=call["id"], status=draw(st.sampled_from(["success", "error"])), name=draw(st.none() | st.just("look"))))  # fmt: skip
    return made


@settings(max_examples=300, deadline=None)
@given(talk=talks(), form=st.sampled_from(["dict", "dumpd", "plain"]))
def test_what_the_library_dumps_comes_back_the_same_whichever_way_it_was_dumped(talk, form):
    dumped = {
        "dict": lambda: messages_to_dict(talk),
        "dumpd": lambda: dumpd(talk),
        "plain": lambda: [message.model_dump() for message in talk],
    }[form]()
    data = json.dumps(dumped).encode()
    assert FMT.sniff(ParseRequest(data=data)) > 0.9
    assert loaded(parse(data)) == talk


def test_pieces_of_a_stream_are_messages():
    piece = AIMessageChunk("Sun.", response_metadata={"model_provider": "x"})
    assert loaded(parse(json.dumps(messages_to_dict([HumanMessage("a"), piece])).encode()))[1].content == "Sun."
