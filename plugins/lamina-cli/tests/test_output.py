"""Tables, times and texts as they are written."""

import contextlib
import io
import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina_cli import _output
from lamina_cli._tables import LEAST_CELLS, Table, cut, fitted, plain, show, width

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


class TestTables:
    @QUICK
    @given(st.lists(st.tuples(ANY, ANY, ANY), min_size=1, max_size=6))
    def test_columns_are_aligned_whatever_is_in_them(self, rows):
        table = Table(["name", ">count", "*text"])
        for row in rows:
            table.add(*row)
        lines = plain(table, 20)
        assert len(lines) == len(rows) + 1
        start = max(width(row[0]) for row in [("name",), *table.rows]) + 2
        wide = max(width(row[1]) for row in [("", "count"), *table.rows])
        for line, row in zip(lines[1:], table.rows, strict=True):
            assert width(line) <= start + wide + 2 + 20
            assert line.startswith(row[0].rstrip())  # a line has no blanks at its end
            assert "\n" not in line

    @QUICK
    @given(ANY, st.integers(1, 30))
    def test_what_is_cut_fits_and_says_so(self, text, cells):
        shown = cut(text, cells)
        assert width(shown) <= cells
        assert shown == text or shown.endswith("…")

    @QUICK
    @given(st.lists(st.tuples(ANY, ANY, ANY), min_size=1, max_size=6), st.integers(20, 200))
    def test_columns_that_may_be_cut_give_way_to_the_terminal(self, rows, cells):
        table = Table(["~name", ">count", "*text"])
        for row in rows:
            table.add(*row)
        full, made = fitted(table, 10_000), fitted(table, cells)
        assert made[1] == full[1]
        assert all(m <= f for m, f in zip(made, full, strict=True))
        if made != full:
            assert all(m >= min(f, LEAST_CELLS) for m, f in zip(made, full, strict=True))
            assert sum(made) + 4 <= cells or max(made[0], made[2]) <= LEAST_CELLS

    def test_wide_and_combining_characters_take_their_cells(self):
        assert (width("abc"), width("日本"), width("e\u0301"), width("a\u200db")) == (3, 4, 1, 2)

    def test_no_rows_are_no_table(self, capsys):
        show(Table(["a"]))
        assert capsys.readouterr().out == ""

    def test_a_terminal_gets_a_drawn_one_that_fits(self, capsys, terminal):
        terminal(columns=60)
        table = Table(["~where", ">count", "*text"])
        table.add("日本語" * 20, "12,345", "[bold]no markup[/bold] " * 20)
        show(table)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2
        assert all(width(line.rstrip()) <= 60 for line in lines)
        assert "12,345" in lines[1]
        assert "[bold]" in lines[1]


class TestTexts:
    @QUICK
    @given(st.text())
    def test_nothing_steers_a_terminal(self, text):
        shown = _output.visible(text)
        assert all(c.isprintable() or c in "\n\t" for c in shown)
        assert _output.first_line(text).isprintable()

    @QUICK
    @given(
        st.recursive(
            st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
        )
    )
    def test_any_value_is_json_in_utf8(self, value):
        assert json.loads(_output.as_json(value)) == value

    def test_a_stream_without_bytes_takes_text(self):
        stream = io.StringIO()
        _output.say("ä", stream)
        assert stream.getvalue() == "ä\n"

    def test_a_stream_that_takes_a_part_gets_the_rest(self):
        class Slow(io.RawIOBase):
            taken = b""

            def writable(self):
                return True

            def write(self, data):
                part = bytes(data[:3])
                self.taken += part
                return len(part)

        slow = Slow()
        _output._write(slow, b"0123456789")
        assert slow.taken == b"0123456789"

    def test_numbers_shares_scores_and_times_read_well(self):
        import time

        assert _output.plural(1, "page") == "1 page"
        assert _output.plural(12345, "page") == "12,345 pages"
        assert _output.plural(2, "memory", "memories") == "2 memories"
        assert (_output.share(1, 8), _output.share(0, 0)) == ("12.5 %", "100.0 %")
        assert (_output.score(None), _output.score(0.123)) == ("", "0.12")
        assert _output.when(0) == time.strftime("%b %d  %Y", time.localtime(0))
        now = time.time()
        assert _output.when(now) == time.strftime("%b %d %H:%M", time.localtime(now))

    @pytest.mark.parametrize(("term", "expected"), [("xterm", True), ("dumb", False)])
    def test_a_dumb_terminal_is_written_to_like_a_pipe(self, monkeypatch, term, expected):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        monkeypatch.setenv("TERM", term)
        assert _output.is_terminal(Terminal()) is expected
        assert _output.is_terminal(io.StringIO()) is False
        assert sys.stdout is not None


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
class TestPeopleAndPipes:
    def run(self, *argv, **environ):
        """Standard error on a terminal, standard output in a pipe."""
        import pty

        master, slave = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "lamina_cli", *argv],
            stdout=subprocess.PIPE, stderr=slave, stdin=subprocess.DEVNULL, env={**os.environ, **environ},
        ) as running:  # fmt: skip
            os.close(slave)
            shown = b""
            # Linux ends a terminal that nobody holds any more by an error.
            with contextlib.suppress(OSError):
                while part := os.read(master, 65536):
                    shown += part
            out = running.stdout.read()
        os.close(master)
        return running.returncode, out, shown.decode()

    def test_progress_is_shown_to_a_person_and_stays_out_of_the_pipe(self, recorded):
        source = recorded(n=3)
        code, out, shown = self.run("import", str(source), "--json")
        assert (code, json.loads(out)["failed"]) == (0, [])
        assert "0/1" in shown
        assert "\x1b[" in shown
        code, out, shown = self.run("pack", "[demo].json")
        assert (code, out) == (1, b"")
        code, out, shown = self.run("pack", str(source))
        assert json.loads(out)[0]["role"] == "system"
        assert "reading demo.json …" in shown
        assert "of a budget of 8,000" in shown

    def test_a_dumb_terminal_sees_no_control_characters(self, recorded):
        code, _, shown = self.run("pack", str(recorded(n=3)), TERM="dumb")
        assert code == 0
        assert "of a budget of 8,000" in shown
        assert "\x1b" not in shown
