"""A text with some of its units left out."""

from __future__ import annotations

from collections.abc import Sequence

GAP = 2.0
"""Tokens of a gap inside a line, about."""
BREAK = 5.0
"""Tokens of a gap of whole lines, about."""


def head(page: int, *, telegraphic: bool = False) -> str:
    """The first line of a text that has gaps, or of whose sentences words are missing."""
    return f"[{'telegraphic ' * telegraphic}excerpts of page {page}; expand {page}]"


def nothing(page: int, tokens: int) -> str:
    """What stands for a text of which nothing is kept."""
    return f"[{tokens:,} tokens of page {page} left out; expand {page}]"


def excerpts(text: str, spans: Sequence[tuple[int, int, str]], page: int) -> str:
    """The kept spans in order, with a mark wherever something between them is missing, under a line with the page's id.

    Args:
        text: The original.
        spans: Start, end and form of each kept unit, in order; units whose neighbours are kept come joined by the
            original's white space.
        page: The page that the text belongs to.
    """
    telegraphic = any(shown != text[start:end] for start, end, shown in spans)
    made = [head(page, telegraphic=telegraphic), "\n"]
    at = 0
    for start, end, shown in spans:
        made += (_between(text, at, start), shown)
        at = end
    if text[at:].strip():
        made.append(_between(text, at, len(text)).rstrip("\n"))
    return "".join(made)


def _between(text: str, start: int, end: int) -> str:
    """What stands between two kept units: white space as it was, or the mark of a gap."""
    gone = text[start:end]
    if not gone.strip():
        return gone if start else gone.lstrip("\n\r")
    breaks = gone.count("\n")
    if not breaks:
        return " … " if start else "… "
    inner = gone.split("\n")
    if start:
        inner = inner[1:]
    if end < len(text):
        inner = inner[:-1]
    lines = sum(bool(line.strip()) for line in inner)
    mark = f"… {lines} lines" if lines > 1 else "…"
    return f"\n{mark}\n" if start else f"{mark}\n"
