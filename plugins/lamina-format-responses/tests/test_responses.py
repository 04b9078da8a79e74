import json

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
from lamina_format_responses._format import ResponsesFormat

FMT = ResponsesFormat()
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEElEQVR4nGMQUDCAIwbiOACaNAYBjjyKngAAAABJRU5ErkJggg=="
PICTURE = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "high"}
PDF = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQgPDwgL1R5cGUgL1BhZ2UgPj4="}  # fmt: skip


def read(*items):
    return list(FMT.parse(ParseRequest(data=json.dumps(items).encode())))


def parse(*items):
    return [message for parsed in read(*items) for message in parsed.messages]


def render(*messages, **options):
    return FMT.render(RenderRequest(messages=messages, **options))


def message(role, content, **members):
    return {"type": "message", "role": role, "content": content, **members}


def said(text, number=1, **members):
    part = {"type": "output_text", "text": text, "annotations": [], **members}
    return message("assistant", [part], id=f"msg_{number}", status="completed")


def thought(number=1, *summaries, **members):
    summary = [{"type": "summary_text", "text": text} for text in summaries]
    return {"type": "reasoning", "id": f"rs_{number}", "summary": summary, "encrypted_content": "gAAA", **members}


def call(id="c1", number=1, **members):
    return {"type": "function_call", "call_id": id, "name": "look", "arguments": "{}", "id": f"fc_{number}", **members}


def output(call_id="c1", said="ok", **members):
    return {"type": "function_call_output", "call_id": call_id, "output": said, **members}


EVERYTHING = [
    message("developer", "Be brief."),
    {"role": "system", "content": "And kind."},
    {"role": "user", "content": "plain"},
    message("user", [{"type": "input_text", "text": "see"}, PICTURE, PDF, {"type": "input_image", "file_id": "f"}]),
    message("user", [{"type": "input_text", "text": "a", "kept": 1}, {"type": "input_text", "text": "b"}], status="completed"),
    message("user", [{"type": "input_image", "image_url": "https://example.org/a.png"}, {"type": "from_the_future", "n": [1]}]),
    thought(1, "first", "second"),
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "port GW-55102"}},
    said("found", 1, annotations=[{"type": "url_citation", "url": "https://e.org", "title": "T", "start_index": 0, "end_index": 1}])
    | {"phase": "commentary"},
    call("c1", 1, status="completed", namespace="n"),
    {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** Begin", "id": "ctc_1"},
    {"type": "local_shell_call", "id": "lsh_1", "call_id": "c3", "status": "completed", "action": {"type": "exec", "command": ["ls", "-l"], "env": {}}},
    {"type": "shell_call", "id": "sh_1", "call_id": "c4", "status": "completed", "action": {"commands": ["ls"], "timeout_ms": 5}},
    {"type": "apply_patch_call", "id": "apc_1", "call_id": "c5", "status": "completed", "operation": {"type": "update_file", "path": "a.py", "diff": "@@"}},
    {"type": "computer_call", "id": "cu_1", "call_id": "c6", "status": "completed", "pending_safety_checks": [], "action": {"type": "click", "x": 1, "y": 2, "button": "left"}},
    {"type": "tool_search_call", "call_id": "c7", "execution": "client", "arguments": {"query": "git"}},
    {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "files", "name": "delete", "arguments": '{"path": "a"}'},
    output("c1", "1", status="completed") | {"id": "fc_out"},
    {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "done"}, PICTURE]},
    {"type": "local_shell_call_output", "id": "c3", "output": "a.py", "status": "completed"},
    {"type": "shell_call_output", "call_id": "c4", "output": [
        {"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
        {"stdout": "", "stderr": "no", "outcome": {"type": "exit", "exit_code": 2}},
    ]},
    {"type": "apply_patch_call_output", "call_id": "c5", "status": "failed", "output": "no such file"},
    {"type": "computer_call_output", "call_id": "c6", "output": {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PNG}"}, "acknowledged_safety_checks": []},
    {"type": "tool_search_output", "call_id": "c7", "tools": [{"type": "function", "name": "git_log"}]},
    {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": False, "reason": "too much"},
    {"type": "mcp_call", "id": "mcp_1", "server_label": "files", "name": "list", "arguments": "{}", "output": "b.py", "approval_request_id": "mcpr_1"},
    {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "files", "tools": []},
    {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["walrus"], "results": None},
    {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1+1", "container_id": "ct", "outputs": None},
    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG, "revised_prompt": "a walrus"},
    {"type": "item_reference", "id": "msg_77"},
    {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"},
    {"type": "from_the_future_call", "id": "ff_1", "what": [1, None]},
    {"type": "program", "id": "prog_1", "call_id": "p1", "code": "look()", "fingerprint": "x"},
    call("c8", 8, caller={"type": "program", "caller_id": "p1"}),
    output("c8", "2"),
    {"type": "program_output", "id": "po_1", "call_id": "p1", "result": "2", "status": "completed"},
    message("assistant", [{"type": "refusal", "refusal": "I cannot"}, {"type": "output_text", "text": "but", "annotations": []}], id="msg_2", status="completed"),
    message("assistant", "easy", phase="final_answer"),
    {"role": "assistant", "content": "easier"},
    {"type": "configuration_update", "reasoning": {"effort": "low"}},
    {"type": "additional_tools", "role": "developer", "tools": []},
    message("user", [{"type": "input_text", "text": "thanks"}]),
]  # fmt: skip
"""An item of every kind."""


def plain(item):
    return json.dumps(item, sort_keys=True)


def test_items_of_every_kind_go_out_as_they_came():
    messages = parse(*EVERYTHING)
    rendered = render(*messages)
    assert FMT.check(rendered) == []
    assert FMT.left_out(messages) == []
    # Calls come before what answers them; of one turn, all calls do.
    assert sorted(map(plain, rendered)) == sorted(map(plain, EVERYTHING))


def test_items_of_one_turn_are_one_message_in_pieces():
    messages = parse(
        thought(),
        call(),
        call("c2", 2),
        output(),
        output("c2"),
        thought(2),
        said("done"),
        user_item := message("user", "a"),
    )
    groups = [m.group for m in messages]
    assert groups[0] == groups[1] == groups[2] != groups[5] == groups[6]
    assert [m.role for m in messages] == ["assistant"] * 3 + ["tool"] * 2 + ["assistant"] * 2 + ["user"]
    assert user_item["role"] == "user"


def test_parts_are_what_they_are():
    (asked,) = parse(EVERYTHING[3])
    assert asked.parts[0] == Text("see")
    assert asked.parts[1] == Image("image/png", PNG, extra={"responses": {"detail": "high"}})
    assert (asked.parts[2].text, asked.parts[2].pages) == ("a.pdf", 1)
    (reasoned,) = parse(thought(1, "hm", "so"))
    assert reasoned.parts == (
        Reasoning("hm\n\nso", "gAAA", extra={"responses.summaries": {}, "responses": {"id": "rs_1"}}),
    )
    drawn = parse(EVERYTHING[29])[0].parts[0]
    assert (drawn.text, drawn.pages) == ("a walrus", 1)


def test_what_items_say_is_readable():
    shown = "\n".join(part.text for m in parse(*EVERYTHING) for part in m.parts if isinstance(part, Opaque))
    for words in ("GW-55102", "b.py", "walrus", "1+1", "look()"):
        assert words in shown
    assert "gAAA" not in shown
    results = [result for m in parse(*EVERYTHING) for result in m.results]
    assert [r.text for r in results[:5]] == ["1", "done", "a.py", "a\nno", "no such file"]
    assert [r.error for r in results[:5]] == [False, False, False, True, True]
    assert [block.text for r in results for block in r.others] == ["git_log", "not approved\ntoo much"]


def test_reasoning_that_nothing_follows_is_left_out():
    messages = parse(message("user", "a"), thought(), message("user", "b"), thought(2), thought(3))
    assert [item["type"] for item in render(*messages)] == ["message", "message"]
    assert "left out: reasoning" in FMT.left_out(messages)


def test_an_item_whose_reasoning_is_gone_has_no_id():
    """The API knows which reasoning an id goes with, and refuses it alone."""
    turn = parse(thought(), said("a"), call(), output())
    whole = Message("assistant", tuple(p for m in turn[:3] for p in m.parts), turn[0].group)
    without = Message("assistant", whole.parts[1:], whole.group)
    assert [item.get("id") for item in render(whole, turn[3])] == ["rs_1", "msg_1", "fc_1", None]
    assert [item.get("id") for item in render(without, turn[3])] == [None, None, None]
    assert [item.get("id") for item in render(*parse(said("a")))] == ["msg_1"]


def test_items_that_stand_twice_are_told_apart():
    twice = [thought(), said("a"), thought(), said("a"), EVERYTHING[7], EVERYTHING[7]]
    rendered = render(*parse(*twice))
    assert [(item["type"], item.get("id")) for item in rendered] == [
        ("reasoning", "rs_1"),
        ("message", "msg_1"),
        ("message", None),
        ("web_search_call", None),
    ]
    assert FMT.check(rendered) == []


def test_what_the_form_cannot_hold_is_said_in_words_and_told():
    document = Opaque("anthropic:document", {"type": "document"}, text="T\nport 8417")
    thinking = Reasoning("hm", "sig")
    messages = [
        user("a"),
        Message("user", (Image("image/tiff", "aGk="), Image("url", "file:///a.png"), document)),
        Message("assistant", (thinking, Text("b", extra={"anthropic": {"citations": []}}), Opaque("x:y", {}))),
        assistant("", ToolCall("c", "look", "{}")),
        Message("tool", (ToolResult("c", "seen", True, (Image("image/png", PNG),)),)),
    ]
    rendered = render(*messages)
    assert FMT.check(rendered) == []
    assert [part["text"] for part in (rendered[1]["content"],) if isinstance(part, dict)] == []
    assert rendered[1]["content"] == "[image left out: image/tiff]\n[image left out: file:///a.png]\nT\nport 8417"
    assert rendered[2]["content"] == "b\n[y left out]"
    assert [part["type"] for part in rendered[-1]["output"]] == ["input_text", "input_image"]
    assert FMT.left_out(messages) == [
        "left out: image",
        "carried as text: document",
        "left out: reasoning",
        "left out: citations",
        "left out: y",
        "left out: error mark",
    ]


def test_what_the_api_refuses_in_calls_is_fitted():
    calls = [ToolCall("c" * 80, "n" * 150, ""), ToolCall("c", "fs.read", '{"a": '), ToolCall("", "", "NaN")]
    rendered = render(user("a"), assistant("", *calls), *(tool_result(c.id, str(n)) for n, c in enumerate(calls)))
    assert FMT.check(rendered) == []
    assert [item["call_id"] for item in rendered[1:4]] == [item["call_id"] for item in rendered[4:]]
    assert [item["arguments"] for item in rendered[1:4]] == ["{}", '{"_raw": "{\\"a\\": "}', '{"_raw": "NaN"}']


def test_ids_of_other_kinds_are_left_out():
    rendered = render(
        *parse(call(id="c1") | {"id": "call_1"}, output(), said("a") | {"id": "__fake_id__"}, said("b", 2))
    )
    assert [item.get("id") for item in rendered] == [None, None, None, "msg_2"]
    assert FMT.check(rendered) == []


def test_a_pair_that_its_own_kind_cannot_say_any_more_is_a_function_s():
    """A window may show a result shortened, or say that there is none."""
    asked = parse(*EVERYTHING[13:17])
    calls = Message("assistant", tuple(m.parts[0] for m in asked if m.role == "assistant"))
    answers = [tool_result(c.id, "[no result]") for c in calls.calls]
    rendered = render(user("a"), calls, *answers)
    assert FMT.check(rendered) == []
    assert [item["type"] for item in rendered[1:5]] == ["apply_patch_call"] + ["function_call"] * 3
    shell = parse(EVERYTHING[12], EVERYTHING[20])
    short = Message("tool", (shell[1].results[0].shortened("cut"),))
    assert render(shell[0], short)[1]["output"] == [
        {"stdout": "cut", "stderr": "", "outcome": {"type": "exit", "exit_code": 1}}
    ]


def test_an_approval_is_never_given_for_a_person():
    asked = parse(EVERYTHING[16])
    rendered = render(user("a"), *asked, tool_result("mcpr_1", "[no result]"))
    assert "approve" not in json.dumps(rendered)
    assert FMT.check(rendered) == []


def test_null_members_and_those_of_clients_are_left_out():
    """What ``model_dump`` and the Agents SDK add, the API refuses."""
    dumped = [
        thought(1, status=None, content=None, provider_data={"model": "m"}),
        call(parsed_arguments={"a": 1}, namespace=None),
        output(),
        said("a", 1, parsed=None, logprobs=None),
    ]
    rendered = render(*parse(*dumped))
    assert rendered == [thought(), call(), output(), said("a")]


def test_requests_and_responses_are_read_whole():
    request = {"model": "m", "instructions": "Be brief.", "input": "hello"}
    assert [m.role for m in parse_document(request)] == ["system", "user"]
    response = {"id": "resp_1", "object": "response", "instructions": None, "output": [said("hi")], "usage": {}}
    (parsed,) = FMT.parse(ParseRequest(data=json.dumps(response).encode()))
    assert (parsed.session, parsed.messages[0].text) == ("resp_1", "hi")
    both = {"id": "x", "input": [message("user", "a")], "output": [said("hi")]}
    assert [m.text for m in parse_document(both)] == ["a", "hi"]
    assert [m.text for m in parse_document({"input": "a", "output": [said("hi")]})] == ["a", "hi"]


def parse_document(value):
    return [m for parsed in FMT.parse(ParseRequest(data=json.dumps(value).encode())) for m in parsed.messages]


def test_what_was_imported_is_exported_byte_for_byte():
    data = b'{"id": "s", "instructions": "Be brief.", "input": [' + b", ".join(json.dumps(i, indent=1).encode() for i in EVERYTHING) + b"]}\n"  # fmt: skip
    records = [(p.raw, p.messages) for p in FMT.parse(ParseRequest(data=data))]
    assert FMT.export(ExportRequest(session="s", records=records, own=True)) == data


def test_own_records_and_added_messages_are_exported_together():
    raw = json.dumps(message("user", "a")).encode() + b" "
    records = [(raw.strip(), (user("a"),)), (None, (assistant("b"),)), (None, (system("c"),))]
    exported = json.loads(FMT.export(ExportRequest(session="s", records=records, own=True)))
    assert [item["content"] for item in exported["input"]] == ["a", "b", "c"]


def test_histories_of_mixed_origin_are_read():
    mixed = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "tool_calls": [{"id": "t", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "t", "content": "seen"},
        call("c9", 9, arguments={"path": "x"}),
        output("c9", {"content": "bad", "success": False}),
        output("gone"),
        output("c9", "again"),
    ]  # fmt: skip
    found = read(*mixed)
    assert [parsed.skipped for parsed in found] == [None] * 5 + ["tool result without a call", None]
    rendered = render(*(m for parsed in found[:5] for m in parsed.messages))
    assert FMT.check(rendered) == []
    assert [item.get("output") for item in rendered] == [None, None, None, "seen", None, "bad"]


def test_where_nothing_remains_a_line_stands_for_the_conversation():
    nothing = Message("assistant", (Reasoning("hm", "sig"),))
    assert render(nothing) == [message("user", "[the conversation starts here]")]
    assert render(nothing, piece=True) == []


@pytest.mark.parametrize(
    ("value", "sure"),
    [
        ([{"role": "user", "content": "a"}], 0.3),
        ([call()], 0.96),
        ({"input": [{"role": "user", "content": "a"}]}, 0.9),
        ({"model": "m", "input": "a"}, 0.9),
        ([{"role": "user", "content": [{"type": "input_text", "text": "a"}]}], 0.96),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}]}], 0.0),
        ({"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "a"}]}, 0.0),
        ({"messages": [{"role": "user", "content": "a"}]}, 0.0),
        ({"type": "response_item", "payload": call()}, 0.0),
    ],
)
def test_what_is_surely_of_this_form(value, sure):
    assert FMT.sniff(ParseRequest(data=json.dumps(value).encode())) == sure


def test_errors_name_file_and_line():
    with pytest.raises(FormatError, match=r"^talk\.json:2: unknown role 'robot'; known: system, "):
        list(FMT.parse(ParseRequest(data=b'[\n{"role": "robot", "content": "a"}]', source="talk.json")))
