"""Vectors in memory: exact as long as they are few; beyond, bits find candidates, and bytes choose among them."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BLOCK = 8192
"""Rows that are looked at between two looks at the clock; as floats they fit the outer caches."""

COARSE = 20_000
"""More rows of bytes than this are not looked at: their bits are, first."""

PASSING = 50
"""Of so many rows that are looked at by their bits, one is looked at further."""

LEAST_PASSING = 2_000
"""So many are in any case, or for each hit that is wanted:"""

EACH_PASSING = 40

LEAST_BITS = 384

SPARE = 4
"""Candidates for each hit that is wanted, where scores are not exact."""


class Matrix:
    """Rows of numbers that grow at the end; rows that are dropped stay, as holes, until it is made anew.

    Args:
        dimensions: Numbers in a row.
        exact: With more rows than this, each number is kept as one byte, by the greatest of its row.
    """

    def __init__(self, dimensions: int, exact: int) -> None:
        self._dimensions, self._exact = dimensions, exact
        self._rows: NDArray[np.float32] | NDArray[np.int8] = np.zeros((0, dimensions), np.float32)
        self._scales = np.zeros(0, np.float32)
        self._bits = np.zeros((0, 0), np.uint64)
        self._turn: Floats | None = None
        """Turns vectors before their signs are taken."""
        self._alive = np.zeros(0, np.bool_)
        self.numbers = np.zeros(0, np.int64)
        """By row, rising."""
        self.ids: list[str] = []
        self._count = 0
        self._dropped = 0

    @property
    def error(self) -> float:
        """By how much a score of :meth:`scores` may be below the cosine."""
        # Each number is off by at most half a step of its row's greatest / 127. By Cauchy and Schwarz that is 0.015 in
        # all where the greatest of 384 is a fifth of the length, and a tenth of that where errors do not conspire.
        return 0.0 if self._rows.dtype == np.float32 else 0.02

    @property
    def is_sparse(self) -> bool:
        """Whether more than half of many rows are holes."""
        return self._dropped > max(1000, self._count // 2)

    def append(self, numbers: Sequence[int], ids: Sequence[str], rows: Floats) -> None:
        """Add rows with rising numbers, greater than those that are there."""
        start, end = self._count, self._count + len(numbers)
        if self._rows.dtype == np.float32 and end > self._exact:
            self._turn = _turn(self._dimensions)
            self._bits = _signs(self._rows[:start] @ self._turn)
            self._scales = _scales(self._rows[:start])
            self._rows = _bytes(self._rows[:start], self._scales)
        self._reserve(end)
        self.numbers[start:end] = numbers
        self._alive[start:end] = True
        if self._turn is None:
            self._rows[start:end] = rows
        else:
            self._bits[start:end] = _signs(rows @ self._turn)
            self._scales[start:end] = _scales(rows)
            self._rows[start:end] = _bytes(rows, self._scales[start:end])
        self.ids += ids
        self._count = end

    def _reserve(self, rows: int) -> None:
        if rows <= len(self.numbers) and len(self._rows) >= rows:
            return
        room = max(rows, 256, self._count * 3 // 2)
        for name in ("_rows", "_alive", "numbers", *(() if self._turn is None else ("_scales", "_bits"))):
            old = getattr(self, name)
            new = np.zeros((room, *old.shape[1:]), old.dtype)
            new[: self._count] = old[: self._count]
            setattr(self, name, new)

    def drop(self, numbers: Sequence[int]) -> None:
        """Take these out; unknown ones are no error."""
        rows = self.rows_of(sorted(numbers))
        self._dropped += int(self._alive[rows].sum())
        self._alive[rows] = False

    def rows_of(self, numbers: Sequence[int]) -> NDArray[np.int64]:
        """The rows with these numbers, which must rise; those that are not there are left out."""
        wanted = np.asarray(numbers, np.int64)
        held = self.numbers[: self._count]
        at = np.searchsorted(held, wanted)
        there = at < self._count
        there[there] = held[at[there]] == wanted[there]
        return np.asarray(at[there], np.int64)

    def scores(self, wanted: Floats, limit: int, rows: NDArray[np.int64] | None, until: float | None) -> Floats:
        """The likeness of each row to a vector of length 1; minus infinity for holes and for what is left out.

        Args:
            wanted: The vector.
            limit: So many rows are wanted; where there are many, those that cannot be among them are left out.
            rows: Only these, ``None`` for all.
            until: What is not looked at by then (``time.monotonic``) is left out; the newest come first, and one block always.
        """
        out = np.full(self._count, -np.inf, np.float32)
        total = self._count if rows is None else len(rows)
        if self._turn is not None and total > COARSE:
            rows = self._candidates(wanted @ self._turn, limit, rows)
            total = len(rows)
        for start in reversed(range(0, total, BLOCK)):
            if start + BLOCK < total and until is not None and time.monotonic() > until:
                break
            at = slice(start, min(start + BLOCK, total)) if rows is None else rows[start : start + BLOCK]
            block = self._rows[at]
            if block.dtype == np.float32:
                out[at] = block @ wanted
            else:
                out[at] = (block.astype(np.float32) @ wanted) * self._scales[at]
        out[~self._alive[: self._count]] = -np.inf
        return out

    def _candidates(self, turned: Floats, limit: int, rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """The rows whose signs agree most with a turned vector's.

        Source:
            Charikar 2002, "Similarity Estimation Techniques from Rounding Algorithms"; the turn is orthogonal, whose
            signs tell more than those of independent directions, and needed: coordinates that are mostly 0 have none.
        """
        bits = self._bits[: self._count] if rows is None else self._bits[rows]
        apart = np.bitwise_count(bits ^ _signs(turned[None, :])).sum(axis=1, dtype=np.uint16)
        if rows is None:
            apart[~self._alive[: self._count]] = np.iinfo(np.uint16).max
        many = max(LEAST_PASSING, EACH_PASSING * limit, len(apart) // PASSING)
        nearest = np.arange(len(apart)) if many >= len(apart) else np.sort(np.argpartition(apart, many)[:many])
        return np.asarray(nearest if rows is None else rows[nearest], np.int64)

    def best(self, scores: Floats, limit: int, least: float) -> list[int]:
        """The rows among which the best ``limit`` are, all equals of the last included."""
        many = limit if self._rows.dtype == np.float32 else max(SPARE * limit, limit + 64)
        if len(scores) > many:
            border = float(np.partition(scores, len(scores) - many)[len(scores) - many])
            least = max(least, border - 1e-5)
        return [int(row) for row in np.flatnonzero((scores >= least) & np.isfinite(scores))]

    def exact_rows(self, rows: Sequence[int]) -> Floats | None:
        """Rows as they were given, or ``None`` where they are not kept so."""
        if self._rows.dtype != np.float32:
            return None
        return np.asarray(self._rows[list(rows)], np.float32).reshape(len(rows), self._dimensions)


def _scales(rows: NDArray[np.float32] | NDArray[np.int8]) -> Floats:
    greatest = np.abs(rows).max(axis=1, initial=0) if len(rows) else np.zeros(0)
    return np.asarray(greatest / 127, np.float32)


def _bytes(rows: NDArray[np.float32] | NDArray[np.int8], scales: Floats) -> NDArray[np.int8]:
    return np.rint(rows / np.where(scales == 0, 1, scales)[:, None]).astype(np.int8)


def _turn(dimensions: int) -> Floats:
    """``(dimensions, bits)``: orthogonal directions, the same in every process."""
    bits = 64 * -(-max(dimensions, LEAST_BITS) // 64)
    drawn = np.random.default_rng(20_231).normal(size=(bits, bits))
    return np.ascontiguousarray(np.linalg.qr(drawn)[0][:dimensions], np.float32)


def _signs(turned: Floats) -> NDArray[np.uint64]:
    """One bit a number, 64 in a word."""
    return np.packbits(turned > 0, axis=1).view(np.uint64)
