"""``lamina pack``: from a file, standard input or the store to messages and a report."""

import json
import os
from pathlib import Path

import pytest


def by_page(ledger, page):
    return next(row for row in ledger if row["first"] <= page <= row["last"] and row["rendition"] != "recalled")


class TestWhatItPrints:
    def test_messages_go_to_the_pipe_and_the_report_beside_it(self, lamina, recorded):
        done = lamina("pack", recorded(n=20), "--budget", "900", "--set", "window.pager=compact")
        assert done.code == 0
        assert [m["role"] for m in done.json[:2]] == ["system", "user"]
        assert "tokens: " in done.err
        assert "of a budget of 900" in done.err
        assert "before the low mark" in done.err

    def test_a_person_is_shown_the_report_and_how_to_get_the_messages(self, lamina, recorded, terminal):
        recorded(n=20)
        terminal()
        done = lamina("pack", "demo.json", "--budget", "900")
        assert done.code == 0
        assert "tokens: " in done.out
        assert "lamina pack demo --budget 900 --out FILE" in done.out
        assert "You are a careful engineer." not in done.out

    def test_out_takes_the_messages_and_the_report_is_printed(self, lamina, recorded, tmp_path):
        done = lamina("pack", recorded(n=20), "--budget", "900", "--out", "window.json")
        assert done.code == 0
        written = json.loads((tmp_path / "work" / "window.json").read_bytes())
        assert written == lamina("pack", "demo", "--budget", "900").json
        assert f"{len(written)} messages written to window.json" in done.out
        assert done.err == ""

    def test_json_holds_what_is_documented(self, lamina, recorded):
        done = lamina("pack", recorded(n=20), "--budget", "900", "--json")
        packed = done.json
        assert done.err == ""
        assert list(packed) == ["session", "format", "source_format", "budget", "query", "tokens", "pages", "compacted",
                                "messages", "ledger", "notes", "repairs", "imported"]  # fmt: skip
        assert (packed["session"], packed["format"], packed["budget"]) == ("demo", "openai", 900)
        assert packed["tokens"]["after"] <= 900 < packed["tokens"]["before"]
        assert sum(packed["pages"].values()) == 2 * packed["pages"]["total"]
        assert list(packed["ledger"][0]) == ["first", "last", "rendition", "rule", "score", "tokens_before",
                                             "tokens_after", "compressor", "notes", "lines"]  # fmt: skip
        assert sum(row["tokens_before"] for row in packed["ledger"]) == packed["tokens"]["before"]
        assert sum(row["tokens_after"] for row in packed["ledger"]) == packed["tokens"]["after"]
        assert packed["repairs"] == []
        assert packed["imported"]["added"] == len(json.loads(Path("demo.json").read_bytes()))

    def test_json_goes_to_the_file_too(self, lamina, recorded, tmp_path):
        done = lamina("pack", recorded(n=20), "--budget", "900", "--json", "--out", "packed.json")
        assert (done.code, done.raw, done.err) == (0, b"", "")
        assert json.loads((tmp_path / "work" / "packed.json").read_bytes())["session"] == "demo"

    def test_a_recalled_memory_stands_in_the_tail_and_in_the_ledger(self, lamina, recorded):
        assert lamina("remember", "the walrus password is kept in the blue safe").code == 0
        done = lamina("pack", recorded(n=10), "--budget", "1500", "--query", "walrus password", "--json")
        recalled = [row for row in done.json["ledger"] if row["rendition"] == "recalled"]
        assert len(recalled) == done.json["pages"]["recalled"] > 0
        assert "blue safe" in done.json["messages"][-1]["content"]

    def test_the_report_ends_where_it_gets_long(self, lamina, recorded, monkeypatch):
        from lamina_cli.commands import pack

        monkeypatch.setattr(pack, "SHOWN_ROWS", 1)
        done = lamina("pack", recorded(n=20), "--budget", "900")
        assert "more rows: lamina explain demo" in done.err


class TestForms:
    def test_a_claude_code_session_comes_out_as_anthropic_messages(self, lamina, sample):
        done = lamina("pack", sample, "--budget", "8000", "--json")
        assert (done.code, done.json["format"], done.json["source_format"]) == (0, "anthropic", "claude-code")
        assert all(isinstance(m["content"], list) for m in done.json["messages"])
        assert done.json["tokens"]["after"] <= 8000

    @pytest.mark.parametrize("form", ["openai", "anthropic"])
    def test_format_chooses_the_form(self, lamina, recorded, form):
        done = lamina("pack", recorded(n=5), "--format", form, "--json")
        assert done.json["format"] == form
        blocks = [type(m["content"]) for m in done.json["messages"]]
        assert set(blocks) == ({list} if form == "anthropic" else {str, type(None)})

    def test_an_unknown_form_is_refused_before_anything_is_stored(self, lamina, recorded):
        done = lamina("pack", recorded(n=5), "--format", "carrier-pigeon")
        assert done.code == 1
        assert "no format named 'carrier-pigeon'; installed: anthropic, claude-code, " in done.err
        assert lamina("sessions", "--json").json == {"sessions": []}


class TestWhereTheSessionComesFrom:
    def test_a_stored_session_needs_no_file(self, lamina, recorded):
        source = recorded(n=20)
        first = lamina("pack", source, "--budget", "900").json
        source.unlink()
        again = lamina("pack", "demo", "--budget", "900", "--json").json
        assert (again["messages"], again["imported"]) == (first, None)

    def test_a_file_that_grew_adds_what_is_new(self, lamina, recorded, chat):
        messages = chat(10)
        lamina("pack", recorded(messages=messages[:12]), "--budget", "900")
        done = lamina("pack", recorded(messages=messages), "--budget", "900", "--json")
        assert done.json["imported"]["already"] == 12
        assert done.json["imported"]["added"] == len(messages) - 12

    def test_standard_input_is_named_by_its_content(self, lamina, chat):
        one, other = (json.dumps(chat(3, name=name)).encode() for name in ("one", "other"))
        ids = [lamina("pack", "-", "--json", stdin=data).json["session"] for data in (one, other, one)]
        assert ids[0] == ids[2] != ids[1]
        assert ids[0].startswith("stdin-")
        assert lamina("pack", "-", "--session", "mine", "--json", stdin=one).json["session"] == "mine"

    def test_a_name_with_a_slash_is_found_in_the_store(self, lamina, recorded):
        assert lamina("import", recorded(n=3), "--session", "team/a b").code == 0
        assert lamina("pack", "team/a b", "--json").json["session"] == "team/a b"

    def test_of_several_sessions_one_must_be_chosen(self, lamina, several):
        done = lamina("pack", several)
        assert (done.code, done.raw) == (2, b"")
        assert "holds 3 sessions; choose one with --session: talk-0, talk-1, talk-2" in done.err
        assert lamina("sessions", "--json").json == {"sessions": []}
        assert lamina("pack", several, "--session", "talk-1", "--json").json["session"] == "talk-1"
        assert [s["id"] for s in lamina("sessions", "--json").json["sessions"]] == ["talk-1"]

    def test_a_wrong_choice_lists_them_too(self, lamina, several):
        done = lamina("pack", several, "--session", "talk-9")
        assert done.code == 2
        assert "none of them 'talk-9'; choose one with --session: talk-0, talk-1, talk-2" in done.err

    def test_a_choice_where_there_is_none_is_wrong_use(self, lamina, recorded):
        lamina("import", recorded(n=3))
        assert lamina("pack", "demo", "--session", "other").code == 2
        assert lamina("pack", "demo", "--session", "demo").code == 0


class TestWhatDoesNotGoOutAsItCame:
    SPOKEN = [
        {"role": "user", "name": "bob", "content": "a"},
        {"role": "assistant", "content": "b", "reasoning_content": "hm"},
        {"role": "user", "content": "c"},
    ]

    def test_is_told_by_the_report_the_ledger_and_explain(self, lamina, recorded):
        given = recorded(messages=self.SPOKEN)
        assert lamina("pack", given, "--json").json["notes"] == []
        assert lamina("pack", given).json == self.SPOKEN
        done = lamina("pack", given, "--format", "anthropic", "--json").json
        assert done["notes"] == ["left out: name (1)", "left out: reasoning (2)"]
        assert [row["notes"] for row in done["ledger"]] == [["left out: name"], ["left out: reasoning"], []]
        report = lamina("pack", given, "--format", "anthropic", "--out", "window.json").out
        assert "not sent as it came, by page: left out: name (1); left out: reasoning (2)" in report
        assert "left out" not in lamina("explain", "demo").out

    def test_a_half_written_last_line_is_told_and_refused_strictly(self, lamina, tmp_path):
        lines = [json.dumps(message) for message in self.SPOKEN]
        (tmp_path / "work" / "demo.jsonl").write_text("\n".join(lines)[:-9])
        strict = lamina("pack", "demo.jsonl", "--strict")
        assert (strict.code, strict.raw) == (1, b"")
        assert strict.err.startswith("lamina: demo.jsonl:3: not valid JSON")
        assert lamina("import", "demo.jsonl", "--strict").code == 1
        told = "line 3: half-written or overwritten, skipped"
        assert told in lamina("pack", "demo.jsonl").err
        assert told in lamina("import", "demo.jsonl").out
        assert lamina("pack", "demo.jsonl", "--json").json["imported"]["damaged"] == [3]


class TestBadInput:
    @pytest.mark.parametrize(("data", "told"), [
        (b'[{"role": "user", "content": "a"},\n {"role": "assistant", "content": "b', "demo.json:2: "),
        ('[{"role": "user", "content": "äöü"}]'.encode("latin-1"), "demo.json:1: "),
        ('[{"role": "user", "content": "a"}]'.encode("utf-16"), "demo.json"),
        (b'[{"role": "user", "content": "a"},\n{"role": "wizard", "content": "b"}]', "wizard"),
        (b'[{"role": "user", "content": "a"},\n{"role": "tool", "content": "b"}]', "demo.json:2: "),
        (b'{"some": "thing"}', "demo.json"),
        (b"\x00\x01\x02\xff", "demo.json"),
        (b"[" * 100_000, "demo.json"),
        (b"", "demo.json: holds no messages"),
        (b" \n\n", "demo.json: holds no messages"),
    ])  # fmt: skip
    def test_is_one_line_that_names_the_place_and_stores_nothing(self, lamina, tmp_path, data, told):
        (tmp_path / "work" / "demo.json").write_bytes(data)
        done = lamina("pack", "demo.json")
        assert (done.code, done.raw) == (1, b"")
        assert done.err.startswith("lamina: demo.json")
        assert told in done.err
        assert done.err.count("\n") == 1
        assert lamina("sessions", "--json").json == {"sessions": []}

    def test_a_recording_without_messages_says_what_was_skipped(self, lamina, tmp_path):
        (tmp_path / "work" / "only.jsonl").write_text('{"type": "summary", "summary": "S", "leafUuid": "u"}\n')
        done = lamina("pack", "only.jsonl")
        assert done.code == 1
        assert "holds no messages (skipped: 1 summary)" in done.err

    def test_a_missing_file_is_said(self, lamina):
        done = lamina("pack", "nowhere.jsonl")
        assert done.code == 1
        assert done.err == "lamina: nowhere.jsonl: no such file, and no stored session of this id; check the path, or: lamina sessions\n"  # fmt: skip

    def test_a_folder_is_said(self, lamina, tmp_path):
        done = lamina("pack", tmp_path)
        assert done.code == 1
        assert "is a folder; name a file in it" in done.err

    def test_a_name_that_is_no_path_is_said(self, lamina):
        for name in ("x" * 5000, "a\0b"):
            done = lamina("pack", name)
            assert done.code == 1
            assert "no such file" in done.err

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
    def test_a_file_that_may_not_be_read_is_said(self, lamina, recorded):
        recorded().chmod(0)
        assert "permission denied" in lamina("pack", "demo.json").err

    def test_a_file_that_cannot_be_written_is_said(self, lamina, recorded):
        done = lamina("pack", recorded(n=3), "--out", "no/such/folder.json")
        assert done.code == 1
        assert done.err == "lamina: no/such/folder.json: no such file or folder; check the path\n"

    @pytest.mark.parametrize("budget", ["0", "-5", "many", "1.5"])
    def test_an_impossible_budget_is_wrong_use(self, lamina, recorded, budget):
        done = lamina("pack", recorded(n=3), f"--budget={budget}")
        assert done.code == 2
        assert f"'{budget}' is no whole number above 0" in done.err

    def test_a_budget_that_the_system_message_breaks_says_the_numbers(self, lamina, recorded, chat):
        messages = [{"role": "system", "content": "be careful " * 200}, *chat(5)[1:]]
        done = lamina("pack", recorded(messages=messages), "--budget", "100")
        assert done.code == 1
        assert "budget of 100 tokens: the 1 pinned and system pages need 4" in done.err
        assert lamina("pack", "demo", "--budget", "2000").code == 0

    def test_another_recording_of_the_same_name_is_refused_with_the_remedy(self, lamina, recorded, chat):
        assert lamina("pack", recorded(messages=chat(3, name="one"))).code == 0
        done = lamina("pack", recorded(messages=chat(3, name="other")))
        assert done.code == 1
        assert "already holds a different recording" in done.err
        assert "--session NAME" in done.err
        assert lamina("pack", "demo.json", "--session", "other").code == 0
