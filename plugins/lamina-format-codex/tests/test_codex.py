import json

import pytest

from lamina.errors import FormatError
from lamina.kit.plans import after
from lamina.model import Message, Page, Text, ToolCall, assistant, tool_result, user
from lamina.protocols import ExportRequest, ParseRequest, RenderRequest
from lamina_format_codex._format import CodexFormat

FMT = CodexFormat()
AT = "2026-01-02T03:04:05.500Z"


def line(kind, /, **payload):
    return {"timestamp": AT, "type": kind, "payload": payload}


def item(kind, /, **members):
    return line("response_item", type=kind, **members)


def event(kind, /, **members):
    return line("event_msg", type=kind, **members)


def message(role, *texts):
    kind = "output_text" if role == "assistant" else "input_text"
    return item("message", role=role, content=[{"type": kind, "text": text} for text in texts])


def typed(text):
    """What a person types stands twice."""
    return [message("user", text), event("user_message", message=text, images=[])]


def call(id="c1", name="shell", arguments="{}"):
    return item("function_call", name=name, arguments=arguments, call_id=id)


def output(id="c1", text="ok"):
    return item("function_call_output", call_id=id, output=text)


HEAD = line("session_meta", id="0199-aa", cwd="/w")


def bytes_of(*values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def read(*values):
    return list(FMT.parse(ParseRequest(data=bytes_of(*values))))


def said(found):
    return [m.text for parsed in found for m in parsed.messages]


def passages(*found):
    return [(p.text, p.rules) for parsed in found for m in parsed.messages for p in FMT.passages(m)]


def test_what_a_person_typed_stands_once():
    found = read(HEAD, *typed("fix it"), message("assistant", "done"), event("agent_message", message="done"))
    assert said(found) == ["fix it", "done"]
    assert [parsed.skipped for parsed in found] == ["session_meta", None, "user_message", None, "agent_message"]


def test_what_stands_in_an_event_only_is_a_message_too():
    picture = "data:image/png;base64,aGk="
    only = event("user_message", message="and the tests", images=[picture])
    found = read(HEAD, *typed("fix it"), only, *typed("fix it"), event("user_message", message="fix it"))
    assert said(found) == ["fix it", "and the tests", "fix it", "fix it"]
    assert found[3].messages[0].parts[1].data == "aGk="


def test_an_item_may_hold_more_than_its_event_shows():
    shown = message("user", "<image name=[Image #1]>", "look at\nthis", "</image>")
    found = read(HEAD, shown, event("user_message", message="look at this", images=["data:image/png;base64,aGk="]))
    assert [parsed.skipped for parsed in found] == ["session_meta", None, "user_message"]
    before = read(HEAD, event("user_message", message="fix it"), message("user", "fix it"), message("assistant", "ok"))
    assert said(before) == ["fix it", "ok"]


def test_what_codex_puts_into_the_user_s_role_is_nobodys_request():
    found = read(
        HEAD,
        message("developer", "<permissions instructions>\nask\n</permissions instructions>"),
        message("user", "# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\nUse tabs.\n</INSTRUCTIONS>", "<environment_context>\n  <cwd>/w</cwd>\n</environment_context>"),
        message("user", "<user_instructions>\n\nBe terse.\n\n</user_instructions>"),
        *typed("# Context from my IDE setup:\n\n## Active file: a.py\n\n## My request for Codex:\nfix it\n"),
        message("assistant", "on it"),
        message("user", "<turn_aborted>\nThe user interrupted the previous turn on purpose.\n</turn_aborted>"),
        message("user", "<user_shell_command>\n<command>\nls\n</command>\n</user_shell_command>"),
        message("developer", "Never push to main."),
    )  # fmt: skip
    assert passages(*found) == [
        ("Use tabs.", True),
        ("Be terse.", True),
        ("fix it", False),
        ("Never push to main.", True),
    ]
    roles = [m.role for parsed in found for m in parsed.messages]
    assert roles == ["user"] * 4 + ["assistant"] + ["user"] * 3


def test_a_developer_s_message_goes_out_as_one():
    (told,) = read(message("developer", "Be brief."))[0].messages
    (written,) = FMT.render(RenderRequest(messages=[told]))
    assert written["payload"] == message("developer", "Be brief.")["payload"]


def test_turns_that_were_rolled_back_are_skipped():
    first = [*typed("one"), call(), output(), message("assistant", "did one")]
    second = [
        message("user", "<environment_context>\n</environment_context>"),
        *typed("two"),
        message("assistant", "did two"),
    ]
    back = event("thread_rolled_back", num_turns=1)
    assert said(read(HEAD, *first, *second, back, *typed("three"))) == [
        "one", "", "ok", "did one", "<environment_context>\n</environment_context>", "three",
    ]  # fmt: skip
    found = read(HEAD, *first, *second, event("thread_rolled_back", num_turns=2), *typed("three"))
    assert said(found) == ["three"]
    assert [parsed.skipped for parsed in found].count("rolled back") == 7
    assert said(read(HEAD, *first, back, back, *typed("three"))) == ["three"]


def test_the_history_that_replaces_another_is_skipped_and_counted():
    replaced = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a summary"}]}]
    found = read(
        HEAD, *typed("one"), line("compacted", message="a summary", replacement_history=replaced), *typed("two")
    )
    assert said(found) == ["one", "two"]
    assert found[3].skipped == "compacted"


def test_a_fork_is_named_by_its_own_first_line():
    parent = line("session_meta", id="0199-bb")
    found = read(line("session_meta", id="0199-aa", forked_from_id="0199-bb"), parent, *typed("one"))
    assert {parsed.session for parsed in found} == {"0199-aa"}


def test_early_rollouts_are_read():
    head = {"id": "0188-bb", "timestamp": AT, "instructions": None}
    state = {"record_type": "state"}
    found = read(head, state, *(made["payload"] for made in (message("user", "a"), call(), output())))
    assert [parsed.skipped for parsed in found] == ["session_meta", "state", None, None, None]
    assert {parsed.session for parsed in found} == {"0188-bb"}
    assert FMT.sniff(ParseRequest(data=bytes_of(head, state, message("user", "a")["payload"]))) == 0.98
    failed = item("function_call_output", call_id="c1", output={"content": "no", "success": False})
    assert read(call(), failed)[1].messages[0].results[0].error


def test_lines_of_other_types_are_skipped_by_their_type():
    found = read(
        HEAD,
        line("turn_context", model="m"),
        line("world_state", full=True),
        event("token_count", info=None),
        line("event_msg", what=1),
        item("ghost_snapshot", ghost_commit={}),
        {"what": 1},
    )
    assert [parsed.skipped for parsed in found] == [
        "session_meta", "turn_context", "world_state", "token_count", "event_msg", "ghost_snapshot", "line without a type",
    ]  # fmt: skip


def test_members_that_codex_keeps_for_itself_do_not_go_out():
    kept = message("assistant", "a")
    kept["payload"] |= {
        "phase": "final_answer",
        "end_turn": True,
        "internal_chat_message_metadata_passthrough": {"turn_id": "t"},
    }
    (written,) = FMT.render(RenderRequest(messages=read(kept)[0].messages))
    assert written["payload"] == message("assistant", "a")["payload"] | {"phase": "final_answer"}
    assert written["timestamp"] == AT


def test_half_written_lines_are_skipped_and_told():
    whole = bytes_of(HEAD, message("user", "a"))
    for end in (whole[: whole.index(b"\n")][:-20], b"\0" * 40):
        found = list(FMT.parse(ParseRequest(data=whole + end)))
        assert (found[2].skipped, found[2].damaged, found[2].torn) == ("half-written line", True, True)
        found = list(FMT.parse(ParseRequest(data=whole + end + b"\n" + whole)))
        assert [(parsed.damaged, parsed.torn) for parsed in found][1:4] == [
            (False, False),
            (True, False),
            (False, False),
        ]
        with pytest.raises(FormatError, match="^input:3: not valid JSON"):
            list(FMT.parse(ParseRequest(data=whole + end, strict=True)))


def test_results_without_calls_are_skipped_and_counted():
    found = read(HEAD, output("gone"), call(), output(), output(text="again"))
    assert [parsed.skipped for parsed in found] == ["session_meta", "tool result without a call", None, None, None]


def test_the_plan_of_codex_is_a_plan():
    plan = {"plan": [{"step": "read a.py", "status": "completed"}, {"step": "fix it", "status": "in_progress"}]}
    found = read(HEAD, call("c1", "update_plan", json.dumps(plan)), output("c1", "Plan updated"))
    messages = tuple(m for parsed in found for m in parsed.messages)
    state = after(None, Page(7, messages, (1, 1)))
    assert [entry.text for entry in state.open] == ["fix it"]


def test_own_lines_and_added_messages_are_exported_together():
    raw = json.dumps(HEAD, indent=None, separators=(" ,", ": ")).encode()
    records = [
        (raw, ()),
        (None, (Message("assistant", (Text("b"), ToolCall("c", "look", "{}"))),)),
        (None, (tool_result("c", "1"),)),
    ]
    data = FMT.export(ExportRequest(session="s", records=records, own=True))
    assert data.startswith(raw + b"\n")
    again = list(FMT.parse(ParseRequest(data=data)))
    assert again[0].session == "0199-aa"
    assert [m.role for parsed in again for m in parsed.messages] == ["assistant", "assistant", "tool"]
    data = FMT.export(ExportRequest(session="s", records=[(None, (user("a"),)), (None, (assistant("b"),))], own=False))
    assert [parsed.session for parsed in FMT.parse(ParseRequest(data=data))] == ["s"] * 3


def test_only_rollouts_are_surely_rollouts():
    assert FMT.sniff(ParseRequest(data=bytes_of(HEAD))) == 0.98
    for other in (
        {"role": "user", "content": "a"},
        {"type": "user", "sessionId": "s", "message": {}},
        message("user", "a")["payload"],
    ):
        assert FMT.sniff(ParseRequest(data=bytes_of(other))) == 0
