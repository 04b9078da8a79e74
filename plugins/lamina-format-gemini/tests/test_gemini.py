import json
from pathlib import Path

import pytest

from lamina.errors import FormatError
from lamina.model import Image, Message, Opaque, Reasoning, Text, ToolCall, ToolResult, assistant, tool_result, user
from lamina.protocols import ExportRequest, ParseRequest, RenderRequest
from lamina_format_gemini._format import GeminiFormat

SAMPLES = Path(__file__).parent / "samples"
FMT = GeminiFormat()
PICTURE = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}


def read(data):
    return list(FMT.parse(ParseRequest(data=data if isinstance(data, bytes) else json.dumps(data).encode())))


def parse(data):
    return [message for parsed in read(data) for message in parsed.messages]


def render(*messages):
    made = FMT.render(RenderRequest(messages=messages))
    assert FMT.check(made) == []
    return made


def said(*texts):
    return {"role": "user", "parts": [{"text": text} for text in texts]}


def test_contents_go_out_as_they_came():
    contents = [
        {"role": "user", "parts": [
            {"text": "see"}, {**PICTURE, "mediaResolution": {"level": "LOW"}},
            {"fileData": {"fileUri": "gs://bucket/a.pdf", "mimeType": "application/pdf"}},
            {"fileData": {"fileUri": "https://example.org/a.png", "mimeType": "image/png"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "aGk=", "displayName": "talk"}},
            {"fromTheFuture": {"n": [1]}},
        ]},
        {"role": "model", "parts": [
            {"text": "hm", "thought": True, "thoughtSignature": "dGhvdWdodA=="},
            {"functionCall": {"id": "a", "name": "ns.look", "args": {"deep": [1, {"b": None}]}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "b", "name": "look", "args": {}}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "a", "name": "ns.look", "response": {"output": "sun", "code": 0}, "scheduling": "SILENT"}},
            {"functionResponse": {"id": "b", "name": "look", "response": {"result": "rain"}, "parts": [PICTURE]}},
            {"text": "go on"},
        ]},
        {"role": "model", "parts": [
            {"toolCall": {"id": "t", "toolType": "URL_CONTEXT", "args": {"url": "https://example.org"}}},
            {"toolResponse": {"id": "t", "toolType": "URL_CONTEXT", "response": {"status": "ok"}}},
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
            {"text": "yes"}, {"text": "", "thoughtSignature": "ZW5k"},
        ]},
    ]  # fmt: skip
    made = parse(contents)
    assert render(*made) == contents
    assert FMT.left_out(made) == []


def test_names_are_read_as_the_api_and_as_the_library_write_them():
    plain = {"functionCall": {"id": "a", "name": "look", "args": {"in_snake": 1}}, "thoughtSignature": "c2ln"}
    snake = {
        "function_call": {"id": "a", "name": "look", "args": {"in_snake": 1}},
        "thought_signature": "c2ln",
        "text": None,
    }
    blob = {"inline_data": {"mime_type": "image/png", "data": "_-8", "display_name": None}}
    assert parse([{"role": "model", "parts": [plain]}]) == parse([{"role": "model", "parts": [snake]}])
    (message,) = parse([{"role": "user", "parts": [blob]}])
    assert message.parts == (Image("image/png", "/+8="),)


def test_what_a_stream_gave_and_plain_texts_are_contents():
    piece = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hel"}]}}], "modelVersion": "gemini-3-pro"}
    for data in ([piece, piece], [{"role": "user", "parts": ["Hello"]}, {"role": "model", "parts": ["Hi"]}]):
        assert FMT.sniff(ParseRequest(data=json.dumps(data).encode())) > 0.9
        assert len(parse(data)) == 2


def test_contents_that_begin_with_a_long_text_are_known():
    assert FMT.sniff(ParseRequest(data=json.dumps([said("a" * 100_000)]).encode())) > 0.9


def test_responses_without_ids_answer_by_name_and_go_out_without():
    contents = json.loads("[" + ",".join(SAMPLES.joinpath("library.jsonl").read_text("utf-8").splitlines()) + "]")
    made = parse(contents)
    assert [call.id for call in made[1].calls] == ["call", "call-2"]
    assert [(r.call_id, r.text) for r in made[2].results] == [
        ("call", "-3"),
        ("call-2", '{"celsius": 4, "rain": true}'),
    ]
    responses = [part["functionResponse"] for part in render(*made)[2]["parts"]]
    assert responses == [
        {"name": "weather", "response": {"result": "-3"}},
        {"name": "weather", "response": {"celsius": 4, "rain": True}},
    ]


def test_responses_stand_in_the_order_of_their_calls():
    calls = assistant("", ToolCall("a", "look", "{}"), ToolCall("b", "look", "{}"))
    made = render(user("x"), calls, tool_result("b", "2"), tool_result("a", "1"), user("go on"))
    assert [part.get("functionResponse", {}).get("id") for part in made[2]["parts"]] == ["a", "b", None]


def test_a_shortened_response_is_its_text():
    (_, _, answer) = parse([said("x"), {"role": "model", "parts": [{"functionCall": {"name": "look"}}]},
                            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"a": 1, "b": 2}}}]}])  # fmt: skip
    short = Message("tool", (answer.results[0].shortened("[2 members]"),))
    made = render(user("x"), assistant("", ToolCall("call", "look", "{}")), short)
    assert made[2]["parts"][0]["functionResponse"]["response"] == {"output": "[2 members]"}


def test_calls_of_other_models_are_signed_as_google_documents_it():
    call, other = ToolCall("a", "look", "{}"), ToolCall("b", "look", "{}")
    talk = [user("x"), assistant("", call, other), tool_result("a", "1"), tool_result("b", "2")]
    first, second = render(*talk)[1]["parts"]
    assert first["thoughtSignature"] == "skip_thought_signature_validator"
    assert "thoughtSignature" not in second
    assert parse(render(*talk)) == [*talk[:2], Message("tool", (*talk[2].results, *talk[3].results))]
    unsigned = GeminiFormat(sign_calls=False).render(RenderRequest(messages=talk))
    assert "thoughtSignature" not in json.dumps(unsigned)


def test_what_the_api_refuses_is_fitted_left_out_or_said_in_words():
    messages = [
        Message("assistant", (Reasoning("hm", "c2ln"),)),
        Message("user", (Image("image/gif", "aGk="), Image("url", "https://example.org/a"), Text(" "))),
        Message("assistant", (Reasoning("hm", "c2ln"), Text("b", extra={"anthropic": {"citations": []}}), Opaque("anthropic:document", {"type": "document"}, text="T"))),
        assistant("", ToolCall("c", "1 look", '{"a": '), ToolCall("", "n" * 70, "")),
        Message("tool", (ToolResult("c", "seen", True, (Image("image/gif", "aGk="), Image("image/png", "aGk="))),)),
        tool_result("", "x"),
        user(""),
    ]  # fmt: skip
    made = render(*messages)
    assert [part["text"] for part in made[0]["parts"]] == ["[image left out: image/gif]", "[image left out: https://example.org/a]"]  # fmt: skip
    assert [part["text"] for part in made[1]["parts"][:2]] == ["b", "T"]
    call, other = (part["functionCall"] for part in made[1]["parts"][2:])
    assert call["args"] == {"_raw": '{"a": '}
    assert call["name"] == "_1_look"
    assert len(other["name"]) <= 64
    response = made[2]["parts"][0]["functionResponse"]
    assert response["response"] == {"error": "seen\n[image left out: image/gif]"}
    assert response["parts"] == [PICTURE]
    assert FMT.left_out(messages) == [
        "left out: reasoning",
        "left out: image",
        "left out: citations",
        "carried as text: document",
    ]


def test_where_nothing_remains_a_line_stands_for_the_conversation():
    assert render(Message("assistant", (Reasoning("hm", "c2ln"),))) == [said("[the conversation starts here]")]
    assert render(Message("user", (Text(" "),))) == [said("[empty message]")]


def test_too_much_data_leaves_the_oldest_files_out():
    large = Image("image/png", "AAAA" * 3 * 2**20)
    made = render(Message("user", (large, Text("a"), large)))
    assert [list(part) for part in made[0]["parts"]] == [["text"], ["text"], ["inlineData"]]


def test_what_code_gave_without_the_code_is_text():
    gave = Opaque(
        "gemini:codeExecutionResult", {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}, text="1"
    )
    assert render(user("x"), Message("assistant", (gave,)))[1]["parts"] == [{"text": "1"}]


def test_a_saved_chat_says_what_is_new_when_a_message_is_written_again():
    records = read(SAMPLES.joinpath("gemini-cli.jsonl").read_bytes())
    assert {record.session for record in records} == {"5f1d"}
    assert [record.skipped for record in records] == ["chat", None, "$set", None, None, "repeated line", None]
    made = [message for record in records for message in record.messages]
    assert [(m.role, m.text, m.group) for m in made] == [
        ("user", "which port?", None),
        ("assistant", "I look.", "m2"),
        ("assistant", "", "m2"),
        ("tool", "port = 8417", None),
        ("assistant", "8417.", "m3"),
    ]
    assert made[0].created_s is not None
    assert [content["role"] for content in render(*made)] == ["user", "model", "user", "model"]


def test_lines_that_the_user_went_back_to_before_are_skipped():
    lines = SAMPLES.joinpath("gemini-cli.jsonl").read_bytes()
    more = b'{"$rewindTo": "m2"}\n{"id": "m4", "timestamp": "", "type": "user", "content": "or so?"}\n'
    records = read(lines + more)
    assert [record.skipped for record in records] == [
        "chat", None, "$set", *["earlier branch"] * 4, "$rewindTo", None,
    ]  # fmt: skip
    assert [message.text for record in records for message in record.messages] == ["which port?", "or so?"]
    everything = read(lines + b'{"$rewindTo": "gone"}\n')
    assert not any(record.messages for record in everything)


def test_a_chat_in_one_object_is_read_and_exported_as_a_chat():
    records = read(SAMPLES.joinpath("gemini-cli.json").read_bytes())
    assert [record.skipped for record in records] == [None, None, "info", None]
    thought = records[1].messages[0].parts[0]
    assert thought == Reasoning("Ports\nThey stand in the settings.")
    pairs = [(record.raw, record.messages) for record in records]
    document = json.loads(FMT.export(ExportRequest(session="5f1c", records=pairs, own=True)))
    assert [message["id"] for message in document["messages"]] == ["m1", "m2", "m3", "m4"]


def test_results_without_calls_are_skipped_and_of_repeated_ones_the_last_is_kept():
    def gave(text, **more):
        response = {"id": "a", "name": "look", "response": {"output": text}, **more}
        return {"role": "user", "parts": [{"functionResponse": response}]}

    call = {"role": "model", "parts": [{"functionCall": {"id": "a", "name": "look"}}]}
    records = read([gave("0"), call, gave("1"), gave("2")])
    assert [record.skipped for record in records] == ["tool result without a call", None, None, None]
    assert [m.results[0].text for r in records[2:] for m in r.messages] == ["1", "2"]


def test_a_half_written_last_line_is_skipped_and_told():
    whole = json.dumps(said("a")).encode() + b"\n"
    records = read(whole * 2 + whole[:-10])
    assert [(bool(r.messages), r.torn) for r in records] == [(True, False), (True, False), (False, True)]
    with pytest.raises(FormatError, match=r"^input:3: "):
        list(FMT.parse(ParseRequest(data=whole * 2 + whole[:-10], strict=True)))


@pytest.mark.parametrize(
    "other",
    [
        [{"role": "user", "content": "a"}],
        [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
        [{"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "a"}]}],
        {"info": {"id": "ses_1"}, "messages": [{"info": {"role": "user"}, "parts": [{"type": "text", "text": "a"}]}]},
        [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "a"}]}],
        {"role": "user", "kind": "message", "parts": [{"kind": "text", "text": "a"}]},
        {"type": "user", "sessionId": "s", "message": {"role": "user", "content": "a"}},
        {"parts": []},
        5,
    ],
)
def test_other_forms_that_speak_of_parts_are_not_taken_for_contents(other):
    assert FMT.sniff(ParseRequest(data=json.dumps(other).encode())) == 0.0


def test_errors_name_file_line_and_what_is_known():
    with pytest.raises(FormatError, match=r"^talk\.json:2: unknown role 'robot'; known: user, model, "):
        list(FMT.parse(ParseRequest(data=b'[\n{"role": "robot", "parts": []}]', source="talk.json")))
