"""Finds tools by need."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

from lamina.protocols import ToolSpec


@frozen
class Found:
    """A tool that fits a need."""

    spec: ToolSpec
    score: float
    """Higher is better; comparable within one search."""


class Search:
    """An index of tools."""

    def __init__(self, specs: Sequence[ToolSpec]) -> None:
        self._specs = specs

    def find(self, query: str, limit: int) -> list[Found]:
        """Best first."""
        words = set(re.findall(r"\w+", query.lower()))
        scored = [
            Found(s, float(len(words & set(re.findall(r"\w+", f"{s.name} {s.description}".lower())))))
            for s in self._specs
        ]
        return sorted((f for f in scored if f.score), key=lambda f: (-f.score, f.spec.name))[:limit]
