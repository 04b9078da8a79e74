"""A sound extractor, and one for each way to break the protocol; ``fails`` names the tests that it must fail."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

from attrs import evolve

from lamina.model import Draft
from lamina.protocols import ExtractRequest

NOTHING = "test_from_nothing_nothing_is_drawn"
SOMETHING = "test_from_what_tells_something_is_drawn"
NAMES = "test_what_is_drawn_is_a_memory_that_names_its_pages"
SAME = "test_the_same_pages_give_the_same"
BEFORE = "test_what_was_looked_at_before_is_not_drawn_from_again"
TWICE = "test_nothing_is_drawn_twice_from_one_piece"


class SoundExtractor:
    """Draws what people want always."""

    fails: ClassVar[frozenset[str]] = frozenset()

    async def extract(self, request: ExtractRequest) -> Sequence[Draft]:
        drawn: dict[str, Draft] = {}
        for page in request.pages:
            for passage in request.passages(page):
                if "always" in passage.text.lower():
                    drawn.setdefault(passage.text, Draft(passage.text, provenance=(f"{request.session}#{page.id}",)))
        return list(drawn.values())


class SpeaksOfNothing(SoundExtractor):
    """Draws something from no pages."""

    fails = frozenset({NOTHING})

    async def extract(self, request: ExtractRequest) -> Sequence[Draft]:
        return await super().extract(request) if request.pages else [Draft("nothing was said", provenance=("s#1",))]


class DrawsNothing(SoundExtractor):
    """Draws nothing at all."""

    fails = frozenset({SOMETHING})

    async def extract(self, request: ExtractRequest) -> Sequence[Draft]:
        return []


class SaysNotWhence(SoundExtractor):
    """Gives no provenance."""

    fails = frozenset({NAMES})

    async def extract(self, request: ExtractRequest) -> Sequence[Draft]:
        return [evolve(draft, provenance=()) for draft in await super().extract(request)]


class NamesPagesAlone(SoundExtractor):
    """Leaves the session out of the provenance."""

    fails = frozenset({NAMES})

    async def extract(self, request: ExtractRequest) -> Sequence[Draft]:
        return [evolve(draft, provenance=("#1",)) for draft in await super().extract(request)]


class Wavers(SoundExtractor):
    """Counts how often it was asked."""

    fails = frozenset({SAME})
    turns: ClassVar[itertools.count[int]] = itertools.count()

    async def extract(self, request: ExtractRequest) -> Sequence[Draft]:
        turn = next(Wavers.turns)
        return [evolve(draft, tags=(f"{turn}",)) for draft in await super().extract(request)]


class LooksBack(SoundExtractor):
    """Draws from the earlier pages too."""

    fails = frozenset({BEFORE})

    async def extract(self, request: ExtractRequest) -> Sequence[Draft]:
        return await super().extract(evolve(request, pages=[*request.earlier, *request.pages]))


class RepeatsItself(SoundExtractor):
    """Draws from each page by itself."""

    fails = frozenset({TWICE})

    async def extract(self, request: ExtractRequest) -> Sequence[Draft]:
        return [d for page in request.pages for d in await SoundExtractor.extract(self, evolve(request, pages=[page]))]


BROKEN: tuple[type[SoundExtractor], ...] = (
    SpeaksOfNothing,
    DrawsNothing,
    SaysNotWhence,
    NamesPagesAlone,
    Wavers,
    LooksBack,
    RepeatsItself,
)
