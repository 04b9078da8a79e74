"""The index: when each memory was said, and the days that it speaks of."""

# Table names hold a number that lamina.kit.indexfile drew, never anything that came from outside.
# ruff: noqa: S608

from __future__ import annotations

import datetime
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from lamina.kit.dates import DAY_S, Days, days_of
from lamina.kit.indexfile import FILTERS, IndexFile, unblob
from lamina.protocols import Document, Filter, IndexHit, IndexUpdate, SearchRequest

if TYPE_CHECKING:
    from lamina_index_time import TimeSettings

RULES = "days 1"

LONGEST = 31
"""Days of a time that a memory speaks of; longer ones say too little of it."""

MOST_SPOKEN = 16
"""Times that are kept of one memory, the first ones."""

ENDS = 990
"""So many characters of each end of a query are read; between them lies what was pasted."""

_EPOCH = datetime.date(1970, 1, 1).toordinal()

Row = tuple[int, bytes, float, bytes]
"""Number, id, when it was said, and the times that it speaks of."""


class TimeIndex:
    """Finds memories by the times that a query speaks of, and nothing where it speaks of none.

    A memory is of a day if it was said then, or speaks of it ("yesterday" of the day before it was said). Days are those
    of UTC; what is relative in a query is resolved against the time of asking. Reads at most a few times ``limit``
    records for each time that is spoken of. It reads no word of a query but those: other indexes do.
    """

    filters = FILTERS

    def __init__(self, file: IndexFile, settings: TimeSettings) -> None:
        self._file, self._settings = file, settings
        self.generation = file.generation

    async def update(self, request: IndexUpdate) -> None:
        """Apply the changes; errors as :class:`lamina.kit.indexfile.IndexFile` has them."""
        self._file.check_open()
        spoken = [_spoken(document) for document in request.add]
        data = [struct.pack(f"<{2 * len(its)}q", *chain(*((d.first, d.last) for d in its))) for its in spoken]
        await self._file.update(request, data, [[days.first for days in its] for its in spoken])
        self.generation = self._file.generation

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        """Those of the days that are spoken of, the newest first; then those a few days beside, the nearest first.

        ``in_range`` is 1 for the former; ``recency`` falls from 1 by the half-life; the score is ``0.9 + 0.1 recency``
        times the mean, over the times of the query, of ``1 / (1 + distance in days)``, 0 for those that are not near.
        """
        self._file.check_open()
        query = request.query
        if len(query) > 2 * ENDS:
            query = f"{query[:ENDS]}\n{query[-ENDS:]}"
        times = days_of(query, request.now_s)
        if request.limit < 1 or not (times or self._settings.newest):
            return []
        hits = await self._file.read(lambda db: self._search(db, times, request))
        self.generation = self._file.generation
        return hits

    async def clear(self) -> None:
        """Forget everything in this namespace, and draw a new generation."""
        await self._file.clear()
        self.generation = self._file.generation

    def _search(self, db: sqlite3.Connection, times: Sequence[Days], request: SearchRequest) -> list[IndexHit]:
        if not times:
            newest = self._said(
                db, "created_s > 0", (), "DESC", request.filter, min(request.limit, self._settings.newest)
            )
            return self._hits([(row, 1.0, False) for row in newest], request)
        rows: dict[int, Row] = {}
        for days in times:
            for row in (*self._near(db, days, request), *self._speaking(db, days, request.filter)):
                rows[row[0]] = row
        measured = []
        for row in rows.values():
            near = [d for d in (_distance(row, days) for days in times) if d <= self._settings.near_days]
            if near:
                measured.append((row, sum(1 / (1 + d) for d in near) / len(times), not min(near)))
        return self._hits(measured, request)

    def _near(self, db: sqlite3.Connection, days: Days, request: SearchRequest) -> Iterator[Row]:
        """What was said then, or shortly before or after: enough of each for all hits."""
        near, filter, limit = self._settings.near_days, request.filter, request.limit
        start, end = _seconds(days.first), _seconds(days.last + 1)
        between = "created_s > 0 AND created_s >= ? AND created_s < ?"
        yield from self._said(db, between, (start, end), "DESC", filter, limit)
        if near:
            yield from self._said(db, between, (_seconds(days.first - near), start), "DESC", filter, limit)
            yield from self._said(db, between, (end, _seconds(days.last + near + 1)), "ASC", filter, limit)

    def _said(
        self, db: sqlite3.Connection, when: str, bounds: tuple[float, ...], order: str, filter: Filter, limit: int
    ) -> list[Row]:
        where, values = self._file.passing(filter)
        return db.execute(
            f"SELECT number, id, created_s, data FROM {self._file.docs} WHERE {when} AND {where} "
            f"ORDER BY created_s {order}, id LIMIT ?",
            (*bounds, *values, limit),
        ).fetchall()

    def _speaking(self, db: sqlite3.Connection, days: Days, filter: Filter) -> list[Row]:
        """What speaks of a time that may touch this one."""
        where, values = self._file.passing(filter)
        near = self._settings.near_days
        return db.execute(
            f"SELECT number, id, created_s, data FROM {self._file.docs} WHERE number IN "
            f"(SELECT number FROM {self._file.keys} WHERE key BETWEEN ? AND ?) AND {where}",
            (days.first - LONGEST - near, days.last + near, *values),
        ).fetchall()

    def _hits(self, rows: Sequence[tuple[Row, float, bool]], request: SearchRequest) -> list[IndexHit]:
        """Of records, how close each is and whether it is of a time that is spoken of."""
        hits = []
        for (_, id, created_s, _), close, inside in rows:
            age_days = max(0.0, request.now_s - created_s) / DAY_S
            recency = 0.5 ** (age_days / self._settings.half_life_days) if created_s > 0 and request.now_s > 0 else 0.0
            features = {"recency": recency, "in_range": float(inside)}
            hits.append(IndexHit(unblob(id), (0.9 + 0.1 * recency) * close, features))
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))[: request.limit]


def _spoken(document: Document) -> list[Days]:
    """The times that a memory speaks of."""
    found = dict.fromkeys(days_of(document.text, document.created_s))
    return [days for days in found if days.last - days.first < LONGEST][:MOST_SPOKEN]


def _distance(row: Row, days: Days) -> int:
    """Days between a time and the nearest one that a memory is of."""
    _, _, created_s, data = row
    ends = struct.unpack(f"<{len(data) // 8}q", data)
    spoken = [max(first - days.last, days.first - last, 0) for first, last in zip(ends[::2], ends[1::2], strict=True)]
    said = [days.distance(int(created_s // DAY_S) + _EPOCH)] if created_s > 0 else []
    return int(min((*spoken, *said)))


def _seconds(day: int) -> float:
    """When a day begins."""
    return float((day - _EPOCH) * DAY_S)
