"""How much a page is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from lamina.model import Page


@frozen
class ScoreRequest:
    """Asks for the worth of pages."""

    pages: Sequence[Page]
    """Candidates in log order; may be empty."""
    newest: int
    """The id of the session's newest page."""
    query: str | None = None
    """What the window is wanted for, where the caller said so."""
    faults: Mapping[int, int] = field(factory=dict, hash=False)
    """How often each page faulted so far (pages that never did are absent)."""
    now_s: float = 0.0
    session: str = ""
    """Whose pages they are; what a scorer learns of one session must not colour another."""
    log: Sequence[Page] = ()
    """All pages of the session, the candidates among them, in log order: evidence of what newer pages cite, ask
    for, or supersede. A view that costs nothing to pass; empty where the caller knows only the candidates."""


@runtime_checkable
class Scorer(Protocol):
    """Rates pages by what they will be worth."""

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """One finite number per page, in order; higher is worth more. Scores of one scorer lie in [0, 1]."""
        ...
