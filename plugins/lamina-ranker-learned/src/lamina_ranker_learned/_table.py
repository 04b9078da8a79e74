"""The learned table: how much each feature counts, in conversations and over long pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import cast

import numpy as np

from lamina_ranker_learned._features import Floats

TURN, PAGE = 60.0, 150.0
"""Mean terms of a query's candidates up to which they are turns of a conversation, and from which on they are pages."""


@cache
def table() -> Mapping[str, Mapping[str, float]]:
    """Weights by feature, of ``turns``, of ``turns_by_meaning`` (where a model's cosine is known) and of ``pages``.

    Made by ``tests/performance/fit_ranker.py``.
    """
    text = resources.files(__package__).joinpath("table.json").read_text(encoding="utf-8")
    return cast(Mapping[str, Mapping[str, float]], json.loads(text))


def weights(length: float, *, meaning: bool = False) -> dict[str, float]:
    """What each feature counts for candidates of this mean length, in terms.

    Between turns and pages it changes step by step, so that one more document never turns a ranking round.
    """
    pages = min(max((length - TURN) / (PAGE - TURN), 0.0), 1.0)
    turns_of, pages_of = table()["turns_by_meaning" if meaning else "turns"], table()["pages"]
    return {
        name: (1 - pages) * turns_of.get(name, 0.0) + pages * pages_of.get(name, 0.0)
        for name in sorted({*turns_of, *pages_of})
    }


def contributions(values: Mapping[str, Floats], by: Mapping[str, float]) -> tuple[list[str], Floats]:
    """What each feature adds to each candidate's score: names, and ``(features, candidates)``; they sum to the score."""
    names = [name for name, weight in by.items() if weight and name in values]
    if not names:
        return [], np.zeros((0, 0), np.float32)
    stacked = np.stack([values[name] for name in names])
    return names, stacked * np.array([by[name] for name in names], np.float32)[:, None]
