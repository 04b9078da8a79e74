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
        Image("url", "https://example.org/a.png", extra={"openai": {"detail": "low"}}),
        Opaque("openai:input_audio", audio),
    )
    assert render(read) == [{"role": "user", "content": parts}]


def test_refusals_are_text_and_developers_are_the_system():
    read = parse({"role": "developer", "content": "d"}, {"role": "assistant", "content": None, "refusal": "I cannot"})
    assert [(m.role, m.text) for m in read] == [("system", "d"), ("assistant", "I cannot")]
    assert render(*read) == [
        {"role": "developer", "content": "d"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "I cannot"}]},
    ]


def test_members_and_parts_go_out_as_they_came():
    conversation = [
        {"role": "user", "name": "bob", "content": [{"type": "text", "text": "a", "kept": 1}, {"type": "text", "text": "b"}]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "refusal": None,
            "annotations": [],
            "tool_calls": [
                calling("c1")["tool_calls"][0] | {"extra_content": {"google": {"thought_signature": "U0lH"}}},
                {"id": "c2", "type": "custom", "custom": {"name": "patch", "input": "*** Begin", "more": 1}, "index": 1},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]},
        {"role": "tool", "tool_call_id": "c2", "content": "done", "name": "patch"},
        {"role": "user", "content": [
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}},
            {"type": "from_the_future", "n": [1]},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}, "kept": 2},
        ]},
        {"role": "assistant", "content": "yes", "reasoning_content": "so", "reasoning_details": [{"signature": "x"}]},
    ]  # fmt: skip
    read = parse(*conversation)
    rendered = render(*read)
    assert rendered == conversation
    assert FMT.check(rendered) == []
    assert FMT.left_out(read) == []
    assert read[4].parts[0].pages == 1


def test_what_the_form_cannot_hold_is_said_in_words_and_told():
    foreign = Opaque("anthropic:document", {"type": "document"}, text="T\nport 8417")
    thought = Reasoning("hm", "sig")
    answer = ToolResult("c", "seen", True, (Image("image/png", "aGk="),))
    messages = [
        user("a"),
        Message("assistant", (thought,)),
        Message("assistant", (thought, Text("b", extra={"anthropic": {"citations": []}}), foreign)),
        assistant("", ToolCall("c", "look", "{}")),
        Message("tool", (answer,)),
    ]
    rendered = render(*messages)
    assert [m["content"] for m in rendered] == ["a", "b\nT\nport 8417", None, "seen\n[image left out]"]
    assert FMT.check(rendered) == []
    assert FMT.left_out(messages) == [
        "left out: reasoning",
        "left out: citations",
        "carried as text: document",
        "left out: error mark",
        "left out: image",
    ]


def test_what_the_api_refuses_in_calls_is_fitted():
    long = "c" * 50
    calls = [ToolCall(long, "n" * 70, ""), ToolCall("c", "fs.read", '{"a": '), ToolCall("c", "", "NaN")]
    answers = [tool_result(call.id, str(n)) for n, call in enumerate(calls)]
    rendered = render(user("a"), assistant("", *calls), *answers)
    assert FMT.check(rendered) == []
    made = rendered[1]["tool_calls"]
    assert [call["id"] for call in made] == [message["tool_call_id"] for message in rendered[2:]]
    assert [call["function"]["arguments"] for call in made] == ["{}", '{"_raw": "{\\"a\\": "}', '{"_raw": "NaN"}']


def test_no_arguments_are_an_empty_object():
    call = calling("c")
    call["tool_calls"][0]["function"]["arguments"] = ""
    assert parse(call) == [assistant("", ToolCall("c", "look", "{}"))]


def test_images_are_mended_where_that_is_sure_and_named_where_they_are_left_out():
    urls = [
        "data:image/jpg;base64,aGk=",
        "data:image/png;charset=utf-8;base64,aGk=",
        "http://example.org/a.png",
        "data:image/svg+xml;utf8,<svg/>",
        "data:image/png;base64,a",
        "file:///a.png",
    ]
    (read,) = parse({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}} for url in urls]})
    (rendered,) = render(read)
    assert FMT.check([rendered]) == []
    assert [p["image_url"]["url"] if p["type"] == "image_url" else p["text"] for p in rendered["content"]] == [
        "data:image/jpeg;base64,aGk=",
        "data:image/png;base64,aGk=",
        "http://example.org/a.png",
        "[image left out: data:image/svg+xml;utf8]",
        "[image left out: damaged]",
        "[image left out: file:///a.png]",
    ]


def test_where_nothing_remains_a_line_stands_for_the_conversation():
    thought = Message("assistant", (Reasoning("hm", "sig"),))
    assert render(thought) == [{"role": "user", "content": "[the conversation starts here]"}]
    assert FMT.render(RenderRequest(messages=[thought], piece=True)) == []


def test_a_name_that_the_api_refuses_is_left_out():
    (read,) = parse({"role": "user", "name": "bob the builder", "content": "a"})
    assert render(read) == [{"role": "user", "content": "a"}]
    assert FMT.left_out([read]) == ["left out: name"]


def test_results_without_calls_are_skipped_and_of_repeated_ones_the_last_is_kept():
    data = [answer("gone"), calling("c"), answer("c", "1"), answer("c", "2")]
    read = list(FMT.parse(ParseRequest(data=json.dumps(data).encode())))
    assert [parsed.skipped for parsed in read] == ["tool result without a call", None, None, None]
    assert [m for parsed in read[2:] for m in parsed.messages] == [tool_result("c", "1"), tool_result("c", "2")]


def test_blocks_of_other_providers_are_read_as_what_they_are():
    block = {"type": "tool_use", "id": "c1", "name": "look", "input": {}}
    thought = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    read = parse(
        {"role": "assistant", "content": [thought, block, block | {"id": "c2"}], "tool_calls": calling("c1")["tool_calls"]},
        answer("c1", "1"),
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c2", "content": "2"}, {"type": "text", "text": "b"}]},
    )  # fmt: skip
    assert sorted(call.id for call in read[0].calls) == ["c1", "c2"]
    assert read[0].parts[0] == Reasoning("hm", "c2ln")
    assert [m.role for m in read[1:]] == ["tool", "tool", "user"]
    assert FMT.check(render(*read)) == []


def test_a_half_written_last_line_is_skipped_and_told():
    whole = b'{"role": "user", "content": "a"}\n'
    for end in (whole[:-10], b"\0" * 30, b"\0" * 30 + b"\n"):
        read = list(FMT.parse(ParseRequest(data=whole * 2 + end)))
        assert [parsed.messages for parsed in read[:2]] == [(user("a"),)] * 2
        assert (read[2].skipped, read[2].torn, read[2].line) == ("half-written line", True, 3)
        with pytest.raises(FormatError, match="^input:3: "):
            list(FMT.parse(ParseRequest(data=whole * 2 + end, strict=True)))
    again = list(FMT.parse(ParseRequest(data=whole + b"\0" * 30 + whole)))
    assert [(bool(parsed.messages), parsed.damaged, parsed.torn) for parsed in again] == [
        (True, False, False),
        (False, True, False),
        (True, False, False),
    ]


def test_zeros_between_records_are_not_exported():
    whole = b'{"role": "user", "content": "a"}'
    read = list(FMT.parse(ParseRequest(data=whole + b"\n\0\0\n" + whole)))
    exported = FMT.export(ExportRequest(session="s", records=[(p.raw, p.messages) for p in read], own=True))
    assert parse(json.loads(exported)) == [user("a")] * 2


def test_a_document_that_is_cut_off_is_refused():
    whole = b'{"id": "s", "messages": [{"role": "user", "content": "a"}]}'
    for data in (whole[:-5], b"[" + whole[:-2]):
        with pytest.raises(FormatError, match="cut off"):
            list(FMT.parse(ParseRequest(data=data)))
    read = list(FMT.parse(ParseRequest(data=whole + b"\n" + whole.replace(b'"a"', '"ä'.encode()[:-1])[:-12])))
    assert [(parsed.session, parsed.torn) for parsed in read] == [("s", False), (None, True)]


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


def test_items_of_the_responses_api_are_none_of_its_messages():
    said = [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}]
    assert FMT.sniff(ParseRequest(data=json.dumps(said).encode())) == 0


def test_errors_name_file_and_line():
    with pytest.raises(FormatError, match=r"^talk\.json:2: unknown role 'robot'; known: system, "):
        list(FMT.parse(ParseRequest(data=b'[\n{"role": "robot"}]', source="talk.json")))
