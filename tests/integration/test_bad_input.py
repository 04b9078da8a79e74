"""Bad input: each a clear error naming file and line, and nothing stored half."""

from __future__ import annotations

import asyncio
import json

import pytest

import lamina
from lamina.errors import FormatError


def line(role, content, **more):
    return json.dumps({"role": role, "content": content, **more})


GOOD = line("user", "hello") + "\n" + line("assistant", "hi") + "\n"
CLAUDE = (
    json.dumps({"type": "user", "sessionId": "s", "uuid": "1", "message": {"role": "user", "content": "hello"}}) + "\n"
)

BAD = {
    "truncated JSON": (f"[{line('user', 'hello')},\n{line('user', 'hello')[:-8]}", 2, "JSON"),
    "deep nesting": (GOOD + "[" * 100_000 + "]" * 100_000, 3, "nest"),
    "an unknown role": (GOOD + line("robot", "beep"), 3, "robot"),
    "a result that names no call": (GOOD + line("tool", "x"), 3, "call"),
    "half a surrogate pair is no error by itself but a bad escape is": (
        GOOD + '{"role": "user", "content": "\\x"}',
        3,
        "JSON",
    ),
}


def import_into(tmp_path, data, name="bad.jsonl", **how):
    async def go():
        async with lamina.open(settings={"home": str(tmp_path / "home")}) as ctx:
            try:
                return await ctx.import_data(data, name, **how), [i.id for i in await ctx.sessions()]
            except FormatError as error:
                return error, [i.id for i in await ctx.sessions()]

    return asyncio.run(go())


@pytest.mark.parametrize("case", BAD)
def test_bad_input_names_file_and_line_and_stores_nothing(tmp_path, case):
    data, at, why = BAD[case]
    error, stored = import_into(tmp_path, data.encode())
    assert isinstance(error, FormatError)
    assert str(error).startswith(f"bad.jsonl:{at}: ")
    assert why.lower() in str(error).lower()
    assert "\n" not in str(error)
    assert stored == []


@pytest.mark.parametrize("whole", [GOOD, CLAUDE * 2])
def test_a_half_written_last_line_is_told_and_read_once_it_is_whole(tmp_path, whole):
    """A file that is being written can be imported at any time, and again when it has grown."""
    first, torn = whole.splitlines(keepends=True)
    torn = torn.replace('"1"', '"2"')
    error, stored = import_into(tmp_path, (first + torn[:-9]).encode(), strict=True)
    assert str(error).startswith("bad.jsonl:2: not valid JSON")
    assert stored == []
    (done,), _ = import_into(tmp_path, (first + torn[:-9]).encode())
    assert (done.added, done.damaged, dict(done.skipped)) == (1, (2,), {"half-written line": 1})
    (again,), _ = import_into(tmp_path, (first + torn).encode())
    assert (again.added, again.already, again.damaged) == (1, 1, ())


def test_results_without_a_call_are_skipped_and_counted(tmp_path):
    (done,), _ = import_into(tmp_path, (GOOD + line("tool", "x", tool_call_id="nobody")).encode())
    assert (done.added, dict(done.skipped)) == (2, {"tool result without a call": 1})


@pytest.mark.parametrize("command", ["auto", "openai", "claude-code"])
def test_utf_16_has_its_own_sentence_whoever_meets_it(tmp_path, command):
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        error, _ = import_into(tmp_path, GOOD.encode(encoding), format=command)
        assert str(error) == "bad.jsonl:1: UTF-16 or binary data, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8"


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_wrong_encoding_is_named(tmp_path, encoding):
    error, stored = import_into(tmp_path, (GOOD + line("user", "xx").replace("xx", "ü")).encode(encoding))
    assert isinstance(error, FormatError)
    assert "bad.jsonl" in str(error)
    assert stored == []


def test_a_line_of_200_mb_is_refused_by_line_size_and_setting(tmp_path):
    huge = (
        CLAUDE.encode() + b'{"type": "user", "message": {"role": "user", "content": "' + b"x" * 200_000_000 + b'"}}\n'
    )
    error, stored = import_into(tmp_path, huge)
    assert isinstance(error, FormatError)
    assert str(error).startswith("bad.jsonl:2: ")
    assert "max_record_bytes" in str(error)
    assert stored == []


def test_one_bad_session_of_a_set_keeps_the_whole_set_out(tmp_path):
    sets = [
        json.dumps({"id": n, "messages": [{"role": r, "content": "x"}]}) for n, r in (("a", "user"), ("b", "robot"))
    ]
    error, stored = import_into(tmp_path, "\n".join(sets).encode())
    assert isinstance(error, FormatError)
    assert ":2:" in str(error)
    assert stored == []


def test_a_file_without_a_record_is_no_error(tmp_path):
    done, stored = import_into(tmp_path, b"")
    assert done == []
    assert stored == []
