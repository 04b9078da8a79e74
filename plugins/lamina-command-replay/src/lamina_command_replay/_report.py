"""What a replay came to, as a table for people and as JSON for programs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from lamina_command_replay._figures import Figures
from lamina_command_replay._replay import Outcome, Played

_SHOWN = {
    "retention": "retention",
    "context": "context",
    "asked": "asked",
    "said": "said",
    "first": "first",
    "todo": "todo",
    "far faults": "far_faults",
    "bill": "bill",
}
"""The rates of the first table, by their headings."""
_COUNTED = ("steps", "pressed", "over", "broken", "thin")
_BASES = {"asked": "requested", "said": "requested", "first": "requested", "todo": "planned", "recent": "outside"}
_NARROWEST = 92
"""Columns of a terminal that the drawn tables need."""


def as_json(budget: int, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The stable form; every field is documented in the distribution's README."""
    return {"budget": budget, "configurations": [_configuration(outcome) for outcome in outcomes]}


def _configuration(outcome: Outcome) -> dict[str, Any]:
    return {
        "configuration": outcome.name,
        "file": outcome.file,
        **figures_of(outcome.figures),
        "window_ms": _milliseconds(outcome.window_s),
        "repairs": list(outcome.repairs),
        "sessions": [_session(one) for one in outcome.played],
    }


def _session(one: Played) -> dict[str, Any]:
    return {
        "session": one.session,
        "source": one.source,
        **figures_of(one.figures),
        "window_ms": _milliseconds(one.window_s),
        "repairs": list(one.repairs),
    }


def figures_of(figures: Figures) -> dict[str, Any]:
    rates = {name: round(rate, 6) for name, rate in figures.rates().items()}
    counts = figures.counts()
    names = ("over", "broken", "thin", "steps", "pressed", "needed", "far")
    asked = ("requested", "asked_whole", "planned", "outside")
    return {**rates, **{name: counts[name] for name in (*names, *asked)}}


def known(rate: str, figures: Mapping[str, Any]) -> bool:
    """Whether there was anything that the rate is a share of, by the counts among :func:`figures_of`.

    Without pressure nothing had to be left out, and a share of nothing would look like a bad one.
    """
    return bool(figures[_BASES.get(rate, "pressed")])


def _milliseconds(window_s: Sequence[float]) -> dict[str, float]:
    mean = sum(window_s) / max(len(window_s), 1)
    return {"mean": round(mean * 1000, 3), "max": round(max(window_s, default=0.0) * 1000, 3)}


def show(outcomes: Sequence[Outcome], stream: TextIO) -> None:
    """Write what windows showed, and below how they came about: in one table the columns would not fit a terminal.

    The tables are drawn on a terminal that is wide enough, else in plain aligned columns.
    """
    drawn = stream.isatty() and shutil.get_terminal_size().columns >= _NARROWEST
    for number, table in enumerate((_shares(outcomes), _counts(outcomes))):
        stream.write("\n" if number else "")
        if drawn:
            _draw(table, stream)
        else:
            stream.write("\n".join(plain(table)) + "\n")
    for line in notes(outcomes):
        stream.write(line + "\n")


def _shares(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    table: list[tuple[str, ...]] = [("configuration", *_SHOWN)]
    for outcome in outcomes:
        figures = outcome.figures
        counts, rates = figures.counts(), figures.rates()
        cells = (f"{rates[rate]:.3f}" if known(rate, counts) else "–" for rate in _SHOWN.values())
        table.append((outcome.name, *cells))
    return table


def _counts(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    table: list[tuple[str, ...]] = [("configuration", *_COUNTED, "repairs", "ms/window", "ms max")]
    for outcome in outcomes:
        counts, took = outcome.figures.counts(), _milliseconds(outcome.window_s)
        cells = [f"{counts[name]:,}" for name in _COUNTED]
        table.append((outcome.name, *cells, f"{len(outcome.repairs):,}", f"{took['mean']:.2f}", f"{took['max']:.1f}"))
    return table


def plain(table: Sequence[Sequence[str]]) -> list[str]:
    """The table's lines: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]


def _draw(table: Sequence[Sequence[str]], stream: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    headings, *rows = table
    for column, heading in enumerate(headings):
        drawn.add_column(heading, justify="right" if column else "left", no_wrap=column > 0)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console(file=stream).print(drawn)


def notes(outcomes: Sequence[Outcome]) -> list[str]:
    """What the table cannot say."""
    found = []
    if outcomes and not any(outcome.figures.pressed for outcome in outcomes):
        found.append("no session ever exceeds the budget, so nothing had to be left out; try a smaller --budget")
    for outcome in outcomes:
        distinct = dict.fromkeys(outcome.repairs)
        found += [f"{outcome.name}: the gate repaired: {repair}" for repair in list(distinct)[:5]]
        if len(distinct) > 5:
            found.append(f"{outcome.name}: and {len(distinct) - 5} more kinds of repair (--json lists all)")
    return found
