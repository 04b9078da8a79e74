"""Drawing memories from what was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from attrs import frozen

from lamina.model import Draft, Page
from lamina.protocols._formats import Passage


@frozen
class ExtractRequest:
    """Asks what of a conversation is worth to be known beyond it."""

    session: str
    pages: Sequence[Page]
    """In log order; the last piece of a conversation that rests, or all of it."""
    earlier: Sequence[Page]
    """Some pages before these, for what they speak of; they were looked at before."""
    passages: Callable[[Page], Sequence[Passage]]
    """What a person wrote on a page, told apart from what a harness added."""


@runtime_checkable
class Extractor(Protocol):
    """Draws memories from pages. The pages themselves are remembered anyway: this is for what stands by itself."""

    async def extract(self, request: ExtractRequest) -> Sequence[Draft]:
        """Memories, each with the pages that it comes from in its provenance (``SESSION#PAGE``). Deterministic.

        The same pages may be shown again after a crash; what was drawn from them before is then not stored twice.
        """
        ...
