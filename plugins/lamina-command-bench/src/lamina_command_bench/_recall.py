"""Remembers what a file holds, asks its questions, and measures the answers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

import lamina
from lamina_command_bench._data import Question, Told

DEPTHS = (5, 10, 20)


@frozen
class Measured:
    """What one configuration came to."""

    name: str
    recall: Mapping[int, float]
    """Share of the relevant memories among the first so many, by how many; the mean over questions."""
    mrr: float
    asked: int
    """Questions that say what is relevant."""
    recall_ms: Mapping[str, float]
    """Percentiles of one recall's time."""
    remember_ms: float
    """Of one memory, the mean."""
    ranked: Mapping[str, Sequence[str]] = field(repr=False, factory=dict)
    """Question to the ids found, best first."""


async def measure(
    name: str,
    settings: Mapping[str, Any],
    path: Path | None,
    profile: str | None,
    told: Sequence[Told],
    asked: Sequence[Question],
    limit: int,
    home: Path,
) -> Measured:
    """Remember everything under ``home``, each namespace by itself, and ask every question once.

    Args:
        name: Of the configuration, for the table.
        settings: Win over the file.
        path: The configuration's file; found as usual where not given.
        profile: Which installed profile to start from.
        told: The memories.
        asked: The questions.
        limit: Memories that each recall is asked for.
        home: A folder of its own.
    """
    ranked: dict[str, list[str]] = {}
    times: list[float] = []
    written_s = 0.0
    for number, space in enumerate(dict.fromkeys(q.namespace for q in asked)):
        own = [t for t in told if t.namespace == space]
        places = {**settings, "home": str(home), "namespace": f"bench-{number}"}
        async with lamina.open(path, settings=places, profile=profile) as ctx:
            before = time.perf_counter()
            stored = await ctx.remember_many([t.draft for t in own])
            written_s += time.perf_counter() - before
            given = {memory.id: t.id for memory, t in zip(stored, own, strict=True)}
            for question in (q for q in asked if q.namespace == space):
                before = time.perf_counter()
                hits = await ctx.recall(question.text, limit=limit, use=False)
                times.append(time.perf_counter() - before)
                ranked[question.id] = [given[hit.memory.id] for hit in hits]
    count = sum(t.namespace in {q.namespace for q in asked} for t in told)
    return _scored(name, asked, ranked, times, 1000 * written_s / max(1, count), limit)


def _scored(
    name: str,
    asked: Sequence[Question],
    ranked: Mapping[str, Sequence[str]],
    times: Sequence[float],
    remember_ms: float,
    limit: int,
) -> Measured:
    known = [q for q in asked if q.relevant]
    depths = [depth for depth in DEPTHS if depth <= limit]
    recall = {
        depth: _mean([len(q.relevant & set(ranked[q.id][:depth])) / len(q.relevant) for q in known]) for depth in depths
    }
    mrr = _mean([next((1 / n for n, id in enumerate(ranked[q.id], 1) if id in q.relevant), 0.0) for q in known])
    return Measured(name, recall, mrr, len(known), _percentiles(times), remember_ms, ranked)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _percentiles(times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        f"p{share}": 1000 * ordered[min(len(ordered) - 1, len(ordered) * share // 100)] if ordered else 0.0
        for share in (50, 95, 99)
    }
