"""How chosen lines read: one excerpt for each page, in the order of the log, with marks where something is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lamina.protocols import Excerpt
from lamina_pager_coverage._evidence import Element, Evidence

_SMALL = 3
"""Tokens of a line, its end included, that is not worth a mark for leaving it out."""
_NUMBERED = re.compile(r"\s*\d+[→\t|:]")


def excerpts_of(evidence: Evidence, run: Sequence[int]) -> Iterator[Excerpt]:
    """The excerpts of these elements, which ascend; clauses of one line stand on one line."""
    lines: list[str] = []
    before, elements = -1, evidence.elements
    for number, x in enumerate(run):
        e, b = elements[x], elements[before]
        if before >= 0 and (b.text_number, b.line) == (e.text_number, e.line):
            lines[-1] += e.text if b.clause + 1 == e.clause else " … " + e.text
        else:
            lines += between(elements, before, x)
            lines.append(e.text)
        before = x
        page = evidence.pages[e.page]
        if page is not None and (number + 1 == len(run) or elements[run[number + 1]].page != e.page):
            yield Excerpt(page.id, "\n".join(lines), evidence.label(e.page), block=True)
            lines, before = [], -1


def between(elements: Sequence[Element], before: int, x: int) -> list[str]:
    """What stands between two chosen elements of a page: the mark of a gap, or what is no longer than that.

    Nothing between adjacent lines and between lines that say their own numbers; blank lines and single short ones as
    they are.
    """
    if before < 0:
        return []
    a, b = elements[before], elements[x]
    if a.text_number == b.text_number:
        if x == before + 1:
            return [""] if b.line > a.line + 1 else []
        if x == before + 2 and elements[x - 1].tokens <= _SMALL and a.line < elements[x - 1].line < b.line:
            return [elements[x - 1].text]
        if _NUMBERED.match(a.text) and _NUMBERED.match(b.text):
            return []
    return ["…"]
