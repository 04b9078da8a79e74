"""Finding what stands elsewhere, and writing the reference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from lamina_compressor_redundancy._pieces import WINDOW, Source, lines_of


@frozen
class Match:
    """Pieces of a text that stand in another."""

    start: int
    end: int
    """Pieces of the text, end exclusive."""
    source: Source
    at: int
    """Where they stand there."""


class Places:
    """Where windows of pieces stand: of equal ones the newest place counts, within it the first."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[Source, int]] = {}

    def add(self, source: Source) -> None:
        """Let pieces be found; O(pieces)."""
        for at, window in enumerate(source.looked_up):
            known = self._found.get(window)
            if known is None or known[0] is not source:
                self._found[window] = (source, at)

    def find(self, source: Source, start: int) -> tuple[Source, int] | None:
        """Where the pieces from ``start`` on stand, if anywhere; a hash says so, which may be wrong."""
        return self._found.get(source.looked_up[start]) if start < len(source.looked_up) else None


def matches(source: Source, places: Sequence[Places], min_chars: int) -> list[Match]:
    """Runs of pieces that stand elsewhere, exactly but for line numbers and the blanks at lines' ends.

    Greedy from the start; O(pieces) for texts of few equal windows.

    Args:
        source: The text.
        places: Where to look, the preferred ones first.
        min_chars: A run of fewer characters is none.
    """
    made: list[Match] = []
    at = 0
    done = 0
    while at < len(source.bare):
        best: Match | None = None
        for found in [p.find(source, at) for p in places]:
            if found is None or found[0] is source:
                continue
            match = _extended(source, at, done, *found)
            if match and (best is None or match.end - match.start > best.end - best.start):
                best = match
        if best and sum(map(len, source.pieces[best.start : best.end])) >= min_chars:
            made.append(best)
            at = done = best.end
        else:
            # A run that is too short is passed over whole, so that each piece is compared a bounded number of times.
            at = max(at + 1, best.end - WINDOW if best else 0)
    return made


def _extended(source: Source, start: int, done: int, other: Source, at: int) -> Match | None:
    first = start
    end, there = start, at
    while end < len(source.bare) and there < len(other.bare) and source.bare[end] == other.bare[there]:
        end, there = end + 1, there + 1
    while first > done and at > 0 and source.bare[first - 1] == other.bare[at - 1]:
        first, at = first - 1, at - 1
    return Match(first, end, other, at) if end > first else None


def write(source: Source, found: Sequence[Match]) -> str:
    """The text with references in place of what stands elsewhere; the first says how to get the text."""
    if len(found) == 1 and found[0].end - found[0].start == len(source.pieces):
        match = found[0]
        whole = match.at == 0 and len(match.source.pieces) == len(source.pieces)
        return f"[{'same as' if whole else 'stands within'} {_place(source, match)}; expand {source.page}]"
    made: list[str] = []
    at = 0
    for match in found:
        made += source.pieces[at : match.start]
        before = made[-1] if made else "\n"
        lines = lines_of(source, match.start, match.end)
        ends = sum(piece.endswith("\n") for piece in source.pieces[match.start : match.end])
        what = f"lines {lines[0]}–{lines[1]}" if lines else f"{ends} lines" if ends > 1 else "this part"
        how = f"; expand {source.page}" if match is found[0] else ""
        own_line = source.pieces[match.end - 1].endswith("\n")
        made.append(f"[… {what} as in {_place(source, match)}{how} …]" + ("\n" if own_line else ""))
        if not before.endswith(("\n", " ")):
            made.insert(-1, " ")
        at = match.end
    made += source.pieces[at:]
    return "".join(made)


def _place(source: Source, match: Match) -> str:
    if match.source.page == source.page:
        return "the text above" if match.source.key < source.key else "the text below"
    return f"page {match.source.page}"


def superseding(source: Source, standing: Iterable[Source]) -> Source | None:
    """The newest standing answer to the same call, or read of (at least) the same lines of the same file, if newer."""
    best: Source | None = None
    for other in standing:
        if (other.page, other.key) <= (source.page, source.key) or other.page == source.page:
            continue
        if (best is None or other.page > best.page) and (other.call == source.call or _covers(other, source)):
            best = other
    return best


def _covers(other: Source, source: Source) -> bool:
    if other.file != source.file or source.file is None:
        return False
    there, here = lines_of(other), lines_of(source)
    return there is not None and here is not None and there[0] <= here[0] and here[1] <= there[1]
