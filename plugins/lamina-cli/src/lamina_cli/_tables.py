"""Tables: drawn by rich on a terminal, plain aligned text in a pipe."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import TextIO

from attrs import Factory, define

from lamina_cli._output import is_terminal, say, visible

PIPED_CELLS = 120
"""Longest text of the stretching column in a pipe, where no terminal says how wide it is."""
LEAST_CELLS = 12
"""No column is cut to less than this."""

_GAP = "  "


@define
class Table:
    """Rows under headings, of which the first character may say how the column is drawn.

    ``>`` aligns right and ``~`` may be cut on a terminal that is too narrow; ``*`` may also be cut in a pipe.
    """

    headings: Sequence[str]
    rows: list[tuple[str, ...]] = Factory(list)

    def add(self, *cells: str) -> None:
        """Add a row, one text per column."""
        self.rows.append(tuple(visible(cell).replace("\n", " ").replace("\t", " ") for cell in cells))


def width(text: str) -> int:
    """Terminal cells that the text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) or unicodedata.category(c) == "Cf" else 2 if _wide(c) else 1 for c in text)


def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def cut(text: str, cells: int) -> str:
    """The text in at most so many cells, with a mark where it was cut."""
    if width(text) <= cells:
        return text
    taken, used = [], 1
    for character in text:
        used += width(character)
        if used > cells:
            break
        taken.append(character)
    return "".join(taken).rstrip() + "…"


def show(table: Table, stream: TextIO | None = None) -> None:
    """Write the table; nothing where it has no rows."""
    out = sys.stdout if stream is None else stream
    if not table.rows:
        return
    if is_terminal(out):
        _draw(table, out)
    else:
        for line in plain(table, PIPED_CELLS):
            say(line, out)


def plain(table: Table, longest: int) -> list[str]:
    """The table's lines in aligned columns; the last column is not padded.

    Args:
        table: What to write.
        longest: Cells that a text of a column marked ``*`` may take.
    """
    names = [heading.lstrip(">~*") for heading in table.headings]
    stretching = [heading.startswith("*") for heading in table.headings]
    rows = [
        [cut(cell, longest) if stretch else cell for cell, stretch in zip(row, stretching, strict=True)]
        for row in (tuple(names), *table.rows)
    ]
    widths = [max(width(row[column]) for row in rows) for column in range(len(names))]
    lines = []
    for row in rows:
        cells = []
        for heading, cell, wide in zip(table.headings, row, widths, strict=True):
            gap = " " * (wide - width(cell))
            cells.append(gap + cell if heading.startswith(">") else cell + gap)
        lines.append(_GAP.join(cells).rstrip())
    return lines


def fitted(table: Table, cells: int) -> list[int]:
    """The widths of the columns on a terminal of so many cells: of those that may be cut, the widest give way."""
    columns = range(len(table.headings))
    widths = [
        max(width(row[c]) for row in (tuple(h.lstrip(">~*") for h in table.headings), *table.rows)) for c in columns
    ]
    giving = [c for c in columns if table.headings[c][:1] in ("~", "*")]
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - cells
    while over > 0 and giving:
        widest = max(widths[c] for c in giving)
        if widest <= LEAST_CELLS:
            break
        next_widest = max((widths[c] for c in giving if widths[c] < widest), default=0)
        together = [c for c in giving if widths[c] == widest]
        less = min(widest - max(next_widest, LEAST_CELLS), -(-over // len(together)))
        for c in together:
            widths[c] -= less
        over -= less * len(together)
    return widths


def _draw(table: Table, out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    cells = shutil.get_terminal_size().columns
    widths = fitted(table, cells)
    drawn = Drawn(box=None, padding=(0, len(_GAP), 0, 0), pad_edge=False, header_style="bold")
    for heading, wide in zip(table.headings, widths, strict=True):
        drawn.add_column(heading.lstrip(">~*"), justify="right" if heading.startswith(">") else "left", width=wide, no_wrap=True)  # fmt: skip
    for row in table.rows:
        drawn.add_row(*(Text(cut(cell, wide)) for cell, wide in zip(row, widths, strict=True)))
    # Wider than the terminal where nothing may be cut any more: it wraps, which beats columns of nothing.
    Console(file=out, width=max(cells, sum(widths) + len(_GAP) * len(widths))).print(drawn)
