"""Features: what is known of how each candidate answers a query, as one array by name.

Everything is computed over all candidates at once, from :class:`Rows`, which whoever keeps the documents provides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from attrs import frozen

from lamina.kit.dates import Days
from lamina_ranker_learned._terms import Query

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

OFFSETS = (-2, -1, 0, 1, 2)
"""Neighbours in the thread that explain a document, in the order of ``Rows.around``."""

K1, B = 1.2, 0.75
"""BM25's saturation and its share of length."""

LONGEST = 100.0
"""Terms beyond which more length says nothing."""

NEAR_DAYS = 10
"""After a time that is asked for, what is said within so many days may speak of it."""


@frozen(eq=False)
class Statistics:
    """Of all documents among which is searched."""

    n: int
    """Documents."""
    average: float
    """Their mean length in terms."""
    frequency: Callable[[str], int]
    """How many documents hold a term."""

    def rarity(self, spellings: Sequence[str]) -> float:
        """BM25's inverse document frequency of what is spelled in one of these ways."""
        held = min(sum(map(self.frequency, spellings)), self.n)
        return math.log1p((self.n - held + 0.5) / (held + 0.5))


@frozen(eq=False)
class Rows:
    """Candidates and their neighbours, each document once, column by column.

    ``r`` documents of which the first ``c`` are candidates, ``t`` terms of the query.
    """

    held: Floats
    """``(t, r)``: how often each term of the query stands in each document."""
    related: Floats
    """``(t, r)``: how surely a document speaks of a term by another one: the greatest weight times its rarity."""
    around: Ints
    """``(c, 5)``: rows of the documents at :data:`OFFSETS` in the same thread, a candidate itself in the middle; -1
    for none."""
    length: Floats
    """``(r,)``"""
    asks: Floats
    questions: Floats
    times: Floats
    amounts: Floats
    names: Floats
    first_person: Floats
    """Each ``(c or r,)``, as in :class:`Facts`; of neighbours only ``questions`` is read."""
    by_named: Floats
    """``(c,)``: 1 where the author is one whom the query names."""
    opens: Floats
    """``(c,)``: 1 where it is the first of its thread."""
    thread: Ints
    """``(c,)``: a number for each thread; -1 for none."""
    day: Ints
    """``(c,)``: the day of creation, 0 where that is not known."""
    told: Sequence[Days | None]
    """Of each candidate, the first time that it speaks of."""
    alike: Floats | None = None
    """``(r,)``: a cosine to the query by a model, where there is one."""
    age: Floats | None = None
    """``(c,)``: how many documents are newer."""


def features(query: Query, rows: Rows, of: Statistics, asked: Sequence[Days]) -> dict[str, Floats]:
    """All features of all candidates, each ``(c,) float32`` and finite.

    Args:
        query: The query, read.
        rows: Candidates and neighbours.
        of: Of all documents.
        asked: The times that the query speaks of.

    Cost: 0.5 ms for 300 candidates and six terms.
    """
    idf = np.array([of.rarity(t.spellings) for t in query.terms], np.float32)
    total = float(idf.sum()) or 1.0
    near = _Near(rows)
    out = _by_words(rows, of, idf, total, near)
    out |= _by_related(rows, total, near)
    out |= _by_form(query, rows, near)
    out |= _by_time(rows, asked)
    if rows.alike is not None:
        out |= _by_model(rows, near)
    out |= _by_age(rows, out["covered_alone"] > 0)
    return out


class _Near:
    """Columns of the documents around each candidate, 0 where there is none."""

    def __init__(self, rows: Rows) -> None:
        self._at = [np.where(rows.around[:, k] >= 0, rows.around[:, k], 0) for k in range(len(OFFSETS))]
        self._there = [(rows.around[:, k] >= 0).astype(np.float32) for k in range(len(OFFSETS))]

    def __call__(self, column: Floats, offset: int) -> Floats:
        k = OFFSETS.index(offset)
        return column[..., self._at[k]] * self._there[k]


PASSAGE = {-2: 0.3, -1: 0.6, 0: 1.0, 1: 0.3, 2: 0.15}
"""How much of a neighbour's words count as a document's own: more of those before it, which it answers."""


SHORT = 60.0
"""Terms of a document that is explained by its neighbours; of a longer one they count less."""


def _bm25(tf: Floats, length: Floats, average: float | Floats, idf: Floats) -> Floats:
    """``(n,)`` from ``(t, n)``."""
    weight = tf * (K1 + 1) / (tf + K1 * (1 - B + B * length / average))
    return (idf @ weight).astype(np.float32)


def _by_words(rows: Rows, of: Statistics, idf: Floats, total: float, near: _Near) -> dict[str, Floats]:
    c = len(rows.around)
    average = max(of.average, 1.0)
    own = _bm25(rows.held, rows.length, average, idf)
    short = np.minimum(1, SHORT / np.maximum(rows.length[:c], 1))
    share = {k: part if k == 0 else part * short for k, part in PASSAGE.items()}
    tf = sum(part * near(rows.held, k) for k, part in share.items())
    length = sum(part * near(rows.length, k) for k, part in share.items())
    spread = np.asarray(sum(share.values()), np.float32)
    passage = _bm25(np.asarray(tf), np.asarray(length), average * spread, idf)
    has = (rows.held > 0).astype(np.float32)
    around = np.maximum.reduce([near(has, k) * (1 if k == 0 else short) for k in OFFSETS])
    before = near(own, -1)
    order = np.argsort(-(passage + 2 * rows.by_named), kind="stable")
    place = np.empty(c, np.float32)
    place[order] = np.arange(c, dtype=np.float32)
    return {
        "passage": passage,
        "place": 1 / (5 + place),
        "covered": (idf @ around) / total,
        "before": before,
        "answers": before * near(rows.questions, -1),
        "thread_best": _best_in_thread(passage, rows.thread),
        "thread_words": _thread_words(has[:, :c], idf, rows.thread),
        "own": own[:c],
        "covered_alone": (idf @ has[:, :c]) / total,
    }


def _best_in_thread(score: Floats, thread: Ints) -> Floats:
    best = np.zeros(int(thread.max(initial=-1)) + 2, np.float32)
    np.maximum.at(best, thread, score)  # the last place is for those without a thread
    return np.where(thread >= 0, best[thread], score).astype(np.float32)


def _thread_words(has: Floats, idf: Floats, thread: Ints) -> Floats:
    """BM25 of the candidates' threads, each taken as the set of its candidates."""
    size = int(thread.max(initial=-1)) + 2
    held = np.zeros((len(idf), size), np.float32)
    np.add.at(held.T, thread, has.T)
    score = np.asarray(idf @ (held / (held + 2.0)))
    return np.where(thread >= 0, score[thread], 0.0).astype(np.float32)


def _by_related(rows: Rows, total: float, near: _Near) -> dict[str, Floats]:
    c = len(rows.around)
    loose = np.where(rows.held > 0, 0, rows.related).astype(np.float32)
    by_neighbour = 0.6 * np.maximum(near(loose, -1), near(loose, 1))
    return {
        "related": loose[:, :c].sum(0),
        "related_near": np.maximum(loose[:, :c], by_neighbour).sum(0) / np.float32(total),
    }


def _by_form(query: Query, rows: Rows, near: _Near) -> dict[str, Floats]:
    c = len(rows.around)
    return {
        "author": rows.by_named,
        "asks": rows.asks[:c],
        "length": np.log1p(np.minimum(rows.length[:c], np.float32(LONGEST))),
        "first_person": np.log1p(rows.first_person[:c]),
        "opens": rows.opens,
        "when": rows.times[:c] * query.when,
        "who": rows.names[:c] * query.who,
        "much": rows.amounts[:c] * query.much,
    }


def _by_time(rows: Rows, asked: Sequence[Days]) -> dict[str, Floats]:
    c = len(rows.around)
    on, month, told = (np.zeros(c, np.float32) for _ in range(3))
    for days in asked:
        gap = rows.day - days.last
        inside = (rows.day >= days.first) & (gap <= 0) & (rows.day > 0)
        after = (gap > 0) & (gap <= NEAR_DAYS) & (rows.day > 0)
        if days.last - days.first < 14:
            on = np.maximum(on, np.where(inside, 1, np.where(after, 1 - gap / (NEAR_DAYS + 1), 0)))
        else:
            month = np.maximum(month, np.where(inside, 1, np.where((gap > 0) & (gap <= 31) & (rows.day > 0), 0.3, 0)))
        speaks = [t is not None and t.first <= days.last and t.last >= days.first for t in rows.told]
        told = np.maximum(told, np.asarray(speaks, np.float32))
    return {"day": on.astype(np.float32), "month": month.astype(np.float32), "told": told.astype(np.float32)}


def _by_age(rows: Rows, speaks: npt.NDArray[np.bool_]) -> dict[str, Floats]:
    """How new a candidate is, as far as it speaks of what is asked: to be new alone is no answer."""
    if rows.age is None or not len(rows.age):
        zero = np.zeros(len(rows.around), np.float32)
        return {"recent": zero, "newest": zero}
    age = np.where(speaks, rows.age, rows.age.max())
    return {"recent": -np.log1p(age), "newest": np.where(speaks, 1 / (1 + age / 8), 0)}


def _by_model(rows: Rows, near: _Near) -> dict[str, Floats]:
    assert rows.alike is not None
    c = len(rows.around)
    return {
        "meaning": rows.alike[:c],
        "meaning_near": (near(rows.alike, -1) + near(rows.alike, 1)) * np.float32(0.5),
        "meaning_answers": np.maximum(rows.alike[:c], np.float32(0.9) * near(rows.alike, -1)),
        "meaning_of_thread": _best_in_thread(rows.alike[:c], rows.thread),
    }


def columns(query: Query, of: Statistics, terms: Sequence[Mapping[str, int]]) -> tuple[Floats, Floats]:
    """``Rows.held`` and ``Rows.related`` from the terms of each row's document.

    Cost: about 1 µs for each row and 20 ns for each of its terms, 100 at most.
    """
    held = np.zeros((len(query.terms), len(terms)), np.float32)
    related = np.zeros_like(held)
    wanted: dict[str, list[tuple[int, float]]] = {}
    exact: dict[str, list[int]] = {}
    for k, term in enumerate(query.terms):
        for spelling in term.spellings:
            exact.setdefault(spelling, []).append(k)
        for other, weight in term.related.items():
            wanted.setdefault(other, []).append((k, weight * of.rarity((other,))))
    keys, exact_keys = wanted.keys(), exact.keys()
    for row, there in enumerate(terms):
        for found in exact_keys & there.keys():
            for k in exact[found]:
                held[k, row] += there[found]
        for found in keys & there.keys():
            for k, value in wanted[found]:
                related[k, row] = max(related[k, row], value)
    return held, related
