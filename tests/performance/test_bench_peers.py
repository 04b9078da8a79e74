"""The side-by-side measurement measures what it says; no peer is installed for this."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
TURNS = 12


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{path.stem}_under_test", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


bench = load(HERE / "bench_peers.py")
walk = load(HERE / "peers/walk.py")


def session() -> list[dict]:
    said = [{"role": "system", "content": "Help with orders."}]
    for turn in range(TURNS):
        call = {
            "id": f"c{turn}",
            "type": "function",
            "function": {"name": "look", "arguments": f'{{"n": "W-{turn}00"}}'},
        }
        said += [
            {"role": "user", "content": f"Where is order W-{turn}00, and what of W-{turn // 2}00?"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{turn}", "content": f"W-{turn}00 left dock_{turn} " + "in a box " * 9},
            {"role": "assistant", "content": f"It left dock_{turn}; before it, dock_{turn // 2} was used."},
        ]
    return said


class Kept:
    """A policy that keeps all, or what fits."""

    def __init__(self, budget: int | None) -> None:
        self.history, self.budget = [], budget

    def read(self, index, message):
        return message

    async def add(self, message):
        self.history.append(message)

    async def window(self):
        return list(self.history) if self.budget is None else walk.newest_that_fit(self.history, self.budget)

    def write(self, window):
        return window


def scores(tmp_path: Path, budget: int | None):
    sessions = {"one": session(), "two": session()[: TURNS * 2 + 1]}
    report = asyncio.run(walk.walk(sessions, walk.plain(lambda: Kept(budget)), tmp_path / "windows.jsonl"))
    assert report["steps"] == TURNS * 2 + TURNS
    case = bench.Case("made up", 250, sessions)
    return bench.by_replay(bench.count_cl100k())(case, bench.load_windows(str(tmp_path / "windows.jsonl")))


def test_a_policy_that_keeps_everything_misses_nothing_costs_one_and_is_over_whenever_pressed(tmp_path):
    found = scores(tmp_path, None)
    assert (found.retention, found.context, found.bill) == (1.0, 1.0, pytest.approx(1.0))
    assert found.over == found.pressed > 0
    assert found.broken == found.thin == 0


def test_a_policy_that_keeps_the_newest_pages_is_never_over_or_broken_and_misses_something(tmp_path):
    found = scores(tmp_path, 250)
    assert found.over == found.broken == 0
    assert 0 < found.retention < 1
    assert 0 < found.tokens <= 250


def test_a_row_of_the_table_has_a_cell_for_each_heading():
    found = bench.Scores(0.5, 0.25, 0.75, 1234.5, steps=9, pressed=8, over=1, broken=2, thin=3)
    heading, _, row = bench.table([bench.Row("some policy", found, 1.25, 1000)])
    assert heading.count("|") == row.count("|")
    assert row == "| some policy | 0.500 | 0.250 | 0.75 | 1,234 | 1 | 2 | 3 | 1.2 | 1,000 |"


def test_a_sample_is_the_same_for_every_run():
    sessions = {str(number): [] for number in range(20)}
    assert list(bench.sample(sessions, 5, seed=1)) == list(bench.sample(sessions, 5, seed=1))
    assert bench.sample(sessions, 20, seed=1) == sessions


def test_lamina_is_measured_from_the_command_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "told.jsonl").write_text(json.dumps({"id": "told", "messages": session()}) + "\n", encoding="utf-8")
    options = ["--budget", "250", "--peers", "lamina", "--work", str(tmp_path / "work")]
    monkeypatch.setattr(sys, "argv", ["bench_peers.py", str(tmp_path / "told.jsonl"), *options])
    monkeypatch.setattr(bench, "SHARED", tmp_path / "absent")
    assert bench.main() == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| lamina ")]
    assert [row[0].split(": ")[1] for row in rows] == ["standard profile", "pager compact"]
    for row in rows:
        assert row[5:7] == ["0", "0"]
        assert 0 < float(row[1]) <= 1
