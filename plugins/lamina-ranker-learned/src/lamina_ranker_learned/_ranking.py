"""A ranking from what an index knows of some candidates: their facts, their neighbours, statistics of all."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from attrs import frozen

from lamina.kit.dates import days_of
from lamina_ranker_learned._facts import Entry, Facts
from lamina_ranker_learned._features import OFFSETS, Floats, Ints, Rows, Statistics, columns, features
from lamina_ranker_learned._table import contributions, weights
from lamina_ranker_learned._terms import Query


@frozen
class Known:
    """A document as an index keeps it."""

    id: str
    author: str
    thread: str
    facts: Facts

    @classmethod
    def of(cls, entry: Entry, facts: Facts) -> Known:
        """An entry without its text."""
        return cls(entry.id, entry.author, entry.thread, facts)


class Ranked(NamedTuple):
    """One document in its place."""

    id: str
    score: float
    parts: dict[str, float]
    """What each feature adds to the score; they sum to it."""


def gather(
    query: Query,
    of: Statistics,
    around: Sequence[Sequence[int]],
    documents: Mapping[int, Known],
    newest: int,
    alike: Mapping[str, float] | None = None,
) -> Rows:
    """The columns of candidates and their neighbours.

    Args:
        query: The query, read.
        of: Of all documents.
        around: For each candidate the numbers of the documents at :data:`OFFSETS` in its thread, its own in the middle;
            -1 for none. Numbers grow with what is added.
        documents: Each of these by its number.
        newest: The greatest number of all.
        alike: For ids, a cosine to the query by a model.

    Cost: 1.6 ms for 300 candidates that are turns of a conversation, with neighbours some 700 documents.
    """
    numbers = [line[OFFSETS.index(0)] for line in around]
    row = {n: r for r, n in enumerate(numbers)}
    for n in chain.from_iterable(around):
        if n >= 0 and n not in row:
            row[n] = len(row)
    every = [documents[n] for n in row]
    some = every[: len(numbers)]
    held, related = columns(query, of, [known.facts.terms for known in every])
    row[-1] = -1
    before = OFFSETS.index(-1)
    threads: dict[str, int] = {}
    facts = [known.facts for known in some]
    return Rows(
        held=held,
        related=related,
        around=np.array([[row[n] for n in line] for line in around], np.int64).reshape(-1, len(OFFSETS)),
        length=_floats(known.facts.length for known in every),
        questions=_floats(known.facts.questions for known in every),
        asks=_floats(f.asks for f in facts),
        times=_floats(f.times for f in facts),
        amounts=_floats(f.amounts for f in facts),
        names=_floats(f.names for f in facts),
        first_person=_floats(f.first_person for f in facts),
        by_named=_floats(known.author in query.named for known in some),
        opens=_floats(bool(k.thread) and line[before] < 0 for k, line in zip(some, around, strict=True)),
        thread=_ints(threads.setdefault(k.thread, len(threads)) if k.thread else -1 for k in some),
        day=_ints(f.day for f in facts),
        told=[f.told for f in facts],
        alike=None if alike is None else _floats(alike.get(known.id, 0.0) for known in every),
        age=_floats(newest - n for n in numbers),
    )


def values(query: Query, text: str, now: float, of: Statistics, rows: Rows) -> dict[str, Floats]:
    """Every feature of every candidate; see :func:`lamina_ranker_learned._features.features`."""
    return features(query, rows, of, days_of(text, now))


def order(ids: Sequence[str], found: Mapping[str, Floats], rows: Rows, limit: int) -> list[Ranked]:
    """Candidates by the learned table, best first, ties by id.

    Args:
        ids: Of the candidates.
        found: Their features.
        rows: What these were made from.
        limit: How many at most.
    """
    by = weights(float(rows.length[: len(ids)].mean()) if ids else 0.0, meaning=rows.alike is not None)
    names, parts = contributions(found, by)
    total = parts.sum(0).tolist()
    best = heapq.nsmallest(limit, range(len(ids)), key=lambda k: (-total[k], ids[k]))
    return [Ranked(ids[k], total[k], dict(zip(names, parts[:, k].tolist(), strict=True))) for k in best]


def _floats(values: Iterable[float]) -> Floats:
    return np.array(list(values), np.float32)


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), np.int64)
