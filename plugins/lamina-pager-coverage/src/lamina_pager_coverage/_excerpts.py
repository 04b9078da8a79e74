"""How chosen lines read: one excerpt for each page, in the order of the log, with marks where something is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lamina.protocols import Excerpt
from lamina_pager_coverage._evidence import STATEMENT, Element, Evidence

_SMALL = 3
"""Tokens of a line, its end included, that is not worth a mark for leaving it out."""
_NUMBERED = re.compile(r"\s*\d+[→\t|:]")


MOST = 3
"""Names that the ledger tells of one excerpt."""


def excerpts_of(evidence: Evidence, run: Sequence[int]) -> Iterator[Excerpt]:
    """The excerpts of these elements, which ascend; clauses of one line stand on one line. See :func:`whys`."""
    lines: list[str] = []
    before, elements = -1, evidence.elements
    for number, x in enumerate(run):
        e = elements[x]
        if before < 0:
            lines.append(e.text)
        else:
            b = elements[before]
            if b.line == e.line and b.text_number == e.text_number:
                lines[-1] += e.text if b.clause + 1 == e.clause else " … " + e.text
            else:
                lines += between(elements, before, x)
                lines.append(e.text)
        before = x
        if number + 1 == len(run) or elements[run[number + 1]].page != e.page:
            page = evidence.pages[e.page]
            if page is not None:
                yield Excerpt(page.id, "\n".join(lines), evidence.label(e.page), block=True)
                lines, before = [], -1


def whys(
    evidence: Evidence, run: Iterable[int], value: Mapping[str, float], candidates: Mapping[int, Sequence[str]]
) -> dict[int, str]:
    """Page id to what its excerpts cover.

    Args:
        evidence: Where the elements are.
        run: Numbers of elements.
        value: Worth of the names that were covered.
        candidates: Element to the names that it may stand for.
    """
    covered: dict[int, dict[str, None]] = {}
    for x in run:
        covered.setdefault(evidence.elements[x].page, {}).update(dict.fromkeys(candidates.get(x, ())))
    found = ((evidence.pages[at], names) for at, names in covered.items())
    return {page.id: _why(names, value) for page, names in found if page is not None}


def _why(covered: Mapping[str, None], value: Mapping[str, float]) -> str:
    best = sorted(covered, key=lambda name: -value.get(name, 0.0))
    if not best:
        return "beside what is covered"
    shown = ["what was said" if name.startswith(STATEMENT) else name for name in best[:MOST]]
    more = f" and {len(best) - MOST} more" if len(best) > MOST else ""
    return f"covers {', '.join(dict.fromkeys(shown))}{more}"


def between(elements: Sequence[Element], before: int, x: int) -> list[str]:
    """What stands between two chosen elements of a page: the mark of a gap, or what is no longer than that.

    Nothing between adjacent lines and between lines that say their own numbers; blank lines and single short ones as
    they are.
    """
    a, b = elements[before], elements[x]
    if a.text_number == b.text_number:
        if x == before + 1:
            return [""] if b.line > a.line + 1 else []
        if x == before + 2 and elements[x - 1].tokens <= _SMALL and a.line < elements[x - 1].line < b.line:
            return [elements[x - 1].text]
        if _NUMBERED.match(a.text) and _NUMBERED.match(b.text):
            return []
    return ["…"]
