import importlib.util
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lamina.errors import FormatError
from lamina.model import Image, Message, Opaque, Reasoning, Text, ToolCall, ToolResult, assistant, tool_result, user
from lamina.protocols import ExportRequest, ParseRequest, RenderRequest
from lamina_format_openai._format import OpenAIFormat

SHARED = Path(os.environ.get("LAMINA_SHARED", Path(__file__).parents[4] / "shared"))
FMT = OpenAIFormat()


def parse(*values):
    data = b"\n".join(json.dumps(value).encode() for value in values)
    return [message for parsed in FMT.parse(ParseRequest(data=data)) for message in parsed.messages]


def render(*messages):
    return FMT.render(RenderRequest(messages=messages))


def calling(*ids, name="look"):
    made = [{"id": i, "type": "function", "function": {"name": name, "arguments": "{}"}} for i in ids]
    return {"role": "assistant", "content": None, "tool_calls": made}


def answer(call_id, text="ok"):
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def test_ids_that_repeat_become_unique_and_results_answer_the_oldest_open_call():
    read = parse(calling("c", "c"), answer("c", "1"), answer("c", "2"), calling("c-2", "c"), answer("c"), answer("c-2"))
    assert [call.id for message in read for call in message.calls] == ["c", "c-2", "c-2-2", "c-3"]
    assert [r.call_id for message in read for r in message.results] == ["c", "c-2", "c-3", "c-2-2"]


def test_one_message_may_answer_several_calls():
    read = parse(calling("a", "b"), {"role": "tool", "tool_call_ids": ["a", "b"], "content": "both"})
    assert read[1] == Message("tool", (ToolResult("a", "both"), ToolResult("b", "both")))


def test_old_functions_are_calls_answered_by_name():
    called = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    read = parse(called, {"role": "function", "name": "look", "content": "sun"}, called)
    assert read == [
        assistant("", ToolCall("call", "look", "{}")),
        tool_result("call", "sun"),
        assistant("", ToolCall("call-2", "look", "{}")),
    ]


def test_parts_are_read_as_text_images_or_carried_unchanged():
    audio = {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}
    parts = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
        audio,
    ]
    (read,) = parse({"role": "user", "content": parts})
    assert read.parts == (
        Text("see"),
        Image("image/png", "aGk="),
        Image("url", "https://example.org/a.png"),
        Opaque("openai:input_audio", audio),
    )
    del parts[2]["image_url"]["detail"]
    assert render(read) == [{"role": "user", "content": parts}]


def test_refusals_are_text_and_developers_are_the_system():
    read = parse({"role": "developer", "content": "d"}, {"role": "assistant", "content": None, "refusal": "I cannot"})
    assert read == [Message("system", (Text("d"),)), assistant("I cannot")]


def test_what_the_form_cannot_hold_is_left_out():
    foreign = Opaque("anthropic:document", {"type": "document"})
    assert render(
        user("a"),
        Message("assistant", (Reasoning("hm", "sig"),)),
        Message("assistant", (Reasoning("hm", "sig"), Text("b"), foreign)),
    ) == [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


def test_pieces_of_one_message_are_joined():
    call = ToolCall("c", "look", "{}")
    pieces = [Message("assistant", (part,), "m1") for part in (Text("a"), Text("b"), call)]
    rendered = render(user("x"), *pieces, tool_result("c", "1"))
    assert [m["role"] for m in rendered] == ["user", "assistant", "tool"]
    assert rendered[1]["content"] == "a\nb"
    assert FMT.check(rendered) == []


def test_lone_surrogates_become_replacement_characters():
    data = rb'{"role": "user", "content": "a\ud83d b \ud83d\ude00 \\ud83d"}'
    (parsed,) = FMT.parse(ParseRequest(data=data))
    assert parsed.messages == (user("a\ufffd b 😀 \\ud83d"),)
    assert parsed.raw == data


def test_own_records_and_added_messages_are_exported_together():
    raw = b'{ "role":"user","content":"a"  }'
    records = [(raw, (user("a"),)), (None, (assistant("b"),))]
    data = FMT.export(ExportRequest(session="s", records=records, own=True))
    assert raw in data
    assert data.count(b"\n") == 1
    assert parse(json.loads(data)) == [user("a"), assistant("b")]


@pytest.mark.parametrize("name", ["tau_bench/conversations.jsonl", "swe_agent/trajectories.jsonl"])
def test_recorded_conversations_are_read_whole(name):
    path = SHARED / "data" / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    data = path.read_bytes()
    assert FMT.sniff(ParseRequest(data=data)) > 0.9
    read = list(FMT.parse(ParseRequest(data=data, source=name)))
    recorded = [json.loads(line) for line in data.splitlines()]
    assert len(read) == sum(len(conversation["messages"]) for conversation in recorded)
    assert [json.loads(parsed.raw) for parsed in read] == [m for c in recorded for m in c["messages"]]
    assert {parsed.session for parsed in read} == {c["conv_id"] for c in recorded}
    assert all(len(parsed.messages) == 1 and parsed.skipped is None for parsed in read)


def plain(message):
    calls = [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls") or ()]
    return message["role"], message.get("content") or "", calls, message.get("tool_call_id")


def test_exported_transcripts_come_out_as_they_went_in(monkeypatch):
    script = SHARED / "bench" / "replay_score.py"
    if not script.exists():
        pytest.skip(f"{script} is not here")
    # The script counts tokens elsewhere; what it reads needs none.
    monkeypatch.setitem(sys.modules, "tiktoken", SimpleNamespace(get_encoding=lambda name: None))
    spec = importlib.util.spec_from_file_location("replay_score", script)
    score = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(score)
    transcripts = score.load(SHARED / "data")
    assert transcripts
    for name, messages in transcripts.items():
        data = json.dumps({"id": name, "messages": messages}, ensure_ascii=False).encode()
        read = list(FMT.parse(ParseRequest(data=data)))
        rendered = render(*(m for parsed in read for m in parsed.messages))
        assert list(map(plain, rendered)) == list(map(plain, messages)), name
        assert {parsed.session for parsed in read} == {name}


def test_errors_name_file_and_line():
    with pytest.raises(FormatError, match=r"^talk\.json:2: unknown role 'robot'; known: system, "):
        list(FMT.parse(ParseRequest(data=b'[\n{"role": "robot"}]', source="talk.json")))
