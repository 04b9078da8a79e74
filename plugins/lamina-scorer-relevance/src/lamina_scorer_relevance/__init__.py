"""Relevance scorer for lamina: pages that speak of the query or the current goal are worth more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Scorer


@frozen
class RelevanceSettings:
    """Settings of the relevance scorer."""

    goal_messages: int = field(default=2, validator=validators.ge(0))
    """Without a query, so many of the newest user messages are the goal; each counts half of the next newer one."""
    stem_letters: int = field(default=6, validator=validators.ge(0))
    """Words of letters are compared by so many first ones, so that endings do not matter; 0 compares them whole."""
    embedder: str | None = None
    """Name of a configured embedder; none compares words only."""
    vector_share: float = field(default=0.5, validator=[validators.ge(0.0), validators.le(1.0)])
    """How much likeness by vectors counts beside likeness by words, where there is an embedder."""
    embed_characters: int = field(default=4000, validator=validators.ge(1))
    """So much of a page is embedded."""


@asynccontextmanager
async def open_relevance(settings: RelevanceSettings, host: Host) -> AsyncIterator[Scorer]:
    """Open the scorer.

    Raises:
        ConfigError: The configured embedder is not there.
    """
    from lamina_scorer_relevance._scorer import RelevanceScorer  # keeps start-up light

    vectors = None
    if settings.embedder is not None:
        from lamina_scorer_relevance._vectors import Vectors

        vectors = Vectors(await host.open("embedder", settings.embedder), settings.embed_characters)
    yield RelevanceScorer(settings, vectors)


@hookimpl
def register_scorer(register: Register[Scorer]) -> None:
    """Offer ``relevance``."""
    register("relevance", open_relevance, RelevanceSettings)
