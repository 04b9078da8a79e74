import json
import os
from collections import Counter
from pathlib import Path

import pytest

from lamina.errors import FormatError
from lamina.model import Image, Message, Opaque, Reasoning, Text, ToolCall, assistant, tool_result, user
from lamina.protocols import ExportRequest, ParseRequest, RenderRequest
from lamina_format_claude_code._format import ClaudeCodeFormat

SHARED = Path(os.environ.get("LAMINA_SHARED", Path(__file__).parents[4] / "shared"))
FILES = sorted(p for p in (SHARED / "data" / "claude_code").glob("*/*.jsonl"))
FMT = ClaudeCodeFormat()


def test_what_another_provider_signed_is_left_out():
    thought = Reasoning("hm", "gAAA", extra={"responses": {"id": "rs_1"}})
    messages = [user("a"), Message("assistant", (thought, Text("b")))]
    written = FMT.render(RenderRequest(messages=messages))
    assert [made["message"]["content"] for made in written] == ["a", [{"type": "text", "text": "b"}]]
    assert FMT.left_out(messages) == ["left out: reasoning"]


def line(kind, content, **other):
    message_id = other.pop("id", None)
    return {"type": kind, "sessionId": "s", "message": {"role": kind, "content": content, "id": message_id}, **other}


def parse(*values):
    data = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    return list(FMT.parse(ParseRequest(data=data)))


def test_results_come_before_what_the_user_says_beside_them():
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}
    said = [{"type": "text", "text": "stop"}, {"type": "tool_result", "tool_use_id": "t", "content": "a"}]
    read = parse(line("assistant", [call], id="m"), line("user", said))
    assert [m for parsed in read for m in parsed.messages] == [
        Message("assistant", (ToolCall("t", "Bash", '{"command": "ls"}'),), "m"),
        tool_result("t", "a"),
        user("stop"),
    ]


def test_results_without_calls_are_left_out_and_counted():
    orphan = {"type": "tool_result", "tool_use_id": "gone", "content": "a"}
    read = parse(line("user", [orphan]), line("user", [orphan, {"type": "text", "text": "b"}]))
    assert [parsed.skipped for parsed in read] == ["tool result without a call"] * 2
    assert [parsed.messages for parsed in read] == [(), (user("b"),)]


def test_every_other_line_is_skipped_by_its_type():
    read = parse(
        {"type": "summary", "summary": "x"},
        {"type": "system", "subtype": "compact_boundary"},
        {"type": "system", "subtype": "stop_hook_summary"},
        {"type": "from-the-future"},
        {"no": "type"},
        line("user", "caveat", isMeta=True),
        line("assistant", []),
        line("user", None),
    )
    assert [parsed.skipped for parsed in read] == [
        "summary",
        "compact boundary",
        "system",
        "from-the-future",
        "line without a type",
        "meta",
        "empty",
        "empty",
    ]
    assert not any(parsed.messages for parsed in read)


def test_the_summary_after_a_compaction_is_a_message():
    (read,) = parse(line("user", "This session is being continued", isCompactSummary=True))
    assert read.messages == (user("This session is being continued"),)


def test_blocks_are_understood_or_carried_unchanged():
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZA=="},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
        search,
    ]
    (read,) = parse(line("assistant", blocks))
    assert read.messages[0].parts == (
        Reasoning("hm", "c2ln"),
        Reasoning("ZA==", redacted=True),
        Image("image/png", "aGk="),
        Opaque("anthropic:server_tool_use", search),
    )


def test_times_are_read():
    stamped = parse(line("user", "a", timestamp="2026-02-16T18:47:50.500Z"), line("user", "b", timestamp="soon"))
    assert [parsed.messages[0].created_s for parsed in stamped] == [1771267670.5, None]


def tree(*nodes):
    """Lines of a session: ``uuid parent text``, the assistant's with a message id behind a colon."""
    lines = []
    for node in nodes:
        own, parent, said = node.split(" ", 2)
        text, _, group = said.partition(":")
        kind = "assistant" if group else "user"
        content = [{"type": "text", "text": text}] if group else text
        lines.append(line(kind, content, id=group or None, uuid=own, parentUuid=None if parent == "-" else parent))
    return lines


def said(read):
    return " ".join(message.text for parsed in read for message in parsed.messages)


def test_of_branches_the_newest_is_the_conversation():
    first = tree("1 - ask", "2 1 answer:m1", "3 2 go", "4 3 going:m2", "5 4 more")
    again = tree("6 2 instead", "7 6 done:m3")
    read = parse(*first, *again)
    assert said(read) == "ask answer instead done"
    assert [parsed.skipped for parsed in read] == [None] * 2 + ["earlier branch"] * 3 + [None] * 2
    assert said(parse(*first, *again, *tree("8 5 back"))) == "ask answer go going more back"
    assert said(parse(*tree("1 - ask", "2 1 wrong:m1", "3 1 right:m2", "4 3 thanks"))) == "ask right thanks"


def test_what_is_beside_the_newest_branch_and_no_branch_stays():
    """Results of parallel calls, pieces of a message, commands under a note, lines whose parent is not recorded."""

    def call(own, parent, call_id):
        block = {"type": "tool_use", "id": call_id, "name": "Read", "input": {}}
        return line("assistant", [block], id="m1", uuid=own, parentUuid=parent)

    def answer(own, parent, call_id):
        return line(
            "user", [{"type": "tool_result", "tool_use_id": call_id, "content": "x"}], uuid=own, parentUuid=parent
        )

    read = parse(
        *tree("1 - ask"), call("2", "1", "a"), call("3", "2", "b"), answer("4", "2", "a"), answer("5", "3", "b"),
        line("user", "note", uuid="6", parentUuid="5", isMeta=True), *tree("7 6 /status", "8 6 /cost", "9 gone more"),
    )  # fmt: skip
    assert [parsed.skipped for parsed in read if parsed.skipped] == ["meta"]
    resumed = {
        "type": "system",
        "subtype": "compact_boundary",
        "uuid": "3",
        "parentUuid": None,
        "logicalParentUuid": "2",
    }
    read = parse(*tree("1 - ask", "2 1 answer:m1"), resumed, *tree("4 3 summary", "5 4 on:m2"))
    assert said(read) == "ask answer summary on"


def test_a_line_counts_once():
    read = parse(*tree("1 - ask", "2 1 answer:m1") * 2, *tree("2 1 other:m2"))
    assert [parsed.skipped for parsed in read] == [None, None, "repeated line", "repeated line", None]


def test_errors_in_place_of_an_answer_are_skipped():
    read = parse(
        line("assistant", [{"type": "text", "text": "API Error: 529"}], isApiErrorMessage=True),
        {**line("assistant", "No response requested."), "message": {"model": "<synthetic>", "content": "No response"}},
        line("assistant", [{"type": "text", "text": "done"}], id="m1"),
    )
    assert [parsed.skipped for parsed in read] == ["API error", "API error", None]


def test_attachments_are_what_the_user_says_and_shows():
    def attachment(**found):
        return {"type": "attachment", "sessionId": "s", "attachment": found}

    text = {"type": "text", "file": {"filePath": "/w/a.md", "content": "port 9931"}}
    pdf = {"type": "pdf", "file": {"base64": "JVBERg=="}}
    picture = {"type": "image", "file": {"base64": "aGk=", "type": "image/png"}}
    read = parse(
        attachment(type="queued_command", prompt="and the changelog"),
        attachment(type="queued_command", prompt=[{"type": "text", "text": "see"}]),
        attachment(type="file", filename="/w/a.md", content=text),
        attachment(type="file", filename="/w/a.pdf", content=pdf),
        attachment(type="file", filename="/w/a.png", content=picture),
        attachment(type="directory", path="/w", content="a.md"),
        attachment(type="todo_reminder", content=[]),
    )
    assert [m.role for parsed in read for m in parsed.messages] == ["user"] * 6
    assert [m.text for parsed in read for m in parsed.messages] == [
        "and the changelog",
        "see",
        "[attached file /w/a.md]\nport 9931",
        "[attached file /w/a.pdf]",
        "[attached file /w/a.png]",
        "[attached folder /w]\na.md",
    ]
    assert read[3].messages[0].parts[1].pages == 1
    assert read[4].messages[0].parts[1] == Image("image/png", "aGk=")
    assert read[6].skipped == "attachment"


def test_half_written_lines_are_skipped_and_told():
    whole = json.dumps(line("user", "a")).encode() + b"\n"
    for end in (whole[:-20], b"\0" * 40):
        read = list(FMT.parse(ParseRequest(data=whole + end)))
        assert (read[1].skipped, read[1].damaged, read[1].torn) == ("half-written line", True, True)
        read = list(FMT.parse(ParseRequest(data=whole + end + b"\n" + whole)))
        assert [(parsed.damaged, parsed.torn) for parsed in read] == [(False, False), (True, False), (False, False)]
        with pytest.raises(FormatError, match="^input:2: not valid JSON"):
            list(FMT.parse(ParseRequest(data=whole + end, strict=True)))
    read = list(FMT.parse(ParseRequest(data=whole + b"\0" * 40 + whole)))
    assert [parsed.messages for parsed in read] == [(user("a"),)] * 2


def test_members_and_blocks_are_kept():
    inner = [{"type": "text", "text": "a"}, {"type": "tool_reference", "tool_name": "query"}]
    blocks = [
        {"type": "text", "text": "c", "citations": [1]},
        {"type": "tool_use", "id": "t", "name": "Read", "input": {}, "caller": {"type": "direct"}},
    ]
    result = {"type": "tool_result", "tool_use_id": "t", "content": inner}
    read = [m for parsed in parse(line("assistant", blocks), line("user", [result])) for m in parsed.messages]
    written = FMT.render(RenderRequest(messages=read))
    assert [made["message"]["content"] for made in written] == [blocks, [result]]
    assert FMT.left_out(read) == []
    assert FMT.left_out([Message("user", (Opaque("openai:file", {}, text="a.pdf"), Opaque("openai:x", {})))]) == [
        "carried as text: file",
        "left out: x",
    ]


@pytest.mark.parametrize(
    ("sides", "sessions"),
    [
        ([("user", False, None)], ["s"]),
        ([("user", False, None), ("user", True, "a"), ("user", True, None)], ["s", "s.a", "s.sidechain"]),
        ([("user", True, "a"), ("user", False, None)], ["s.a", "s"]),
        ([("user", True, "a"), ("assistant", True, "a")], ["agent-a", "agent-a"]),
        ([("user", True, None)], ["s"]),
        ([("progress", True, "a"), ("user", False, None)], ["s.a", "s"]),
    ],
)
def test_lines_of_agents_are_sessions_of_their_own_beside_a_main_one(sides, sessions):
    read = parse(*(line(kind, "x", isSidechain=side, agentId=agent) for kind, side, agent in sides))
    assert [parsed.session for parsed in read] == sessions


def test_a_line_before_the_first_session_id_belongs_to_it():
    assert [p.session for p in parse({"type": "summary", "summary": "x"}, line("user", "a"))] == ["s", "s"]
    assert [p.session for p in parse({"type": "summary", "summary": "x"})] == [None]


def test_added_messages_are_exported_as_lines_that_follow_each_other():
    raw = json.dumps(line("user", "a")).encode()
    records = [(raw, (user("a"),)), (None, (assistant("b"),)), (None, (user("c"),))]
    first = FMT.export(ExportRequest(session="s", records=records, own=True))
    assert first == FMT.export(ExportRequest(session="s", records=records, own=True))
    assert first.splitlines()[0] == raw
    made = [json.loads(text) for text in first.splitlines()[1:]]
    assert made[1]["parentUuid"] == made[0]["uuid"]
    assert {m["sessionId"] for m in made} == {"s"}


# --------------------------------------------------------------------------------------------- recordings


def reference(path, left):
    """What a reader that knows nothing of pages takes from a file: role, text, calls and results of each line.

    The lines of earlier branches are left.
    """
    for text in path.read_text(encoding="utf-8").split("\n"):
        if text.encode() in left:
            continue
        record = json.loads(text) if text.strip() else {}
        if record.get("type") not in ("user", "assistant") or record.get("isMeta"):
            continue
        content = record["message"]["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts = "\n".join(b["text"] for b in blocks if b["type"] == "text")
        calls = [
            (b["id"], b["name"], json.dumps(b["input"], ensure_ascii=False)) for b in blocks if b["type"] == "tool_use"
        ]
        results = [(b["tool_use_id"], b["content"]) for b in blocks if b["type"] == "tool_result"]
        yield texts, calls, results


@pytest.mark.skipif(not FILES, reason=f"no recordings in {SHARED}")
def test_recordings_are_read_whole_and_exported_byte_for_byte():
    skipped = Counter()
    for path in FILES:
        data = path.read_bytes()
        read = list(FMT.parse(ParseRequest(data=data, source=path.name)))
        assert [parsed.raw for parsed in read] == [text for text in data.split(b"\n") if text]
        skipped.update(parsed.skipped for parsed in read if parsed.skipped)
        taken = [
            (
                "\n".join(p.text for m in parsed.messages for p in m.parts if isinstance(p, Text)),
                [(c.id, c.name, c.arguments) for m in parsed.messages for c in m.calls],
                [(r.call_id, r.text) for m in parsed.messages for r in m.results],
            )
            for parsed in read
            if not parsed.skipped
        ]
        left = {parsed.raw for parsed in read if parsed.skipped == "earlier branch"}
        assert taken == list(reference(path, left)), path.name
        assert len({parsed.session for parsed in read}) <= 1
        records = [(parsed.raw, parsed.messages) for parsed in read]
        assert FMT.export(ExportRequest(session="s", records=records, own=True)) == data
    assert set(skipped) <= {
        "earlier branch", "file-history-snapshot", "meta", "progress", "queue-operation", "summary", "system",
    }  # fmt: skip
    assert skipped["earlier branch"] <= 16  # one of the recordings was rewound


@pytest.mark.skipif(not FILES, reason=f"no recordings in {SHARED}")
def test_recordings_are_known_by_their_first_lines():
    for path in FILES:
        data = path.read_bytes()
        assert FMT.sniff(ParseRequest(data=data)) == (0.98 if data else 0.05)
    manifest = SHARED / "data" / "claude_code" / "MANIFEST.jsonl"
    assert FMT.sniff(ParseRequest(data=manifest.read_bytes())) == 0


def test_ids_that_repeat_become_unique_and_messages_that_say_nothing_are_empty_texts():
    call = ToolCall("c", "look", "{}")
    talk = [user("a"), assistant("", call), tool_result("c", "1"), assistant("", call), tool_result("c", "2"), user("")]
    lines = FMT.render(RenderRequest(messages=[*talk, Message("user", ())]))
    assert FMT.check(lines) == []
    results = [result for parsed in parse(*lines) for message in parsed.messages for result in message.results]
    assert [(result.call_id, result.text) for result in results] == [("c", "1"), (results[1].call_id, "2")]
    assert results[1].call_id != "c"
