"""The search, over figures that are made up so that one knows what is to be found."""

from __future__ import annotations

import asyncio
import io

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import LaminaError
from lamina_command_replay._figures import Figures
from lamina_command_replay._race import Race, Trial, behind
from lamina_command_replay._recording import Recording
from lamina_command_replay._replay import Played
from lamina_command_replay._schedule import Case, Split, split
from lamina_command_replay._search import Limits, Search
from lamina_command_replay._space import Point
from lamina_command_replay._tune_report import as_json, heading, notes, show


def figures(retention, bill, **more):
    """Of a session with a hundred steps."""
    return Figures(
        steps=100,
        pressed=100,
        needed=1000,
        kept=round(1000 * retention),
        window_cached=round(10_000 * bill),
        history_cached=10_000,
        **more,
    )


class Knob:
    """A space of one number, ``pagers.dial.at``, and two pagers."""

    def __init__(self, pagers=("dial",), steps=100):
        self.pagers, self.scorers, self.compressors, self._steps = pagers, (), (), steps
        self.base = Point(pagers[0], None, (), (("at", 0.5),))

    def dimensions(self, point):
        return ["at"]

    def pager_points(self):
        return [evolve(self.base, pager=name) for name in self.pagers[1:]]

    def chain_points(self):
        return []

    def made(self, point, values):
        return evolve(point, values=tuple(values) or self.base.values)

    def mixed(self, one, other, rng):
        return one

    def anywhere(self, point, rng):
        return evolve(point, values=(("at", rng.randint(0, self._steps) / self._steps),))

    changed = lambda self, point, dimension, rng: self.anywhere(point, rng)  # noqa: E731

    def reverted(self, point, path):
        return evolve(point, values=self.base.values)

    def differences(self, point):
        return {"pagers.dial.at": point.value("at")} if point != self.base else {}

    def settings(self, point):
        return dict(point.values)


class Playing:
    """Plays by a formula, on a clock of its own."""

    def __init__(self, formula, cost=1.0):
        self.formula, self.cost, self.now, self.seen = formula, cost, 0.0, []

    def clock(self):
        return self.now

    def valid(self, point):
        return point.value("at") != 0.13

    async def __call__(self, point, wanted):
        played = []
        while (recording := wanted(played)) is not None:
            self.now += self.cost if isinstance(self.cost, float) else self.cost(point)
            self.seen.append((point, recording.id))
            played.append(Played(recording.id, "f", self.formula(point, recording.id), (), ()))


def tradeoff(point, session):
    """More retention costs more, with a knee at 0.3."""
    at = point.value("at")
    return figures(min(3 * at, 0.8 + at / 3), at)


def cases(n=9):
    return [Case(Recording(f"s{k}", "f", ()), 100) for k in range(n)]


def searched(play, limits, parts=None, space=None):
    search = Search(space or Knob(), parts or split(cases()), play, limits, clock=play.clock)
    return asyncio.run(search.run())


def test_so_many_trials_are_made_and_the_same_at_every_run():
    one, other = (searched(Playing(tradeoff), Limits(trials=25)) for _ in range(2))
    assert [(t.point, t.end) for t in one.trials] == [(t.point, t.end) for t in other.trials]
    assert len({t.point for t in one.trials}) == len(one.trials) == 25
    assert one.stopped == "trials"


def test_the_front_and_the_point_that_was_asked_for_are_found():
    found = searched(Playing(tradeoff), Limits(trials=80, at_least_retention=0.85))
    bills = [t.figures(found.split.search).bill for t in found.front]
    assert len(bills) > 5
    assert bills == sorted(bills)
    assert 0.85 <= found.chosen.figures(found.split.search).retention <= 0.87


def test_without_a_wish_the_knee_is_chosen():
    found = searched(Playing(tradeoff), Limits(trials=60))
    assert 0.25 <= found.chosen.figures(found.split.search).bill <= 0.35


def test_what_does_not_fit_together_is_never_tried():
    found = searched(Playing(tradeoff), Limits(trials=90))
    assert 0.13 not in {t.point.value("at") for t in found.trials}


def test_a_small_space_is_searched_to_its_end():
    found = searched(Playing(tradeoff), Limits(trials=1000), space=Knob(steps=4))
    assert found.stopped == "space"
    assert {t.point.value("at") for t in found.trials} == {0.0, 0.25, 0.75, 1.0}


@given(seconds=st.integers(60, 600), n=st.integers(1, 12), slow=st.sampled_from([1.0, 1.5, 7.0]))
@settings(max_examples=20, deadline=None)
def test_a_search_ends_in_time(seconds, n, slow):
    play = Playing(tradeoff, cost=lambda point: 4 * (slow if point.pager == "slow" else 1.0))
    found = searched(play, Limits(seconds=seconds), split(cases(n)), Knob(("dial", "slow")))
    longest = 4 * slow
    assert play.now <= seconds + longest
    assert found.front
    assert found.stopped in ("time", "space")


def test_nothing_is_begun_that_would_not_end_in_time():
    play = Playing(tradeoff, cost=10.0)
    found = searched(play, Limits(seconds=300))
    assert not found.ends["cut"]
    assert play.now <= 300


def test_sessions_are_left_out_where_there_is_no_time_for_them():
    play = Playing(tradeoff, cost=10.0)
    found = searched(play, Limits(seconds=150))
    assert found.unreached == 9 - len(found.split.search) - len(found.split.held_out) > 0
    assert found.split.search
    assert any("left out for want of time" in line for line in notes(found))


def test_the_search_never_sees_what_is_held_out():
    parts = split(cases())
    held = {case.recording.id for case in parts.held_out}

    def perverse(point, session):
        return figures(1 - point.value("at"), 0.5) if session in held else tradeoff(point, session)

    plain, turned = Playing(tradeoff), Playing(perverse)
    one, other = (searched(play, Limits(trials=20), parts) for play in (plain, turned))
    assert [t.point for t in one.trials] == [t.point for t in other.trials]
    assert held
    trials = {point for point, session in plain.seen if session in held} - {Knob().base}
    assert trials == {t.point for t in one.front} - {Knob().base}


def test_what_does_not_hold_on_other_sessions_leaves_the_front():
    parts = split(cases())
    held = {case.recording.id for case in parts.held_out}

    def fragile(point, session):
        return evolve(tradeoff(point, session), thin=50 * (session in held and point.value("at") > 0.6))

    found = searched(Playing(fragile), Limits(trials=40), parts)
    assert found.front
    assert all(t.point.value("at") <= 0.6 for t in found.front)
    assert found.reasons["thin windows (on the sessions held out)"]


@pytest.mark.parametrize("count", ["over", "broken", "thin"])
def test_windows_that_nobody_wants_exclude_a_configuration(count):
    def faulty(point, session):
        return evolve(tradeoff(point, session), **{count: 40 * (point.value("at") > 0.4)})

    found = searched(Playing(faulty), Limits(trials=40))
    assert found.base.why
    assert max(t.point.value("at") for t in found.front) <= 0.4
    assert found.ends["excluded"]
    assert any(line.startswith("as configured: ") for line in notes(found))


def test_one_thin_window_in_a_hundred_is_borne():
    found = searched(Playing(lambda p, s: evolve(tradeoff(p, s), thin=1)), Limits(trials=5))
    assert found.base.why == ""
    found = searched(Playing(lambda p, s: evolve(tradeoff(p, s), thin=2)), Limits(trials=5))
    assert found.base.why == "thin windows"
    assert (found.front, found.chosen) == ([], None)


def test_a_pager_that_fails_is_named_and_the_search_goes_on():
    def raising(point, session):
        if point.pager == "bad":
            raise RuntimeError("no\nplan")
        return tradeoff(point, session)

    found = searched(Playing(raising), Limits(trials=10), space=Knob(("dial", "bad")))
    assert found.ends["failed"] == 1
    assert found.reasons["RuntimeError: no plan"] == 1
    assert len(found.trials) == 10


def test_what_the_own_configuration_raises_is_raised():
    def raising(point, session):
        raise LaminaError("a system message too large")

    with pytest.raises(LaminaError, match="too large"):
        searched(Playing(raising), Limits(trials=10))


def test_what_changes_nothing_is_given_up():
    found = searched(Playing(lambda p, s: figures(0.5, 0.5)), Limits(trials=500))
    assert found.stopped == "space"
    assert found.ends["same"] == len(found.trials) < 120
    assert [t.number for t in found.front] == [0]


def test_most_trials_see_few_sessions():
    play = Playing(lambda p, s: figures(0.9 - p.value("at") / 2, p.value("at")))
    found = searched(play, Limits(trials=40), split(cases(30)))
    behind_early = [t for t in found.trials if t.end == "behind"]
    assert len(behind_early) > 10
    assert all(len(t.played) < len(found.split.search) for t in behind_early)


def test_few_sessions_must_tell_more_clearly_than_many():
    own, rival = figures(0.80, 0.50), figures(0.81, 0.49)
    assert behind(own, [rival], 0.0)
    assert not behind(own, [rival], 0.9)
    assert behind(own, [figures(0.9, 0.4)], 0.9)
    assert not behind(own, [figures(0.9, 0.6), figures(0.7, 0.4)], 0.0)


def test_a_race_ends_at_the_first_window_over_budget():
    trial, asked = Trial(Point("p", None, ()), 1), []
    race = Race(trial, [cases(3), cases(3)], told=asked.append)
    race([])
    assert race([Played("s0", "f", figures(0.5, 0.5, over=1), (), ())]) is None
    assert (trial.end, trial.why, len(asked)) == ("excluded", "windows over the budget", 1)


def test_a_race_ends_with_the_first_repair():
    trial = Trial(Point("p", None, ()), 1)
    race = Race(trial, [cases(3)])
    race([])
    assert race([Played("s0", "f", figures(0.5, 0.5), (), ("pager: split a call",))]) is None
    assert trial.why == "windows that had to be repaired"


def test_the_report_says_what_was_done_and_marks_the_choice():
    found = searched(Playing(tradeoff), Limits(trials=20, at_most_bill=0.4))
    out = io.StringIO()
    show(found, Knob(), 8000, out)
    text = out.getvalue()
    assert text.startswith("budget 8,000; sessions over it: 6 searched, 3 held out\n20 configurations tried: ")
    assert text.count("\n* ") == 1
    assert "on the sessions held out retention" in text
    assert "that the search did not see.\n" in heading(found, 8000)


def test_a_gain_that_does_not_hold_is_called_chance():
    parts = split(cases())
    held = {case.recording.id for case in parts.held_out}

    def lucky(point, session):
        gain = abs(point.value("at") - 0.5)
        return figures(0.5 - gain, 0.5 + gain) if session in held else figures(0.5 + gain, 0.5 - gain)

    found = searched(Playing(lucky), Limits(trials=20), parts)
    assert found.chosen is not found.base
    assert notes(found)[-1].endswith("the gain may be chance: keep it")


def test_few_sessions_are_all_searched_and_the_report_says_so():
    found = searched(Playing(tradeoff), Limits(trials=5), Split(tuple(cases(2))))
    assert any("none is held out" in line for line in notes(found))
    out = io.StringIO()
    show(found, Knob(), 8000, out)
    assert out.getvalue().splitlines()[5].count("–") == 3


def test_json_has_every_documented_field():
    found = searched(Playing(tradeoff), Limits(trials=8))
    value = as_json(found, Knob(), 8000, lambda point: f"at = {point.value('at')}\n")
    assert list(value) == ["budget", "sessions", "trials", "configured", "front", "chosen"]
    assert list(value["sessions"]) == ["searched", "held_out", "unreached"]
    ends = ["whole", "behind", "same", "excluded", "failed", "cut"]
    assert list(value["trials"]) == ["tried", *ends, "reasons", "stopped", "untried"]
    assert sum(value["trials"][end] for end in ends) == value["trials"]["tried"] == 8
    member = value["front"][value["chosen"]]
    assert list(member) == ["changes", "excluded", "searched", "held_out", "all", "toml"]
    assert {"retention", "context", "bill", "over", "broken", "thin", "pressed"} <= set(member["held_out"])
