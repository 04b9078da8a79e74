import json
from pathlib import Path

import pytest

from lamina.errors import FormatError
from lamina.model import Image, Message, Opaque, Reasoning, Text, ToolCall, ToolResult, assistant, tool_result, user
from lamina.protocols import ExportRequest, ParseRequest, RenderRequest
from lamina_format_langchain._format import LangChainFormat

SAMPLES = Path(__file__).parent / "samples"
FMT = LangChainFormat()
LOOK = {"name": "look", "args": {"city": "Oslo"}, "id": "c1", "type": "tool_call"}


def read(data):
    return list(FMT.parse(ParseRequest(data=data if isinstance(data, bytes) else json.dumps(data).encode())))


def parse(data):
    return [message for parsed in read(data) for message in parsed.messages]


def render(*messages):
    made = FMT.render(RenderRequest(messages=messages))
    assert FMT.check(made) == []
    return made


def ai(content, **data):
    return {"type": "ai", "data": {"content": content, **data}}


def tool(call_id, content="ok", **data):
    return {"type": "tool", "data": {"content": content, "tool_call_id": call_id, **data}}


def test_messages_go_out_as_they_were_dumped_but_for_artifacts():
    dumped = json.loads(SAMPLES.joinpath("messages-to-dict.json").read_text("utf-8"))
    made = parse(dumped)
    assert FMT.left_out(made) == ["left out: artifact"]
    dumped[4]["data"]["artifact"] = None
    assert render(*made) == dumped


def test_every_way_of_dumping_says_the_same():
    first, *others = (parse(SAMPLES.joinpath(name).read_bytes()) for name in ("messages-to-dict.json", "plain.json", "prompt.json"))  # fmt: skip
    assert [first] * 2 == others


def test_an_exported_prompt_is_still_known():
    records = [(record.raw, record.messages) for record in read(SAMPLES.joinpath("prompt.json").read_bytes())]
    exported = FMT.export(ExportRequest(session="s", records=records, own=True))
    assert FMT.sniff(ParseRequest(data=exported)) > 0.9
    assert parse(exported) == parse(SAMPLES.joinpath("prompt.json").read_bytes())


def test_blocks_of_providers_are_read_as_what_they_are_and_go_out_as_they_came():
    made = parse(SAMPLES.joinpath("dumpd.jsonl").read_bytes())
    assert made[0].parts[1:] == (
        Image("image/png", "aGk="),
        Image("url", "https://example.org/a.png", extra={"langchain": {"shape": {"type": "image_url", "image_url": {"url": "@", "detail": "low"}}}}),
    )  # fmt: skip
    assert made[1].parts[0] == Reasoning("hm", "c2ln", extra={"langchain": {"type": "thinking"}})
    assert [call.id for call in made[1].calls] == ["toolu_1"]
    lines = SAMPLES.joinpath("dumpd.jsonl").read_text("utf-8").splitlines()
    came = [json.loads(line)["kwargs"]["content"] for line in lines]
    assert [message["data"]["content"] for message in render(*made)] == came


def test_a_call_that_only_openais_members_hold_is_a_call():
    old = {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}], "more": 1}
    made = parse([ai("", additional_kwargs=old), tool("c1"), ai("", additional_kwargs={"function_call": {"name": "see", "arguments": "{}"}}), {"type": "function", "data": {"content": "sun", "name": "see"}}])  # fmt: skip
    assert [[(call.id, call.name) for call in message.calls] for message in made] == [[("c1", "look")], [], [("call", "see")], []]  # fmt: skip
    assert [result.call_id for message in made for result in message.results] == ["c1", "call"]
    assert render(*made)[0]["data"]["additional_kwargs"] == {"more": 1}


def test_invalid_calls_stay_invalid_with_their_text():
    bad = {"name": "look", "args": '{"a": ', "id": "c1", "error": "no JSON", "type": "invalid_tool_call"}
    (message, answer) = parse([ai("", invalid_tool_calls=[bad]), tool("c1", "Give JSON.", status="error")])
    assert message.calls[0].arguments == '{"a": '
    assert answer.results[0].error
    made = render(message, answer)[0]["data"]
    assert (made["tool_calls"], made["invalid_tool_calls"]) == ([], [bad])


def test_what_other_forms_hold_is_left_out_or_said_in_words_and_told():
    messages = [
        user("a"),
        Message("assistant", (Reasoning("hm", "sig"),)),
        Message("assistant", (Reasoning("hm", "sig"), Text("b", extra={"openai": {"annotations": []}}), Opaque("anthropic:document", {"type": "document"}, text="T"))),
        assistant("", ToolCall("c", "look", '{"a": ')),
        Message("tool", (ToolResult("c", "seen", True, (Image("image/png", "aGk="),)),)),
    ]  # fmt: skip
    made = render(*messages)
    assert [m["data"]["content"] for m in made] == [
        "a",
        "b\nT",
        "",
        [{"type": "text", "text": "seen"}, {"type": "image", "base64": "aGk=", "mime_type": "image/png"}],
    ]
    assert made[2]["data"]["tool_calls"][0]["args"] == {"_raw": '{"a": '}
    assert FMT.left_out(messages) == ["left out: reasoning", "left out: annotations", "carried as text: document"]
    assert render(messages[1])[0]["data"]["content"] == "[the conversation starts here]"


def test_results_without_calls_and_marks_of_removal_are_skipped():
    gone = {"type": "remove", "data": {"content": "", "id": "s"}}
    records = read([tool("gone"), gone, ai("", tool_calls=[LOOK]), tool("c1", "1"), tool("c1", "2")])
    assert [record.skipped for record in records] == ["tool result without a call", "remove", None, None, None]
    assert [m for record in records[3:] for m in record.messages] == [tool_result("c1", "1"), tool_result("c1", "2")]


def test_a_half_written_last_line_is_skipped_and_told():
    whole = b'{"type": "human", "data": {"content": "a"}}\n'
    records = read(whole * 2 + whole[:-10])
    assert [(bool(r.messages), r.torn) for r in records] == [(True, False), (True, False), (False, True)]
    with pytest.raises(FormatError, match=r"^input:3: "):
        list(FMT.parse(ParseRequest(data=whole * 2 + whole[:-10], strict=True)))


@pytest.mark.parametrize(
    "other",
    [
        [{"role": "user", "content": "a"}],
        {"type": "system", "subtype": "prompt", "content": "a", "sessionId": "s", "uuid": "u"},
        {"type": "user", "sessionId": "s", "message": {"role": "user", "content": "a"}},
        [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}],
        [{"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "a"}]}],
        {"sessionId": "a", "projectHash": "b", "messages": [{"id": "c", "type": "user", "content": "a"}]},
        {"lc": 1, "type": "constructor", "id": ["langchain", "llms", "OpenAI"], "kwargs": {}},
    ],
)
def test_other_forms_that_speak_of_types_are_not_taken_for_messages(other):
    assert FMT.sniff(ParseRequest(data=json.dumps(other).encode())) == 0.0


def test_errors_name_file_line_and_what_is_known():
    with pytest.raises(FormatError, match=r"^talk\.json:2: no message of type 'robot'; known: human, ai, "):
        list(FMT.parse(ParseRequest(data=b'[\n{"type": "robot"}]', source="talk.json")))
