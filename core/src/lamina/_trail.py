"""Which records of a log say which page: a few numbers for each, and no text."""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Sequence

At = tuple[str, int]
"""A record in a log: the session whose log holds it, and its sequence number."""


class Trail:
    """What was said, in order; one entry for each page that a record says something of."""

    def __init__(self) -> None:
        self.seqs = array("q")
        """Sequence number of each entry's record, ascending."""
        self.pages = array("q")
        """Id of each entry's page."""
        self.before = array("q")
        """Of each entry the one before it that is of the same page; -1 for none."""
        self.sources = array("q")
        """Of each entry the source record that it came from: 0 for none, else twice its number plus 2, plus 1 where it
        is of a recording."""
        self.last = array("q")
        """Of each page, by position, its last entry."""
        self.owners: list[tuple[int, str]] = []
        """Whose records they are, from which sequence number on."""

    def add(self, at: At, page: int, position: int, source: int | None, recorded: bool) -> None:
        """Take in that a record says something of a page."""
        owner, seq = at
        self.owned(owner, seq)
        if position == len(self.last):
            self.last.append(-1)
        self.before.append(self.last[position])
        self.last[position] = len(self.seqs)
        self.seqs.append(seq)
        self.pages.append(page)
        self.sources.append(0 if source is None else 2 * source + 2 + recorded)

    def owned(self, owner: str, seq: int) -> None:
        """Take in whose record it is."""
        if not self.owners or self.owners[-1][1] != owner:
            self.owners.append((seq, owner))

    def of(self, position: int) -> list[int]:
        """The entries of the page at this position, oldest first."""
        found = []
        entry = self.last[position]
        while entry >= 0:
            found.append(entry)
            entry = self.before[entry]
        return found[::-1]

    def at(self, entry: int) -> At:
        """Where an entry's record is."""
        seq = self.seqs[entry]
        return self.owners[bisect.bisect_right(self.owners, seq, key=_seq) - 1][1], seq

    def source(self, entry: int) -> tuple[At, bool] | None:
        """The source record (owner session, number) that an entry came from, and whether it is of a recording."""
        packed = self.sources[entry]
        return None if packed == 0 else ((self.at(entry)[0], (packed - 2) >> 1), bool(packed & 1))

    def since(self, seq: int, limit: int | None) -> tuple[Sequence[int], int | None]:
        """The pages of about ``limit`` entries from this sequence number on, and that of the first one behind them."""
        start, end = bisect.bisect_left(self.seqs, seq), len(self.seqs)
        if limit is not None and start + limit < end:
            # What one record said of several pages stays together.
            end = bisect.bisect_right(self.seqs, self.seqs[start + limit - 1])
        return self.pages[start:end], self.seqs[end] if end < len(self.seqs) else None


def _seq(owner: tuple[int, str]) -> int:
    return owner[0]
