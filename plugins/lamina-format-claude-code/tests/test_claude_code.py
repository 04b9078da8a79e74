import json
import os
from collections import Counter
from pathlib import Path

import pytest

from lamina.model import Image, Message, Opaque, Reasoning, Text, ToolCall, assistant, tool_result, user
from lamina.protocols import ExportRequest, ParseRequest
from lamina_format_claude_code._format import ClaudeCodeFormat

SHARED = Path(os.environ.get("LAMINA_SHARED", Path(__file__).parents[4] / "shared"))
FILES = sorted(p for p in (SHARED / "data" / "claude_code").glob("*/*.jsonl"))
FMT = ClaudeCodeFormat()


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


def reference(path):
    """What a reader that knows nothing of pages takes from a file: role, text, calls and results of each line."""
    for text in path.read_text(encoding="utf-8").split("\n"):
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
        assert taken == list(reference(path)), path.name
        assert len({parsed.session for parsed in read}) <= 1
        records = [(parsed.raw, parsed.messages) for parsed in read]
        assert FMT.export(ExportRequest(session="s", records=records, own=True)) == data
    assert set(skipped) <= {"system", "summary", "file-history-snapshot", "queue-operation", "meta", "progress"}


@pytest.mark.skipif(not FILES, reason=f"no recordings in {SHARED}")
def test_recordings_are_known_by_their_first_lines():
    for path in FILES:
        data = path.read_bytes()
        assert FMT.sniff(ParseRequest(data=data)) == (0.98 if data else 0.05)
    manifest = SHARED / "data" / "claude_code" / "MANIFEST.jsonl"
    assert FMT.sniff(ParseRequest(data=manifest.read_bytes())) == 0
