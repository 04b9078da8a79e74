"""Scorers: a sound one, and one for each thing that a scorer can do wrong."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from lamina.protocols import ScoreRequest


class SoundScorer:
    """Newer is worth more."""

    fails: frozenset[str] = frozenset()

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """The page's place in the session."""
        return [page.id / max(request.newest, page.id) for page in request.pages]


class Shapeless:
    """Cannot score."""

    fails = frozenset(
        {
            "test_it_satisfies_the_protocol",
            "test_no_pages_have_no_scores",
            "test_each_page_has_one_score_between_0_and_1",
            "test_any_query_is_taken",
            "test_the_same_pages_always_have_the_same_scores",
            "test_equal_pages_have_equal_scores",
            "test_the_pages_are_left_as_they_were",
            "test_scores_are_in_the_order_of_the_pages",
        }
    )


class NeedsPages(SoundScorer):
    """Fails where there are none."""

    fails = frozenset({"test_no_pages_have_no_scores"})

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Looks at the first page."""
        request.pages[0]
        return await super().score(request)


class NotANumber(SoundScorer):
    """Gives NaN where a page faulted."""

    fails = frozenset({"test_each_page_has_one_score_between_0_and_1"})

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """NaN, for evidence."""
        scores = await super().score(request)
        faulted = (math.nan if page.id in request.faults else 0.0 for page in request.pages)
        return [s + f for s, f in zip(scores, faulted, strict=True)]


class Parses(SoundScorer):
    """Raises at queries that it cannot encode."""

    fails = frozenset({"test_any_query_is_taken"})

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Reads the query."""
        (request.query or "").encode()
        return await super().score(request)


class Drifts(SoundScorer):
    """Gives less with each call of the process."""

    fails = frozenset(
        {
            "test_the_same_pages_always_have_the_same_scores",
            "test_equal_pages_have_equal_scores",
            "test_scores_are_in_the_order_of_the_pages",
        }
    )
    calls = itertools.count(2)

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Halves, thirds, quarters."""
        part = next(self.calls)
        return [s / part for s in await super().score(request)]


class Sorts(SoundScorer):
    """Gives the best first."""

    fails = frozenset({"test_scores_are_in_the_order_of_the_pages"})

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Scores in another order."""
        return sorted(await super().score(request), reverse=True)


class Identity(SoundScorer):
    """Hangs on which object a page is."""

    fails = frozenset({"test_equal_pages_have_equal_scores", "test_the_same_pages_always_have_the_same_scores"})
    seen = itertools.count(1)

    def __init__(self) -> None:
        self._known: dict[int, float] = {}

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Each instance scores in its own way."""
        return [self._known.setdefault(page.id, 1 / next(self.seen)) for page in request.pages]


class Consumes(SoundScorer):
    """Takes the pages from the request."""

    fails = frozenset(
        {
            "test_the_pages_are_left_as_they_were",
            "test_the_same_pages_always_have_the_same_scores",
            "test_each_page_has_one_score_between_0_and_1",
            "test_any_query_is_taken",
        }
    )

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Scores, and clears the list."""
        scores = await super().score(request)
        if isinstance(request.pages, list):
            request.pages.clear()
        return scores


BROKEN: tuple[type, ...] = (Shapeless, NeedsPages, NotANumber, Parses, Drifts, Sorts, Identity, Consumes)
