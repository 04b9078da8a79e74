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
from lamina.protocols import ExportRequest, ParseRequest, RenderRequest
from lamina_format_opencode._format import OpencodeFormat

SAMPLES = Path(__file__).parent / "samples"
FMT = OpencodeFormat()
TIME = {"start": 1, "end": 2}


def read(data):
    return list(FMT.parse(ParseRequest(data=data if isinstance(data, bytes) else json.dumps(data).encode())))


def parse(data):
    return [message for parsed in read(data) for message in parsed.messages]


def render(*messages):
    made = FMT.render(RenderRequest(messages=messages))
    assert FMT.check(made) == []
    return made


def message(role, *parts, own="msg_1", **members):
    info = {"id": own, "sessionID": "ses_1", "role": role, "time": {"created": 1000}, **members}
    ids = {"sessionID": "ses_1", "messageID": own}
    return {"info": info, "parts": [{"id": f"prt_{k}", **ids, **part} for k, part in enumerate(parts)]}


def tool(call_id="c1", **state):
    return {"type": "tool", "callID": call_id, "tool": "read", "state": state}


def text(said, **members):
    return {"type": "text", "text": said, **members}


def test_an_export_is_read_step_by_step():
    records = read(SAMPLES.joinpath("export.json").read_bytes())
    assert {record.session for record in records} == {"ses_5f1c"}
    assert [record.skipped for record in records] == [None, None, "API error", *[None] * 4]
    made = [message for record in records for message in record.messages]
    assert [(m.role, m.text) for m in made] == [
        ("user", 'which port? 日本語\nCalled the Read tool with the following input: {"filePath":"a.toml"}\n<file>\n00001| port = 8417\n</file>'),
        ("assistant", "I look."),
        ("tool", "port = 8417\nexit 1"),
        ("assistant", "8417."),
        ("user", "What did we do so far?"),
        ("assistant", "We found the port."),
        ("user", "@general check it\ncheck the port"),
        ("assistant", ""),
        ("tool", "It is open."),
    ]  # fmt: skip
    assert made[1].parts[0] == Reasoning("They stand in the settings.", "c2ln")
    assert [(r.call_id, r.error, len(r.images)) for r in made[2].results] == [
        ("toolu_1", False, 1),
        ("toolu_2", True, 0),
    ]
    assert made[0].created_s == pytest.approx(1790000000, abs=1)


def test_what_opencode_put_there_itself_is_no_passage():
    passages = [
        passage.text for m in parse(SAMPLES.joinpath("export.json").read_bytes()) for passage in FMT.passages(m)
    ]
    assert passages == ["which port? 日本語", "@general check it", "check the port"]


def test_files_of_the_storage_are_parts_of_the_messages_that_they_name():
    whole, apart = (parse(SAMPLES.joinpath(name).read_bytes()) for name in ("export.json", "storage.jsonl"))
    assert [m.text for m in apart if m.role == "tool"] == ["port = 8417", "exit 1"]
    assert "".join(m.text for m in apart if m.role == "user") == "".join(whole[0].text.split("\n", 2)[:2]) + "<file>\n00001| port = 8417\n</file>"  # fmt: skip
    assert [call.id for m in apart for call in m.calls] == ["toolu_1", "toolu_2"]


def test_a_part_that_events_tell_of_again_says_what_is_new():
    def event(**state):
        part = {"id": "prt_1", "sessionID": "ses_1", "messageID": "msg_1", **tool(**state)}
        return {"type": "tool_use", "timestamp": 1, "sessionID": "ses_1", "part": part}

    running = event(status="running", input={"a": 1})
    done = event(status="completed", input={"a": 1}, output="x", title="", metadata={}, time=TIME)
    records = read("\n".join(map(json.dumps, [running, done, done])).encode())
    assert [record.skipped for record in records] == [None, None, "repeated part"]
    made = [message for record in records for message in record.messages]
    assert made == [Message("assistant", (ToolCall("c1", "read", '{"a": 1}'),), "msg_1"), tool_result("c1", "x")]


def test_calls_that_still_run_have_no_result():
    made = parse([message("assistant", tool(status="running", input={}))])
    assert [m.parts for m in made] == [assistant("", ToolCall("c1", "read", "{}")).parts]


def test_what_was_interrupted_gave_what_it_had_given():
    state = {
        "status": "error",
        "input": {},
        "error": "aborted",
        "metadata": {"interrupted": True, "output": "half"},
        "time": TIME,
    }
    assert parse([message("assistant", tool(**state))])[1].results == tool_result("c1", "half").results


def test_an_answer_that_was_aborted_is_what_was_said():
    aborted = {"name": "MessageAbortedError", "data": {"message": "a"}}
    said, silent = message("assistant", text("half"), error=aborted), message("assistant", own="msg_2", error=aborted)
    assert [record.skipped for record in read([said, silent])] == [None, "API error"]


def test_what_the_user_undid_is_skipped():
    talk = [
        message("user", text("a")),
        message("user", text("b"), own="msg_2"),
        message("user", text("c"), own="msg_3"),
    ]
    for revert, kept in (({"messageID": "msg_2"}, "a"), ({"messageID": "msg_2", "partID": "prt_0"}, "ab")):
        records = read({"info": {"id": "ses_1", "revert": revert}, "messages": talk})
        assert "".join(m.text for record in records for m in record.messages) == kept
        assert records[-1].skipped == "earlier branch"


def test_files_are_images_documents_or_carried():
    files = [
        {"type": "file", "mime": "image/png", "url": "data:image/png;base64,aGk="},
        {"type": "file", "mime": "image/png", "url": "file:///a.png"},
        {"type": "file", "mime": "application/pdf", "filename": "a.pdf", "url": "data:application/pdf;base64,JVBERi0="},
        {"type": "file", "mime": "audio/wav", "filename": "a.wav", "url": "data:audio/wav;base64,aGk="},
        {"type": "file", "mime": "application/x-directory", "url": "file:///src"},
    ]
    (read,) = parse([message("user", *files, text("hidden", ignored=True))])
    assert read.parts[:2] == (Image("image/png", "aGk="), Image("url", "file:///a.png"))
    assert [(part.kind, part.text, part.pages) for part in read.parts[2:]] == [
        ("anthropic:document", "a.pdf", 1),
        ("opencode:file", "a.wav", 1),
    ]
    again = [{key: part[key] for key in files[k] if key in part} for k, part in enumerate(render(read)[0]["parts"])]
    assert again[0] == files[0]
    assert again[2:] == files[2:4]


def test_results_stand_in_the_parts_of_their_calls_and_ids_ascend():
    talk = [
        system("Be brief."),
        user("a"),
        Message("assistant", (Reasoning("hm", "c2ln"), Reasoning("UkVE", redacted=True), ToolCall("c", "look", '{"a": '), ToolCall("c", "look", ""))),
        Message("tool", (ToolResult("c", "seen", images=(Image("image/png", "aGk="),)),)),
        tool_result("c", "no", error=True),
        system("later"),
    ]  # fmt: skip
    made = render(*talk)
    assert made[0]["info"]["system"] == "Be brief."
    first, second = (part["state"] for part in made[1]["parts"][2:])
    assert (first["input"], first["output"], len(first["attachments"])) == ({"_raw": '{"a": '}, "seen", 1)
    assert (second["status"], second["error"]) == ("error", "no")
    assert made[2]["parts"][0]["synthetic"] is True
    assert made == FMT.render(RenderRequest(messages=talk))
    assert [m.role for m in parse(made)] == ["system", "user", "assistant", "tool", "user"]


def test_what_an_export_has_no_place_for_is_told():
    answer = ToolResult("c", "seen", True, (Image("image/png", "aGk="),))
    messages = [
        user("a"),
        Message("assistant", (Text("b", extra={"openai": {"annotations": []}}), Opaque("anthropic:search_result", {"type": "search_result"}, text="T"), ToolCall("c", "look", "{}"))),
        Message("tool", (answer,)),
    ]  # fmt: skip
    render(*messages)
    assert FMT.left_out(messages) == ["left out: annotations", "carried as text: search_result", "left out: image"]


def test_added_messages_are_exported_behind_those_that_came():
    records = [(r.raw, r.messages) for r in read(SAMPLES.joinpath("export.json").read_bytes())]
    added = Message("user", (Text("more"),), created_s=1790000100.0)
    data = FMT.export(ExportRequest(session="ses_5f1c", records=[*records, (None, (added,))], own=True))
    made = json.loads(data)["messages"]
    assert [FMT.check([m]) for m in made[-1:]] == [[]]
    assert made[-1]["info"]["id"] > made[-2]["info"]["id"]
    assert parse(data)[-1].text == "more"


def test_a_half_written_last_line_is_skipped_and_told():
    whole = json.dumps(message("user", text("a"))).encode() + b"\n"
    records = read(whole * 2 + whole[:-10])
    assert [(bool(r.messages), r.torn) for r in records] == [(True, False), (True, False), (False, True)]
    with pytest.raises(FormatError, match=r"^input:3: "):
        list(FMT.parse(ParseRequest(data=whole * 2 + whole[:-10], strict=True)))


@pytest.mark.parametrize(
    "other",
    [
        [{"role": "user", "content": "a"}],
        [{"role": "user", "parts": [{"text": "a"}]}],
        {"type": "user", "sessionId": "s", "message": {"role": "user", "content": "a"}},
        {"info": {"role": "user"}, "parts": [{"text": "a"}]},
        {"sessionId": "a", "projectHash": "b", "messages": [{"id": "c", "type": "user", "content": "a"}]},
    ],
)
def test_other_forms_are_not_taken_for_sessions(other):
    assert FMT.sniff(ParseRequest(data=json.dumps(other).encode())) == 0.0


def test_errors_name_file_line_and_what_is_known():
    with pytest.raises(FormatError, match=r"^talk\.json:2: unknown role 'robot'; known: user, assistant"):
        list(FMT.parse(ParseRequest(data=b'[\n{"info": {"role": "robot"}, "parts": []}]', source="talk.json")))
