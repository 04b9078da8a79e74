"""Which English words are forms of one word, and which speak of one thing: a small hand-made list, ``related.txt``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

EXACT = 1.0
"""Weight of a word that means the same."""

NARROWER = 0.5
"""Weight of a word that names one of what is asked for: hiking where activities are."""


@cache
def _lines() -> tuple[str, ...]:
    text = resources.files(__package__).joinpath("related.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def forms() -> Mapping[str, str]:
    """Irregular forms and short forms of a word, each with the word."""
    found: dict[str, str] = {}
    for line in _lines():
        if line.startswith("="):
            first, *others = line[1:].split()
            found.update(dict.fromkeys(others, first))
    return found


@cache
def related() -> Mapping[str, Mapping[str, float]]:
    """For English words, the words that speak of what they ask for, each with how surely, in (0, 1]; not symmetric."""
    base = forms()
    table: dict[str, dict[str, float]] = {}
    for line in _lines():
        if line.startswith("="):
            continue
        wide, _, narrow = line.partition(">")
        heads = [base.get(w, w) for w in wide.split()]
        members = [base.get(w, w) for w in narrow.split()]
        weight = NARROWER if members else EXACT
        for head in heads:
            row = table.setdefault(head, {})
            for other in (*heads, *members):
                if other != head:
                    row[other] = max(weight, row.get(other, 0.0))
    return table
