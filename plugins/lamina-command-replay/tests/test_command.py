"""What the command takes, and what it writes."""

from __future__ import annotations

import argparse
import io
import json
import os

import pytest
from attrs import evolve

from lamina_command_replay import _command
from lamina_command_replay._figures import WHOLE, Figures
from lamina_command_replay._replay import Outcome, Played, names_of
from lamina_command_replay._report import as_json, notes, show

FIGURES = Figures(
    steps=30,
    pressed=20,
    thin=1,
    needed=100,
    kept=90,
    shown=80,
    far=40,
    far_lost=10,
    trivial_atoms=100,
    window_cached=1000,
    window_fresh=400,
    history_cached=2000,
    history_fresh=800,
    requested=20,
    asked_whole=15,
    said_parts=12 * WHOLE,
    first_parts=16 * WHOLE,
    planned=8,
    todo_parts=2 * WHOLE,
    outside=10,
    outside_parts=7 * WHOLE,
    sessions={"a": (90, 100)},
)


def outcome(name="default", figures=FIGURES, repairs=()):
    return Outcome(name, None, [Played("a", "f.jsonl", figures, (0.001, 0.003), tuple(repairs))])


def parse(*arguments):
    parser = argparse.ArgumentParser(exit_on_error=False)
    _command.configure(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("budget", ["0", "-5", "many", "1.5", ""])
def test_a_budget_is_a_positive_number(budget):
    with pytest.raises(argparse.ArgumentError, match="--budget"):
        parse("f.jsonl", f"--budget={budget}")


def test_configurations_and_sessions_may_be_given_several_times():
    args = parse("f", "g", "--budget", "8000", "--config", "a", "--config", "b", "--session", "x", "--session", "y")
    assert (args.files, args.config, args.session) == (["f", "g"], ["a", "b"], ["x", "y"])


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ([None], ["default"]),
        (["conf/lean.toml", "rich.toml"], ["lean", "rich"]),
        (["a/lamina.toml", "b/lamina.toml"], ["a/lamina.toml", "b/lamina.toml"]),
        ([None, "default.toml"], ["default", "default.toml"]),
    ],
)
def test_configurations_are_named_so_that_they_differ(files, names):
    assert names_of(files) == names


def test_json_has_every_documented_field():
    value = json.loads(json.dumps(as_json(8000, [outcome(repairs=["p: x"])])))
    rates = {"retention": 0.9, "context": 0.8, "macro": 0.9, "far_faults": 0.25, "bill": 0.5, "trivial": 0.5}
    rates |= {"asked": 0.75, "said": 0.6, "first": 0.8, "todo": 0.25, "recent": 0.7}
    counts = {"over": 0, "broken": 0, "thin": 1, "steps": 30, "pressed": 20, "needed": 100, "far": 40}
    counts |= {"requested": 20, "asked_whole": 15, "planned": 8, "outside": 10}
    common = {**rates, **counts, "window_ms": {"mean": 2.0, "max": 3.0}, "repairs": ["p: x"]}
    session = {"session": "a", "source": "f.jsonl", **common}
    configuration = {"configuration": "default", "file": None, **common, "sessions": [session]}
    assert value == {"budget": 8000, "configurations": [configuration]}


def test_a_pipe_gets_aligned_columns():
    out = io.StringIO()
    show([outcome(), outcome("a-longer-name")], out)
    shares, counts = (table.splitlines() for table in out.getvalue().split("\n\n"))
    for heading, *rows in (shares, counts):
        assert heading.split("  ")[0] == "configuration"
        assert len({len(line) for line in (heading, *rows)}) == 1
        assert len(heading) <= 100
    assert shares[0].split() == "configuration retention context asked said first todo far faults bill".split()
    assert shares[1].split() == "default 0.900 0.800 0.750 0.600 0.800 0.250 0.250 0.500".split()
    assert counts[1].split() == "default 30 20 0 0 1 0 2.00 3.0".split()


def test_a_wide_terminal_gets_a_drawn_table(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "140")
    wide = Terminal()
    show([outcome()], wide)
    assert "─" in wide.getvalue()
    monkeypatch.setenv("COLUMNS", "60")
    narrow = Terminal()
    show([outcome()], narrow)
    assert "─" not in narrow.getvalue()


def test_shares_of_nothing_are_not_shown_as_bad_ones():
    calm = outcome(figures=Figures(steps=3))
    out = io.StringIO()
    show([calm], out)
    assert out.getvalue().splitlines()[1].split()[1:] == ["–"] * 8
    assert "try a smaller --budget" in out.getvalue()


def test_a_session_without_a_plan_has_no_share_of_it():
    out = io.StringIO()
    show([outcome(figures=evolve(FIGURES, planned=0, todo_parts=0))], out)
    assert out.getvalue().splitlines()[1].split()[3:7] == ["0.750", "0.600", "0.800", "–"]


def test_repairs_are_named_once_each():
    repairs = [f"pager: wrong {k % 7}" for k in range(50)]
    found = notes([outcome(repairs=repairs)])
    assert found[0] == "default: the gate repaired: pager: wrong 0"
    assert found[-1] == "default: and 2 more kinds of repair (--json lists all)"
    assert len(found) == 6


def test_a_lone_surrogate_is_written_escaped():
    line = _command._line({"content": "é \ud83d"})
    assert json.loads(line.encode()) == {"content": "é \ud83d"}
    assert "é" in _command._line({"content": "é"})


def test_windows_get_their_name_when_all_are_there(tmp_path):
    out = tmp_path / "out.jsonl"
    with _command._emitting(str(out)) as emit:
        emit("s", 3, [{"role": "user", "content": "x"}])
        assert not out.exists()
    assert json.loads(out.read_text()) == {"transcript": "s", "step": 3, "messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(KeyError), _command._emitting(str(out)) as emit:
        emit("s", 4, [])
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    assert json.loads(out.read_text())["step"] == 3


def test_windows_can_go_to_a_device():
    with _command._emitting(os.devnull) as emit:
        emit("s", 3, [])


def test_a_report_that_cannot_be_written_is_found_out_before_the_replay(tmp_path):
    args = parse("f", "--budget", "8000", "--html", str(tmp_path / "absent" / "report.html"))
    with pytest.raises(FileNotFoundError, match="absent"):
        _command.run(args)


def test_a_replay_that_fails_leaves_the_report_before_it(tmp_path):
    out = tmp_path / "report.html"
    out.write_text("the one before")
    with pytest.raises(KeyError), _command._reporting(str(out)):
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert out.read_text() == "the one before"
