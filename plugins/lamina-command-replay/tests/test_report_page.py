"""What a report's page is given: bounded, quoted fairly, in colours that can be told apart."""

from __future__ import annotations

import itertools
import json
import math
import re
from importlib.resources import files

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina_command_replay import _data
from lamina_command_replay._excerpts import PAGE, quote
from lamina_command_replay._figures import Figures
from lamina_command_replay._html import as_html, as_script
from lamina_command_replay._measures import Measured
from lamina_command_replay._recording import Steps
from lamina_command_replay._replay import Outcome, Played
from lamina_command_replay._texts import Texts
from lamina_command_replay._trace import KINDS, Missing, Rows, Step, Trace

STYLE = (files("lamina_command_replay") / "report" / "style.css").read_text("utf-8")


def words(texts):
    return [len(text.split()) for text in texts]


def traced(steps, lost=1, page_text="x" * 4000):
    """A trace of so many windows, each of which lacks so many values."""
    history = [{"role": "user", "content": f"{page_text} value_{n}"} for n in range(40)]
    trace = Trace(Steps(history, {}, list(range(1, 41))), Texts(words))
    rows = (Rows("verbatim", "newest", "", 1, 9, 9, 700, 700), Rows("paged out", "old", "", 10, 40, 31, 9000, 12))
    for n in range(steps):
        missing = tuple(Missing(f"value_{(n + k) % 200}", (n + k) % 40 + 1, True, "paged out") for k in range(lost))
        counts = {"steps": 1, "pressed": 1, "needed": lost + 1, "kept": 1}
        measured = Measured(2 * n + 1, 7000 + n, 6500, 40_000 + n, 39_000 + n, counts, ())
        trace.steps.append(Step(7000 + n, (900,) * (len(KINDS) - 1) + (700 + n,), n % 9 == 0, rows, measured, missing))
    return trace


def replayed(sessions, steps, configurations=1, **more):
    figures = Figures(steps=steps, pressed=steps, needed=2 * steps, kept=steps)
    trace = traced(steps, **more)
    played = [Played(f"s{n}", "f", figures, (), (), trace) for n in range(sessions)]
    return [Outcome(f"c{k}", None, list(played)) for k in range(configurations)]


def test_fifty_sessions_of_two_hundred_steps_are_all_drawn():
    outcomes = replayed(50, 200, 3, lost=2)
    page = as_html(8000, outcomes, "1.0")
    assert page.count('"traces":') == 50
    assert "windows are drawn" not in page
    assert len(page.encode()) < 8_000_000


def test_what_is_left_out_is_said(monkeypatch):
    monkeypatch.setattr(_data, "SESSIONS", 6)
    monkeypatch.setattr(_data, "WINDOWS", 90)
    monkeypatch.setattr(_data, "SESSION_WINDOWS", 20)
    monkeypatch.setattr(_data, "VALUES", 30)
    monkeypatch.setattr(_data, "PAGES", 7)
    data = _data.data_of(8000, replayed(9, 25))
    sessions = data.value["sessions"]
    assert [("traces" in one, len(one.get("index", ()))) for one in sessions] == [(True, 20)] * 4 + [(False, 0)] * 2
    assert sum(len(one.get("values", ())) for one in sessions) == 30
    assert sum(len(one.get("pages", ())) for one in sessions) == 7
    assert [note.split(";")[0] for note in data.notes] == [
        "3 sessions are not listed",
        "of 2 sessions only the figures are shown",
        "of 4 long sessions only the first 20 windows are drawn",
        "50 missing values are not listed",
        "23 pages that held missing values are not quoted",
    ]
    assert data.notes[0] in as_html(8000, replayed(9, 25), "1.0")


def test_sessions_with_more_missing_values_are_drawn_first(monkeypatch):
    monkeypatch.setattr(_data, "WINDOWS", 10)
    [calm, worse] = replayed(1, 10, lost=1), replayed(1, 10, lost=3)
    calm[0].played += worse[0].played
    assert ["traces" in one for one in _data.data_of(8000, calm).value["sessions"]] == [False, True]


def test_a_value_is_listed_once_for_all_windows_that_lacked_it():
    outcomes = replayed(1, 60, 2)
    other = traced(60)
    other.steps[0] = other.steps[40]
    outcomes[1].played = [evolve(outcomes[1].played[0], trace=other)]
    [session] = _data.data_of(8000, outcomes).value["sessions"]
    assert session["values"][0] == [
        "value_40",
        1,
        1,
        [[1, [41, "paged out"]], [2, [1, "paged out"], [41, "paged out"]]],
    ]
    assert ["value_0", 1, 1, [[1, [1, "paged out"]], [0]]] in session["values"]


def test_a_ledger_can_be_read_back_from_what_changes():
    trace = traced(3)
    step = trace.steps[1]
    grown = Rows("verbatim", "newest", "", 1, 10, 10, 800, 800)
    trace.steps[1] = Step(step.tokens, step.kinds, False, (grown,), step.measured, ())
    value = _data._trace(trace.steps)
    assert value["rules"] == [("verbatim", "newest", ""), ("paged out", "old", "")]
    assert value["ledger"] == [
        [[0, 1, 9, 9, 700, 700], [1, 10, 40, 31, 9000, 12]],
        [[1], [0, 1, 10, 10, 800, 800]],
        [[0, 1, 9, 9, 700, 700], [1, 10, 40, 31, 9000, 12]],
    ]


nasty = st.text(st.sampled_from("<>&/\"'!-script]\u2028\ud800\x00é`${}"), max_size=30)


@given(st.recursive(nasty, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(nasty, inner, max_size=3)))
@settings(max_examples=50, deadline=None)
def test_no_text_ends_the_script_that_holds_it(value):
    text = as_script(value)
    assert not re.search("[<>&]", text)
    text.encode()
    if "\ud800" not in json.dumps(value, ensure_ascii=False):
        assert json.loads(text) == value


def test_no_name_is_read_as_markup_or_keeps_the_page_from_being_written():
    outcomes = replayed(1, 3)
    outcomes[0].name = "<img src=x onerror=hit()>\udc80"
    page = as_html(8000, outcomes, "1.0")
    assert "<img" not in page
    page.encode()


@given(
    st.lists(st.text("ab \n", max_size=900).map(lambda text: text + "port_8417" + text * 3), min_size=1, max_size=4),
    st.integers(0, 3),
)
@settings(max_examples=50, deadline=None)
def test_a_quotation_is_a_part_of_the_page_with_its_gaps_counted(texts, k):
    messages = [{"role": "user", "content": text} for text in texts]
    quoted = quote(messages, ["port_8417", "absent_1"][: k % 3], Texts(words))
    for one, text in zip(quoted, texts, strict=True):
        at, said = 0, text.strip("\n")
        for piece in one.pieces:
            if isinstance(piece, int):
                at += piece
            else:
                assert said[at : at + len(piece)] == piece
                at += len(piece)
        assert at == len(said)
    whole = sum(len(piece) for one in quoted for piece in one.pieces if isinstance(piece, str))
    assert whole <= PAGE + 60 * 8


def test_a_missing_value_is_quoted_with_its_line_wherever_it_stands():
    lines = [f"line {n} " + "y" * 40 for n in range(200)]
    lines[120] = "we chose port_8417 for the service"
    [quoted] = quote([{"role": "tool", "tool_call_id": "c", "content": "\n".join(lines)}], ["port_8417"], Texts(words))
    assert any(isinstance(piece, str) and lines[120] in piece.split("\n") for piece in quoted.pieces)


# How red-, green- and blue-blind eyes see: Machado, Oliveira and Fernandes 2009, severity 1.
EYES = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "no green": ((0.367, 0.861, -0.228), (0.28, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "no blue": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}


def linear(colour):
    values = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]


def lab(colour, eye):
    seen = [min(1, max(0, sum(a * b for a, b in zip(row, linear(colour), strict=True)))) for row in eye]
    rows = ((0.4339, 0.3762, 0.1899), (0.2126, 0.7152, 0.0722), (0.0177, 0.1094, 0.8729))
    white = [sum(a * b for a, b in zip(row, seen, strict=True)) for row in rows]
    x, y, z = (t ** (1 / 3) if t > 0.0089 else 7.787 * t + 0.138 for t in white)
    return 116 * y, 500 * (x - y), 200 * (y - z)


def contrast(a, b):
    dark, light = sorted(sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear(c), strict=True)) for c in (a, b))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_the_colours_of_a_chart_differ_for_every_eye_and_from_the_paper(scheme):
    colours = dict(re.findall(r"--(\w+): (#\w{6})", re.findall(r":root \{(.*?)\}", STYLE, re.S)[scheme]))
    for one, other in itertools.combinations(KINDS, 2):
        for eye in EYES.values():
            assert math.dist(lab(colours[one], eye), lab(colours[other], eye)) > 14
    for one, other in (("cached", "fresh"), ("stood", "lost")):
        assert all(math.dist(lab(colours[one], eye), lab(colours[other], eye)) > 14 for eye in EYES.values())
    for name in (*KINDS, "cached", "fresh", "stood", "lost", *(f"c{k}" for k in range(6))):
        assert contrast(colours[name], colours["paper"]) >= 3
