"""The ledger of a window, in words and in JSON."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

from attrs import asdict, frozen

from lamina import Ledger, LedgerLine, LedgerRow, Page, Window
from lamina_cli._output import first_line, number, score
from lamina_cli._tables import Table


@frozen
class Run:
    """Adjacent rows of a ledger that read alike, told as one."""

    rows: tuple[LedgerRow, ...]

    @property
    def pages(self) -> str:
        """The run's page ids."""
        return pages_text(self.rows[0].first, self.rows[-1].last)

    @property
    def score(self) -> str:
        """The lowest and the highest score."""
        scores = [row.score for row in self.rows if row.score is not None]
        if not scores:
            return ""
        low, high = score(min(scores)), score(max(scores))
        return low if low == high else f"{low}–{high}"


def pages_text(first: int, last: int) -> str:
    """``12``, or ``12–30``; a recalled memory that is no page has none."""
    return "–" if not first else str(first) if first == last else f"{first}–{last}"


def runs(rows: Sequence[LedgerRow]) -> list[Run]:
    """The rows, adjacent ones of the same rendition, rule and compressor together."""
    made: list[list[LedgerRow]] = []
    for row in rows:
        if made and _reads_like(made[-1][-1], row):
            made[-1].append(row)
        else:
            made.append([row])
    return [Run(tuple(rows)) for rows in made]


def _reads_like(a: LedgerRow, b: LedgerRow) -> bool:
    alike = (a.rendition, a.rule, a.compressor, a.notes) == (b.rendition, b.rule, b.compressor, b.notes)
    return a.rendition != "recalled" and alike


def notes(rows: Sequence[LedgerRow]) -> list[str]:
    """What does not go out as it came, each with its pages: ``left out: citations (3, 7–9)``."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for note in row.notes:
            found.setdefault(note, []).append(pages_text(row.first, row.last))
    shown = ((note, pages[:10], len(pages) > 10) for note, pages in found.items())
    return [f"{note} ({', '.join(pages)}{', …' if more else ''})" for note, pages, more in shown]


def table(made: Sequence[Run], *, lines: bool = False) -> Table:
    """The runs as a table.

    Args:
        made: The runs.
        lines: Whether to tell also of each line of a digest why it stands.
    """
    drawn = Table(["pages", "rendition", "*why", ">score", ">before", ">after"])
    for run in made:
        row = run.rows[0]
        why = f"{row.rule} (by {row.compressor})" if row.compressor else row.rule
        why = "; ".join((why, *row.notes))
        before = sum(r.tokens_before for r in run.rows)
        after = sum(r.tokens_after for r in run.rows)
        drawn.add(run.pages, row.rendition, why, run.score, number(before), number(after))
        for line in row.lines if lines else ():
            drawn.add(f"  {line.page or ''}", "  line" if line.page else "  note", told(line), "", "", "")
    return drawn


def told(line: LedgerLine) -> str:
    """Why a line of a digest stands, and its beginning."""
    return f"{line.why}: {first_line(line.text)}"


def counted(window: Window, pages: Sequence[Page]) -> dict[str, int]:
    """How many pages stand in which rendition."""
    ids = [page.id for page in pages]
    counts = {"verbatim": 0, "shortened": 0, "digest": 0, "paged out": 0, "recalled": 0}
    for row in window.ledger.rows:
        if row.rendition == "recalled":
            counts["recalled"] += 1
        else:
            counts[row.rendition] += bisect.bisect_right(ids, row.last) - bisect.bisect_left(ids, row.first)
    return counts


def as_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """The ledger's rows for JSON."""
    return [asdict(row) for row in ledger.rows]
