import json
from pathlib import Path

import pytest

from lamina.errors import FormatError
from lamina.model import (
    Image,
    Message,
    Opaque,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    system,
    tool_result,
    user,
)
from lamina.protocols import ParseRequest, RenderRequest
from lamina_format_pydantic_ai._format import PydanticAIFormat

SAMPLES = Path(__file__).parent / "samples"
FMT = PydanticAIFormat()


def read(data):
    return list(FMT.parse(ParseRequest(data=data if isinstance(data, bytes) else json.dumps(data).encode())))


def parse(data):
    return [message for parsed in read(data) for message in parsed.messages]


def render(*messages):
    made = FMT.render(RenderRequest(messages=messages))
    assert FMT.check(made) == []
    return made


def request(*parts, **members):
    return {"kind": "request", "parts": list(parts), **members}


def asked(content, **members):
    return {"part_kind": "user-prompt", "content": content, **members}


def returned(call_id, content="ok", **members):
    return {"part_kind": "tool-return", "tool_name": "look", "content": content, "tool_call_id": call_id, **members}


CALL = {
    "kind": "response",
    "parts": [{"part_kind": "tool-call", "tool_name": "look", "args": {}, "tool_call_id": "c1"}],
}


def test_instructions_are_said_once_and_stand_in_the_requests_that_had_them():
    talk = json.loads(SAMPLES.joinpath("all-messages.json").read_text("utf-8"))
    made = parse(talk)
    assert [(m.role, m.text) for m in made[:3]] == [
        ("system", "Answer in Bokmål."),
        ("system", "Be brief."),
        ("user", "weather in Oslo? 日本語"),
    ]
    assert sum(m.text == "Answer in Bokmål." for m in made) == 1
    rendered = render(*made)
    assert [m.get("instructions") for m in rendered] == ["Answer in Bokmål.", None, "Answer in Bokmål.", None]
    assert rendered[0]["run_id"] == "r1"
    assert FMT.left_out(made) == []


def test_the_last_request_has_the_instructions_whatever_was_paged_out():
    made = parse(request(asked("a"), instructions="Be brief."))
    later = render(made[0], user("[1–9 paged out]"), assistant("b"), user("c"))
    assert [m.get("instructions") for m in later] == [None, None, "Be brief."]


def test_a_request_is_the_requests_that_came():
    talk = [request(asked("a"), request_id=1), request(asked("b")), CALL, request(returned("c1"), asked("c"))]
    rendered = render(*parse(talk))
    assert [[part["part_kind"] for part in m["parts"]] for m in rendered] == [
        ["user-prompt"],
        ["user-prompt"],
        ["tool-call"],
        ["tool-return", "user-prompt"],
    ]


def test_what_pydantic_ai_notes_for_itself_goes_out_where_it_stood_and_is_nothing_that_is_said():
    note = {"part_kind": "tool-availability-delta", "tools_added": ["x"]}
    talk = [request(asked("a"), note, asked("b"))]
    made = parse(talk)
    assert [m.text for m in made] == ["a", "b"]
    assert render(*made) == talk
    assert [record.skipped for record in read([request(note)])] == ["note"]


def test_what_asks_to_try_again_is_no_passage():
    made = parse(SAMPLES.joinpath("older.json").read_bytes())
    assert made[2].results[0].error
    assert [(passage.text) for message in made for passage in FMT.passages(message)] == ["look"]
    kinds = [part["part_kind"] for message in render(*made) for part in message["parts"]]
    assert kinds == ["user-prompt", "tool-call", "retry-prompt", "text", "retry-prompt"]


def test_results_that_are_no_text_are_their_json_until_they_are_shortened():
    made = parse([CALL, request(returned("c1", {"a": [1, None]}))])
    assert made[1].results[0].text == '{"a": [1, null]}'
    assert render(user("x"), *made)[2]["parts"][0]["content"] == {"a": [1, None]}
    short = Message("tool", (made[1].results[0].shortened("[1 member]"),))
    assert render(user("x"), made[0], short)[2]["parts"][0]["content"] == "[1 member]"


def test_marks_for_the_cache_are_dropped():
    (message,) = parse(request(asked(["a", {"kind": "cache-point", "ttl": "5m"}])))
    assert message.parts == (Text("a", extra={"pydantic-ai": {}}),)


def test_what_other_forms_hold_is_left_out_or_said_in_words_and_told():
    messages = [
        Message("assistant", (Reasoning("hm", "sig"),)),
        Message("assistant", (Reasoning("hm", "sig"), Text("b", extra={"openai": {"annotations": []}}), Opaque("anthropic:document", {"type": "document"}, text="T"))),
        assistant("", ToolCall("c", "look", '{"a": ')),
        Message("tool", (ToolResult("c", "seen", True, (Image("image/png", "aGk="), Image("image/png", "?"))),)),
        system("later"),
    ]  # fmt: skip
    made = render(*messages)
    assert [m["kind"] for m in made] == ["request", "response", "response", "request"]
    assert [part["content"] for part in made[1]["parts"]] == ["b", "T"]
    assert made[2]["parts"][0]["args"] == {"_raw": '{"a": '}
    answer, said = made[3]["parts"]
    assert answer["content"] == [
        "seen",
        {"kind": "binary", "data": "aGk=", "media_type": "image/png"},
        "[image left out: damaged]",
    ]
    assert (answer["outcome"], said["part_kind"]) == ("failed", "system-prompt")
    assert FMT.left_out(messages) == [
        "left out: reasoning",
        "left out: annotations",
        "carried as text: document",
        "left out: image",
    ]


def test_data_that_are_no_base64_are_said_in_words():
    damaged = {"kind": "binary", "data": "?", "media_type": "application/pdf"}
    made = parse(
        [request(asked(["a", damaged])), {"kind": "response", "parts": [{"part_kind": "file", "content": damaged}]}]
    )
    rendered = render(*made)
    assert rendered[0]["parts"][0]["content"] == "a\n[binary left out]"
    assert rendered[1]["parts"] == [{"part_kind": "text", "content": "[file left out]"}]


def test_results_without_calls_are_skipped_and_of_repeated_ones_the_last_is_kept():
    records = read([request(returned("gone")), CALL, request(returned("c1", "1")), request(returned("c1", "2"))])
    assert [record.skipped for record in records] == ["tool result without a call", None, None, None]
    assert [r.text for record in records[2:] for m in record.messages for r in m.results] == ["1", "2"]


def test_results_without_ids_answer_by_name():
    call = {"kind": "response", "parts": [{"part_kind": "tool-call", "tool_name": "look"}]}
    answer = request({"part_kind": "tool-return", "tool_name": "look", "content": "x"})
    assert parse([call, answer])[1] == tool_result("call", "x")


def test_a_half_written_last_line_is_skipped_and_told():
    whole = json.dumps(request(asked("a"))).encode() + b"\n"
    records = read(whole * 2 + whole[:-10])
    assert [(bool(r.messages), r.torn) for r in records] == [(True, False), (True, False), (False, True)]
    with pytest.raises(FormatError, match=r"^input:3: "):
        list(FMT.parse(ParseRequest(data=whole * 2 + whole[:-10], strict=True)))


def test_messages_that_begin_with_a_long_text_are_known():
    talk = [{"parts": [{"content": "a" * 100_000, "part_kind": "system-prompt"}], "kind": "request"}]
    assert FMT.sniff(ParseRequest(data=json.dumps(talk).encode())) > 0.8


@pytest.mark.parametrize(
    "other",
    [
        [{"role": "user", "content": "a"}],
        [{"role": "user", "parts": [{"text": "a"}]}],
        {"role": "user", "kind": "message", "parts": [{"kind": "text", "text": "a"}]},
        {"kind": "request", "parts": []},
        {"info": {"role": "user"}, "parts": [{"type": "text", "text": "a"}]},
    ],
)
def test_other_forms_that_speak_of_parts_are_not_taken_for_messages(other):
    assert FMT.sniff(ParseRequest(data=json.dumps(other).encode())) == 0.0


def test_errors_name_file_line_and_what_is_known():
    with pytest.raises(FormatError, match=r"^talk\.json:2: unknown kind 'robot'; known: request, response"):
        list(FMT.parse(ParseRequest(data=b'[\n{"kind": "robot"}]', source="talk.json")))
