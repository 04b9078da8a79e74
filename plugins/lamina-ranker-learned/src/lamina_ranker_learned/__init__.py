"""Learned ranker for lamina: a small linear table over named features, without a model.

What ranks is in :mod:`lamina_ranker_learned.recipe`: pure functions over plain values.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Ranker


@frozen
class LearnedSettings:
    """Settings of the learned ranker."""

    reach: int = field(default=150, validator=[validators.ge(1), validators.le(2_000)])
    """Hits that each index is asked for at least. More find more and cost more: their texts are read."""
    near: int = field(default=2, validator=[validators.ge(0), validators.le(5)])
    """Neighbours on each side, in its thread, of what was found, that are ranked with it; more than 2 explain nothing."""
    meaning: str = ""
    """The name of an index whose score is a model's cosine; empty for none."""
    language: str = field(
        default="english", validator=validators.in_(["english", "french", "german", "russian", "spanish"])
    )
    """Of texts that show none by their common words."""
    keep: int = field(default=20_000, validator=validators.ge(0))
    """Memories of which what was read is kept, the last used ones; some 5 kB each."""


@asynccontextmanager
async def open_learned(settings: LearnedSettings, host: Host) -> AsyncIterator[Ranker]:
    """Open the ranker."""
    from lamina_ranker_learned._ranker import LearnedRanker  # keeps start-up light

    yield LearnedRanker(settings)


@hookimpl
def register_ranker(register: Register[Ranker]) -> None:
    """Offer ``learned``."""
    register("learned", open_learned, LearnedSettings)
