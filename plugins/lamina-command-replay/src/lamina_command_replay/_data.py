"""What a report's page is given: bounded, so that the page stays usable however much was replayed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, field, frozen

from lamina_command_replay._asked import Asked
from lamina_command_replay._excerpts import quote
from lamina_command_replay._figures import CACHED, FRESH
from lamina_command_replay._replay import Outcome, Played
from lamina_command_replay._report import figures_of, notes
from lamina_command_replay._trace import KINDS, Step, Trace, pages_of

SESSIONS = 1000
"""At most so many sessions are listed."""
WINDOWS = 40_000
"""At most so many windows are drawn, of all sessions and configurations."""
SESSION_WINDOWS = 4000
"""And so many of one session under one configuration: its first ones."""
SESSION_VALUES = 100
"""At most so many missing values are listed of one session: those missing most often."""
VALUES = 5000
"""And so many in all."""
VALUE_WINDOWS = 20
"""Of one value under one configuration the first so many windows are named."""
PAGES = 1500
"""At most so many pages are quoted in all."""
_NAME = 160
"""Characters of a name, value or rule that are shown."""


@frozen
class Data:
    """What the page is made of."""

    value: dict[str, Any]
    """For the script."""
    names: tuple[str, ...]
    """Of the configurations."""
    figures: tuple[dict[str, Any], ...]
    """Of each configuration, over all sessions."""
    sessions: int
    """That were replayed."""
    notes: tuple[str, ...]
    """What was left out, and what the gate repaired."""


@define
class _Session:
    """One session under every configuration."""

    number: int
    played: tuple[Played, ...]
    values: list[_Value] = field(init=False)
    """Most often missing first."""
    drawn: bool = False

    @values.default
    def _missing(self) -> list[_Value]:
        return _values([_steps(one) for one in self.played])

    @property
    def windows(self) -> int:
        """How many would be drawn."""
        return sum(len(_steps(one)) for one in self.played)


@define
class _Value:
    """A value that was missing in some windows, and the page that last said it."""

    atom: str
    page: int
    far: bool
    at: list[list[tuple[int, str]]]
    """For each configuration the numbers of the windows, from 1, and how the page stood in each."""

    @property
    def times(self) -> int:
        """In how many windows it was missing, over all configurations."""
        return sum(map(len, self.at))


def data_of(budget: int, outcomes: Sequence[Outcome]) -> Data:
    """Choose what the page shows.

    Sessions with the most missing values are drawn first, where not all can be.
    """
    sessions = [_Session(n, played) for n, played in enumerate(zip(*(one.played for one in outcomes), strict=True))]
    listed = _listed(sessions)
    values = _Quota(
        VALUES, f"missing values are not listed; at most {SESSION_VALUES:,} of a session and {VALUES:,} in all are"
    )
    pages = _Quota(PAGES, f"pages that held missing values are not quoted; at most {PAGES:,} are")
    value = {
        "budget": budget,
        "price": [CACHED, FRESH],
        "kinds": KINDS,
        "configurations": [{"name": _cut(one.name), "file": one.file, **_figures(one.played, one)} for one in outcomes],
        "sessions": [_session(one, values, pages) for one in listed],
    }
    said = [*_left_out(sessions, listed), *values.notes(), *pages.notes(), *notes(outcomes)]
    figures = tuple(_figures(one.played, one) for one in outcomes)
    return Data(value, tuple(_cut(one.name) for one in outcomes), figures, len(sessions), tuple(said))


def _figures(played: Sequence[Played], whole: Outcome | Played) -> dict[str, Any]:
    return {**figures_of(whole.figures), "repairs": sum(len(one.repairs) for one in played)}


def _cut(text: str) -> str:
    return text if len(text) <= _NAME else text[: _NAME - 1] + "…"


def _steps(one: Played) -> Sequence[Step]:
    assert one.trace is not None
    return one.trace.steps[:SESSION_WINDOWS]


def _listed(sessions: Sequence[_Session]) -> list[_Session]:
    """Those that the page lists, in the order of the recordings; those that fit are marked to be drawn."""
    room = WINDOWS
    ranked = sorted(sessions, key=lambda one: (-sum(value.times for value in one.values), one.number))
    for one in ranked[:SESSIONS]:
        one.drawn = one.windows <= room
        room -= one.windows if one.drawn else 0
    return sorted(ranked[:SESSIONS], key=lambda one: one.number)


def _values(traced: Sequence[Sequence[Step]]) -> list[_Value]:
    found: dict[tuple[str, int], _Value] = {}
    for configuration, steps in enumerate(traced):
        for number, step in enumerate(steps, start=1):
            for lost in step.missing:
                key = (lost.atom, lost.page)
                if key not in found:
                    found[key] = _Value(lost.atom, lost.page, lost.far, [[] for _ in traced])
                value = found[key]
                value.far = value.far or lost.far
                value.at[configuration].append((number, lost.rendition))
    return sorted(found.values(), key=lambda value: (-value.times, min(a[0][0] for a in value.at if a), value.atom))


@define
class _Quota:
    """How many of something may still be shown."""

    left: int
    told: str
    """What the reader is told of what was refused, after its number."""
    refused: int = 0

    def take(self, wanted: int, most: int) -> int:
        """How many of the wanted may be shown, and no more than ``most``."""
        given = min(wanted, most, self.left)
        self.left -= given
        self.refused += wanted - given
        return given

    def notes(self) -> Iterable[str]:
        """What the reader is told."""
        if self.refused:
            yield f"{self.refused:,} {self.told}"


def _session(one: _Session, quota: _Quota, pages: _Quota) -> dict[str, Any]:
    first = one.played[0]
    trace = first.trace
    assert trace is not None
    value: dict[str, Any] = {
        "id": _cut(first.session),
        "source": _cut(first.source),
        "messages": len(trace.recorded.history),
        "figures": [_figures([played], played) for played in one.played],
    }
    if one.drawn:
        values = one.values[: quota.take(len(one.values), SESSION_VALUES)]
        value["traces"] = [_trace(_steps(played)) for played in one.played]
        value["index"] = [step.measured.index for step in _steps(first)]
        value["values"] = [[_cut(v.atom), v.page, int(v.far), [_windows(a) for a in v.at]] for v in values]
        value["more"] = len(one.values) - len(values)
        value["pages"] = _pages(trace, values, pages)
    return value


def _windows(at: Sequence[tuple[int, str]]) -> list[Any]:
    """How often the value was missing, and where: number of the window, and rendition of its page."""
    return [len(at), *([number, rendition] for number, rendition in at[:VALUE_WINDOWS])]


def _trace(steps: Sequence[Step]) -> dict[str, Any]:
    """Column by column; of the ledger, only what differs from the window before."""
    rules: dict[tuple[str, str, str], int] = {}
    changes = []
    before: dict[int, list[int]] = {}
    for step in steps:
        stand = {
            rules.setdefault((row.rendition, _cut(row.rule), row.compressor), len(rules)): [
                row.first, row.last, row.pages, row.before, row.after,
            ]
            for row in step.ledger
        }  # fmt: skip
        gone = [[rule] for rule in before if rule not in stand]
        changes.append([*gone, *([rule, *row] for rule, row in stand.items() if before.get(rule) != row)])
        before = stand
    measured = [step.measured for step in steps]
    return {
        "kinds": [[step.kinds[kind] for step in steps] for kind in range(len(KINDS))],
        "compacted": [number for number, step in enumerate(steps, start=1) if step.compacted],
        "pressed": [one.counts.get("pressed", 0) for one in measured],
        "cached": [one.cached for one in measured],
        "fresh": [one.tokens - one.cached for one in measured],
        "historyCached": [one.history_cached for one in measured],
        "history": [one.history for one in measured],
        "needed": [one.counts.get("needed", 0) for one in measured],
        "lost": [len(one.lost) for one in measured],
        **_asked([one.asked for one in measured]),
        "rules": list(rules),
        "ledger": changes,
    }


def _asked(steps: Sequence[Asked | None]) -> dict[str, Any]:
    """How many sentences or items stood and of how many, 0 where there was nothing to stand."""
    return {
        "request": [one.at if one else 0 for one in steps],
        "asked": [one.newest if one else 0 for one in steps],
        "said": [one.said if one else 0 for one in steps],
        "first": [one.first if one else 0 for one in steps],
        "todo": [one.todo or 0 if one else 0 for one in steps],
    }


def _pages(trace: Trace, values: Sequence[_Value], quota: _Quota) -> dict[str, Any]:
    wanted: dict[int, list[str]] = {}
    for value in values:
        wanted.setdefault(value.page, []).append(value.atom)
    places = pages_of(trace.recorded)
    found: dict[str, Any] = {}
    ranked = sorted(wanted, key=lambda page: (-len(wanted[page]), page))
    for page in ranked[: quota.take(len(ranked), len(ranked))]:
        messages = [trace.recorded.history[at] for at in places[page]]
        quoted = quote(messages, wanted[page], trace.texts)
        found[str(page)] = [[one.role, [*map(_cut, one.tools[:8])], one.pieces] for one in quoted]
    return {page: found[page] for page in sorted(found, key=int)}


def _left_out(sessions: Sequence[_Session], listed: Sequence[_Session]) -> Iterable[str]:
    if len(listed) < len(sessions):
        yield f"{len(sessions) - len(listed):,} sessions are not listed; at most {SESSIONS:,} are, those with the most missing values"
    plain = sum(not one.drawn for one in listed)
    if plain:
        yield f"of {plain:,} sessions only the figures are shown; at most {WINDOWS:,} windows are drawn, of the sessions with the most missing values"
    long = sum(any(one.trace and len(one.trace.steps) > SESSION_WINDOWS for one in s.played) for s in listed if s.drawn)
    if long:
        yield f"of {long:,} long sessions only the first {SESSION_WINDOWS:,} windows are drawn"
