"""What a search came to, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from lamina_command_replay._front import dominates
from lamina_command_replay._race import Trial, worth
from lamina_command_replay._report import figures_of
from lamina_command_replay._schedule import ENOUGH, Case
from lamina_command_replay._search import Found
from lamina_command_replay._space import Point, Space

_GROUPS = ("", "searched", "", "", "held out", "", "", "", "")
_HEADINGS = ("", "retention", "context", "bill", "retention", "context", "bill", "thin", "changes")


def as_json(found: Found, space: Space, budget: int, toml: Callable[[Point], str]) -> dict[str, Any]:
    """The stable form; every field is documented in the distribution's README."""
    split = found.split
    return {
        "budget": budget,
        "sessions": {
            "searched": [case.recording.id for case in split.search],
            "held_out": [case.recording.id for case in split.held_out],
            "unreached": found.unreached,
        },
        "trials": {
            "tried": len(found.trials),
            **{end: found.ends[end] for end in ("whole", "behind", "same", "excluded", "failed", "cut")},
            "reasons": dict(sorted(found.reasons.items())),
            "stopped": found.stopped,
            "untried": found.untried,
        },
        "configured": _member(found, found.base, space, toml),
        "front": [_member(found, trial, space, toml) for trial in found.front],
        "chosen": None if found.chosen is None else found.front.index(found.chosen),
    }


def _member(found: Found, trial: Trial, space: Space, toml: Callable[[Point], str]) -> dict[str, Any]:
    split = found.split
    every = (*split.search, *split.held_out)
    return {
        "changes": space.differences(trial.point),
        "excluded": trial.why or None,
        "searched": figures_of(trial.figures(split.search)),
        "held_out": figures_of(trial.figures(split.held_out)) if _complete(trial, split.held_out) else None,
        "all": figures_of(trial.figures(every)) if _complete(trial, every) else None,
        "toml": toml(trial.point),
    }


def _complete(trial: Trial, cases: Sequence[Case]) -> bool:
    return bool(cases) and all(case in trial.played for case in cases)


def show(found: Found, space: Space, budget: int, stream: TextIO) -> None:
    """Write what was searched, the front as a table, and what the table cannot say."""
    for line in _summary(found, budget):
        stream.write(line + "\n")
    stream.write("\n")
    rows = [_row("as configured", found.base, found, "")]
    for number, trial in enumerate(found.front, start=1):
        mark = "* " if trial is found.chosen else "  "
        rows.append(_row(f"{mark}{number}", trial, found, _changes(trial, space)))
    width = shutil.get_terminal_size().columns if stream.isatty() else None
    for line in _plain(rows):
        stream.write((line if width is None or len(line) <= width else line[: width - 1] + "…") + "\n")
    remarks = notes(found)
    if remarks:
        stream.write("\n" + "\n".join(remarks) + "\n")


def _summary(found: Found, budget: int) -> list[str]:
    split, ends = found.split, found.ends
    held = f", {len(split.held_out)} held out" if split.held_out else ""
    words = {
        "whole": "on all sessions searched",
        "behind": "given up early, behind another",
        "same": "without effect",
        "excluded": "excluded",
        "failed": "failed",
        "cut": "cut off by the time",
    }
    parts = [f"{ends[end]} {said}" for end, said in words.items() if ends[end]]
    tried = f"{len(found.trials):,} configurations tried" + (f": {', '.join(parts)}" if parts else "")
    return [f"budget {budget:,}; sessions over it: {len(split.search)} searched{held}", tried]


def _row(name: str, trial: Trial, found: Found, changes: str) -> tuple[str, ...]:
    split = found.split
    cells = [name]
    for cases in (split.search, split.held_out):
        figures = trial.figures(cases)
        known = _complete(trial, cases)
        cells += [f"{rate:.3f}" if known else "–" for rate in (figures.retention, figures.context, figures.bill)]
    return (*cells, str(trial.figures((*split.search, *split.held_out)).thin), changes)


def _changes(trial: Trial, space: Space) -> str:
    changes = space.differences(trial.point)
    if not changes:
        return "none"
    # The table's name says less than the part's: coverage.price=9.5
    return ", ".join(f"{path.split('.', 1)[1]}={_short(value)}" for path, value in changes.items())


def _short(value: Any) -> str:
    return (
        f"[{', '.join(value)}]" if isinstance(value, list) else value if isinstance(value, str) else json.dumps(value)
    )


def _plain(rows: Sequence[Sequence[str]]) -> list[str]:
    """The table's lines: names and changes to the left, numbers to the right."""
    table = [_HEADINGS, *rows]
    last = len(_HEADINGS) - 1
    widths = [max(len(row[column]) for row in table) for column in range(last)]
    # A group's name stands over the first of its columns and may reach over the next.
    over, at = "", 0
    for column, name in enumerate(_GROUPS[:last]):
        if name:
            over = over.ljust(at + widths[column] - len(_HEADINGS[column])) + name
        at += widths[column] + 2
    lines = [
        "  ".join(
            cell if column == last else cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, [*widths, 0], strict=True))
        ).rstrip()
        for row in table
    ]
    return [over, *lines]


def notes(found: Found) -> list[str]:
    """What the table cannot say."""
    said = []
    split, base = found.split, found.base
    if not split.held_out:
        said.append(
            f"fewer than {ENOUGH} sessions to search, so none is held out: on sessions to come expect less than this"
        )
    if found.unreached:
        said.append(f"{found.unreached} sessions were left out for want of time; give more --minutes")
    if base.why:
        said.append(f"as configured: {base.why}, so it does not stand on the front")
    for why, times in sorted(found.reasons.items(), key=lambda pair: (-pair[1], pair[0]))[:5]:
        said.append(f"{times} left out: {why}")
    if found.stopped == "space":
        said.append("every configuration near those of the front was tried")
    if found.stopped == "time":
        said.append("stopped because the next one would not have ended in time; a longer search goes further")
    if found.untried:
        said.append(f"no trial got to: {', '.join(found.untried)}")
    return said + _verdict(found)


def _verdict(found: Found) -> list[str]:
    """How the chosen one compares with the configuration as it is."""
    chosen, base = found.chosen, found.base
    if chosen is None:
        return []
    if chosen is base:
        return ["chosen (*): the configuration as it is; nothing better was found"]
    line = f"chosen (*): {_against(chosen, base, found.split.search)} against the configuration as it is"
    held = found.split.held_out
    if not (_complete(chosen, held) and _complete(base, held)):
        return [line]
    line += f"; on the sessions held out {_against(chosen, base, held)}"
    if dominates(worth(base.figures(held)), worth(chosen.figures(held))):
        return [line, "on those the configuration as it is does better, so the gain may be chance: keep it"]
    return [line]


def _against(trial: Trial, base: Trial, cases: Sequence[Case]) -> str:
    own, other = trial.figures(cases), base.figures(cases)
    bill = 100 * (own.bill / max(other.bill, 1e-9) - 1)
    return f"retention {own.retention - other.retention:+.3f}, bill {bill:+.0f} %"


def heading(found: Found, budget: int) -> str:
    """A comment that says what the chosen configuration came to."""
    chosen, split = found.chosen, found.split
    if chosen is None:
        return ""
    own = chosen.figures(split.search)
    lines = [
        f"# Found by lamina tune for windows of {budget:,} tokens: retention {own.retention:.3f}, bill {own.bill:.3f}",
        f"# on {len(split.search)} session{'s' if len(split.search) > 1 else ''}",
    ]
    if _complete(chosen, split.held_out):
        held = chosen.figures(split.held_out)
        lines[-1] += f"; {held.retention:.3f} and {held.bill:.3f} on {len(split.held_out)} that the search did not see"
    return "\n".join(lines) + ".\n\n"
