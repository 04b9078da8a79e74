"""What a replay came to, as a table for people and as JSON for programs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any, TextIO

from lamina_command_replay._figures import Figures
from lamina_command_replay._replay import Outcome, Played

_HEADINGS = (
    "configuration",
    "retention",
    "context",
    "far faults",
    "bill",
    "over",
    "broken",
    "thin",
    "steps",
    "pressed",
    "ms/window",
    "ms max",
    "repairs",
)
_NARROWEST = 110
"""Columns of a terminal that the drawn table needs."""


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
    return {**rates, **{name: counts[name] for name in names}}


def _milliseconds(window_s: Sequence[float]) -> dict[str, float]:
    mean = sum(window_s) / max(len(window_s), 1)
    return {"mean": round(mean * 1000, 3), "max": round(max(window_s, default=0.0) * 1000, 3)}


def show(outcomes: Sequence[Outcome], stream: TextIO) -> None:
    """Write the table: drawn on a terminal that is wide enough, else in plain aligned columns."""
    rows = [_row(outcome) for outcome in outcomes]
    if stream.isatty() and shutil.get_terminal_size().columns >= _NARROWEST:
        _draw(rows, stream)
    else:
        stream.write("\n".join(plain(rows)) + "\n")
    for line in notes(outcomes):
        stream.write(line + "\n")


def _row(outcome: Outcome) -> tuple[str, ...]:
    figures = outcome.figures
    took = _milliseconds(outcome.window_s)
    rates = (figures.retention, figures.context, figures.far_faults, figures.bill)
    # Without pressure nothing had to be left out, and a share of nothing would look like a bad one.
    shares = [f"{rate:.3f}" if figures.pressed else "–" for rate in rates]
    counts = [figures.over, figures.broken, figures.thin, figures.steps, figures.pressed]
    return (
        outcome.name,
        *shares,
        *(f"{count:,}" for count in counts),
        f"{took['mean']:.2f}",
        f"{took['max']:.1f}",
        f"{len(outcome.repairs):,}",
    )


def plain(rows: Sequence[Sequence[str]]) -> list[str]:
    """The table's lines: names to the left, numbers to the right."""
    table = [_HEADINGS, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEADINGS))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]


def _draw(rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="right" if column else "left", no_wrap=column > 0)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(file=stream).print(table)


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
