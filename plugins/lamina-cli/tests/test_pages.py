"""``lamina expand`` and ``lamina explain``: what a page says, and what became of it."""

import json

import pytest

from lamina_cli._failures import UsageError
from lamina_cli._pages import one_page, span


class TestNames:
    @pytest.mark.parametrize(("text", "session", "first", "last"), [
        ("12", None, 12, None), (" 12 ", None, 12, None), ("12-30", None, 12, 30), ("12–30", None, 12, 30),
        ("demo#12", "demo", 12, None), ("a#b-3#12-30", "a#b-3", 12, 30), ("7-7", None, 7, 7),
    ])  # fmt: skip
    def test_pages_are_named_alone_as_runs_and_with_their_session(self, text, session, first, last):
        named = span(text)
        assert (named.session, named.first, named.last) == (session, first, last)

    @pytest.mark.parametrize("text", ["", "x", "12-", "-12", "#12", "demo#", "1-2-3", "30-12", "१२", "9" * 30])
    def test_everything_else_is_wrong_use(self, text):
        with pytest.raises(UsageError):
            span(text)

    @pytest.mark.parametrize("text", ["1-2", "demo#1"])
    def test_one_page_is_no_run(self, text):
        with pytest.raises(UsageError):
            one_page(text)


@pytest.fixture
def stored(lamina, recorded):
    source = recorded(n=20)
    assert lamina("pack", source, "--budget", "900").code == 0
    source.unlink()
    return "demo"


class TestExpand:
    def test_one_page_prints_its_original_text(self, lamina, stored, chat):
        assert lamina("expand", "demo#2").out == chat(20)[1]["content"] + "\n"

    def test_without_a_session_the_one_used_last_is_taken_and_named(self, lamina, stored, chat, recorded):
        assert lamina("import", recorded("older.json", n=2)).code == 0
        assert lamina("pack", "demo").code == 0
        done = lamina("expand", "2")
        assert done.out == chat(20)[1]["content"] + "\n"
        assert done.err == "lamina: session demo, the one used last (choose another with --session)\n"
        assert lamina("expand", "2", "--session", "older").err == ""

    def test_a_page_with_calls_says_all_of_it(self, lamina, stored, chat):
        text = lamina("expand", "demo#3").out
        assert text.startswith("read {}\n")
        assert text.endswith(chat(20)[3]["content"] + "\n")

    def test_raw_is_the_source_byte_for_byte(self, lamina, tmp_path):
        odd = b'[ {"role":"user",  "content": "\\u00e4 \xe6\x97\xa5",\t"extra": 1.50},\n{"content":"b","role":"assistant"}]'
        (tmp_path / "work" / "odd.json").write_bytes(odd)
        assert lamina("import", "odd.json").code == 0
        assert lamina("expand", "odd#1", "--raw").raw == odd[2 : odd.index(b",\n")] + b"\n"
        assert (
            lamina("expand", "odd#1-2", "--raw").raw
            == odd[2 : odd.index(b",\n")] + b"\n" + odd[odd.index(b"\n") + 1 : -1] + b"\n"
        )

    def test_a_range_is_listed(self, lamina, stored, chat):
        done = lamina("expand", "demo#1-4")
        lines = done.out.splitlines()
        assert lines[0].split() == ["page", "role", "tokens", "says"]
        assert [line.split()[:2] for line in lines[1:]] == [
            ["1", "system"],
            ["2", "user"],
            ["3", "assistant"],
            ["4", "assistant"],
        ]
        assert chat(20)[1]["content"] in lines[2]

    def test_listing_is_not_needing(self, lamina, stored):
        """Faults teach the scorers what to keep: only what is read counts."""
        lamina("expand", "demo#1-40")
        assert lamina("expand", "demo#2", "--json").json["pages"][0]["id"] == 2

    def test_json_holds_the_pages(self, lamina, stored, chat):
        done = lamina("expand", "demo#2-4", "--json").json
        assert done["session"] == "demo"
        assert [page["id"] for page in done["pages"]] == [2, 3, 4]
        assert list(done["pages"][0]) == ["id", "role", "tokens", "messages", "pinned", "text"]
        assert done["pages"][0]["text"] == chat(20)[1]["content"]
        assert done["pages"][1]["messages"] == 2

    def test_a_page_without_text_says_so(self, lamina, recorded):
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
        assert lamina("import", recorded(messages=[{"role": "user", "content": [image]}])).code == 0
        done = lamina("expand", "demo#1")
        assert (done.code, done.raw) == (0, b"")
        assert "page 1 has no text (image); --raw prints its source record" in done.err

    def test_control_characters_do_not_reach_a_terminal(self, lamina, recorded, monkeypatch):
        from lamina_cli.commands import expand

        evil = "red \x1b[31m alert \x07\r\nnext"
        assert lamina("import", recorded(messages=[{"role": "user", "content": evil}])).code == 0
        assert lamina("expand", "demo#1").out == evil + "\n"
        monkeypatch.setattr(expand, "for_reader", __import__("lamina_cli._output", fromlist=["visible"]).visible)
        assert lamina("expand", "demo#1").out == "red \\x1b[31m alert \\x07\nnext\n"
        assert "\x1b" not in lamina("expand", "demo#1-1").out

    def test_an_unknown_page_says_which_there_are(self, lamina, stored):
        done = lamina("expand", "demo#999")
        assert (done.code, done.raw) == (1, b"")
        assert done.err.startswith("lamina: no page 999 in session 'demo'; its pages are 1 to ")
        assert lamina("expand", "demo#999-1000").code == 1

    def test_an_unknown_session_says_which_are_stored(self, lamina, stored):
        done = lamina("expand", "nobody#1")
        assert (done.code, done.err) == (1, "lamina: no session 'nobody'; stored: demo\n")

    def test_without_any_session_the_remedy_is_said(self, lamina):
        assert lamina("expand", "1").err == "lamina: no session is stored yet; store one with: lamina import FILE\n"

    @pytest.mark.parametrize("line", [["x"], ["1", "--raw", "--json"], ["a#1", "--session", "b"], ["5-1"]])
    def test_wrong_use_is_refused(self, lamina, line):
        assert lamina("expand", *line).code == 2


class TestExplain:
    def test_it_tells_of_every_page_at_the_last_budget(self, lamina, stored):
        packed = lamina("pack", "demo", "--budget", "900", "--json").json
        told = lamina("explain", "demo", "--json").json
        assert list(told) == ["session", "budget", "tokens", "ledger", "repairs"]
        assert (told["budget"], told["ledger"], told["tokens"]) == (900, packed["ledger"], packed["tokens"])
        lines = lamina("explain", "demo").out.splitlines()
        assert "of a budget of 900" in lines[0]
        assert lines[2].split() == ["pages", "rendition", "why", "score", "before", "after"]
        assert len(lines) == 3 + len(packed["ledger"]) + sum(len(row["lines"]) for row in packed["ledger"])
        assert any("said: Step 0 of demo" in line for line in lines)

    def test_another_budget_may_be_asked_for(self, lamina, stored):
        told = lamina("explain", "demo", "--budget", "1200", "--json").json
        assert told["tokens"]["after"] <= told["budget"] == 1200

    def test_one_page_is_told_in_full(self, lamina, stored, chat):
        done = lamina("explain", "demo", "2")
        assert chat(20)[1]["content"] in done.out
        told = lamina("explain", "demo", "2", "--json").json
        assert told["ledger"][0]["rendition"] in done.out
        assert told["page"] == {"id": 2, "role": "user", "tokens": told["page"]["tokens"], "pinned": False}
        assert len(told["ledger"]) == 1
        assert told["ledger"][0]["first"] <= 2 <= told["ledger"][0]["last"]

    def test_a_shortened_page_says_by_what(self, lamina, sample):
        packed = lamina("pack", sample, "--budget", "8000", "--json", "--set", "window.pager=compact").json
        page = next(row["first"] for row in packed["ledger"] if row["rendition"] == "shortened")
        lines = [line.split() for line in lamina("explain", packed["session"], page).out.splitlines()]
        assert ["stands", "shortened"] in lines
        assert ["by", "truncate"] in lines

    def test_options_may_stand_between_session_and_page(self, lamina, stored):
        assert lamina("explain", "demo", "--json", "2").json["page"]["id"] == 2

    def test_a_file_is_stored_first(self, lamina, recorded):
        assert lamina("explain", recorded("new.json", n=3), "--json").json["session"] == "new"
        assert lamina("recall", "file_1.py", "--json").json["hits"] != []

    def test_an_unknown_page_or_session_is_said(self, lamina, stored):
        assert "no page 999 in session 'demo'" in lamina("explain", "demo", "999").err
        assert lamina("explain", "demo", "999").code == 1
        assert lamina("explain", "nobody").code == 1
        assert lamina("explain", "demo", "1-2").code == 2

    def test_what_a_plugin_did_wrong_is_shown_and_stays_one_line(self, lamina, installed, recorded):
        installed(
            "acme-pager",
            """
from contextlib import asynccontextmanager
from attrs import frozen
from lamina.hookspecs import hookimpl
from lamina.protocols import Plan

@frozen
class Settings:
    pass

class Pager:
    def due(self, request): return False
    def large(self, budget): return None
    async def admit(self, request): return None
    async def plan(self, request): return Plan(())

@asynccontextmanager
async def opener(settings, host):
    yield Pager()

@hookimpl
def register_pager(register):
    register("acme", opener, Settings)
""",
        )
        done = lamina("explain", recorded(n=20), "--budget", "900", "--set", "window.pager=acme")
        assert done.code == 0
        assert "repaired: acme: " in done.out
        packed = lamina("pack", "demo", "--budget", "901", "--json", "--set", "window.pager=acme").json
        assert packed["repairs"][0].startswith("acme: ")
        strict = lamina("pack", "demo", "--budget", "902", "--set", "window.pager=acme", "--set", "window.strict=true")
        assert strict.code == 1
        assert strict.err.startswith("lamina: acme: ")
        assert json.dumps(packed)
