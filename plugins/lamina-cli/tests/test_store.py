"""``lamina import``, ``sessions`` and ``export``: into the store and out of it."""

import json
import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("LAMINA_SHARED", Path(__file__).resolve().parents[3].parent / "shared"))


class TestImport:
    def test_it_says_what_was_added_what_was_there_and_what_was_skipped(self, lamina, sample):
        first = lamina("import", sample, "--json").json
        (row,) = first["imported"]
        assert list(row) == ["file", "session", "format", "added", "already", "skipped", "pages", "tokens", "damaged"]
        assert (row["file"], row["format"], row["already"]) == (str(sample), "claude-code", 0)
        assert row["added"] > 150
        assert sum(row["skipped"].values()) > 0
        again = lamina("import", sample, "--json").json["imported"][0]
        assert (again["added"], again["already"] > row["added"]) == (0, True)
        table = lamina("import", sample).out
        assert row["session"] in table
        assert all(f"{count} {reason}" in table for reason, count in row["skipped"].items())

    def test_a_file_may_hold_several(self, lamina, several):
        done = lamina("import", several)
        assert done.code == 0
        assert [line.split()[0] for line in done.out.splitlines()[1:4]] == ["talk-0", "talk-1", "talk-2"]
        assert done.out.endswith("in 3 sessions\n")
        assert done.err == ""

    def test_one_of_several_may_be_chosen_and_one_may_be_named(self, lamina, several, recorded):
        assert lamina("import", several, "--session", "talk-2").code == 0
        assert lamina("import", recorded(n=2), "--session", "mine").code == 0
        assert {s["id"] for s in lamina("sessions", "--json").json["sessions"]} == {"talk-2", "mine"}
        assert lamina("import", several, "demo.json", "--session", "x").code == 2

    def test_a_file_that_fails_does_not_stop_the_others(self, lamina, recorded, tmp_path):
        recorded("good.json", n=2)
        (tmp_path / "work" / "bad.json").write_text('[{"role": "user", "content": "a"},\n{"role"')
        done = lamina("import", "bad.json", "nowhere.json", ".", "good.json")
        assert done.code == 1
        told = done.err.splitlines()
        assert len(told) == 3
        assert told[0].startswith("lamina: bad.json:2: ")
        assert told[1] == "lamina: nowhere.json: no such file or folder; check the path"
        assert told[2] == "lamina: .: is a folder; name the files in it"
        assert "3 files failed" in done.out
        assert [s["id"] for s in lamina("sessions", "--json").json["sessions"]] == ["good"]

    def test_json_lists_the_failures_too(self, lamina, tmp_path):
        (tmp_path / "work" / "empty.jsonl").touch()
        done = lamina("import", "nowhere.json", "empty.jsonl", "--json")
        assert done.code == 1
        assert done.json == {
            "imported": [],
            "empty": ["empty.jsonl"],
            "failed": [{"file": "nowhere.json", "error": "nowhere.json: no such file or folder; check the path"}],
        }

    def test_an_empty_file_is_said_and_is_no_failure(self, lamina, tmp_path):
        (tmp_path / "work" / "empty.jsonl").write_bytes(b"\n")
        done = lamina("import", "empty.jsonl")
        assert (done.code, done.err) == (0, "")
        assert "empty.jsonl: empty, nothing to import" in done.out

    def test_nothing_of_a_file_is_stored_when_one_of_its_sessions_is_refused(self, lamina, several, recorded, chat):
        assert lamina("import", recorded(messages=chat(2, name="else")), "--session", "talk-2").code == 0
        done = lamina("import", several)
        assert done.code == 1
        assert "session 'talk-2' already holds a different recording" in done.err
        assert [s["id"] for s in lamina("sessions", "--json").json["sessions"]] == ["talk-2"]

    def test_a_format_may_be_forced(self, lamina, recorded):
        assert lamina("import", recorded(n=2), "--format", "openai").code == 0
        assert lamina("import", "demo.json", "--format", "nosuch").code == 1

    def test_standard_input_is_a_file_too(self, lamina, chat):
        done = lamina("import", "-", "--session", "piped", "--json", stdin=json.dumps(chat(2)).encode())
        assert done.json["imported"][0]["session"] == "piped"

    def test_an_unexpected_error_is_told_for_its_file_and_traced_with_debug(self, lamina, recorded, installed):
        installed(
            "acme-format",
            """
from contextlib import asynccontextmanager
from attrs import frozen
from lamina.hookspecs import hookimpl

@frozen
class Settings:
    pass

class Format:
    sends = "openai"
    def sniff(self, request): return 0.0
    def parse(self, request): raise RuntimeError("lost my glasses")

@asynccontextmanager
async def opener(settings, host):
    yield Format()

@hookimpl
def register_format(register):
    register("acme", opener, Settings)
""",
        )
        done = lamina("import", recorded(n=2), "--format", "acme")
        assert done.code == 1
        assert done.err.startswith("lamina: ")
        assert "RuntimeError: lost my glasses" in done.err
        assert "Traceback" not in done.err
        assert "Traceback" in lamina("import", "demo.json", "--format", "acme", "--debug").err

    @pytest.mark.parametrize("name", ["tau_bench/conversations.jsonl", "swe_agent/trajectories.jsonl"])
    def test_recordings_of_agents_import(self, lamina, name):
        file = SHARED / "data" / name
        if not file.is_file():
            pytest.skip(f"no recordings in {SHARED}; LAMINA_SHARED names another folder")
        done = lamina("import", file, "--json")
        assert (done.code, done.json["failed"]) == (0, [])
        assert len(done.json["imported"]) > 5


class TestSessions:
    def test_they_are_listed_the_last_used_first(self, lamina, recorded):
        for name in ("one", "two"):
            assert lamina("import", recorded(f"{name}.json", n=2)).code == 0
        done = lamina("sessions")
        lines = done.out.splitlines()
        assert lines[0].split() == ["session", "format", "pages", "tokens", "last", "used"]
        assert [line.split()[:2] for line in lines[1:]] == [["two", "openai"], ["one", "openai"]]
        told = lamina("sessions", "--json").json["sessions"]
        assert list(told[0]) == [
            "id",
            "format",
            "source",
            "pages",
            "messages",
            "tokens",
            "created_s",
            "updated_s",
            "state",
        ]
        assert [s["id"] for s in told] == ["two", "one"]

    def test_none_is_said(self, lamina):
        done = lamina("sessions")
        assert (done.code, done.raw) == (0, b"")
        assert done.err == "lamina: no session is stored yet; store one with: lamina import FILE\n"


class TestExport:
    def test_a_session_comes_out_as_it_went_in(self, lamina, sample, tmp_path):
        session = lamina("import", sample, "--json").json["imported"][0]["session"]
        assert lamina("export", session).raw == sample.read_bytes()
        done = lamina("export", session, "--out", "copy.jsonl")
        assert (done.code, done.raw) == (0, b"")
        assert (tmp_path / "work" / "copy.jsonl").read_bytes() == sample.read_bytes()

    def test_another_format_may_be_asked_for(self, lamina, recorded, chat):
        lamina("import", recorded(n=4))
        lamina("export", "demo", "--format", "anthropic", "--out", "other.json")
        assert lamina("import", "other.json", "--session", "back", "--json").json["imported"][0]["added"] > 0
        texts = lambda id: [p["text"] for p in lamina("expand", f"{id}#1-99", "--json").json["pages"]]  # noqa: E731
        assert texts("back") == texts("demo")

    def test_what_is_not_there_is_said(self, lamina, recorded):
        assert lamina("export", "nobody").err == "lamina: no session 'nobody'\n"
        lamina("import", recorded(n=2))
        assert lamina("export", "nobody").err == "lamina: no session 'nobody'; stored: demo\n"
        assert "no format named 'nosuch'" in lamina("export", "demo", "--format", "nosuch").err
