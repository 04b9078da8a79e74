"""The conformance suite of scorers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.model import Page
from lamina.protocols import Scorer, ScoreRequest
from lamina.testing.pages import pages as make_pages
from lamina.testing.suite import Suite

OpenScorer = Callable[[], AbstractAsyncContextManager[Scorer]]

_quick = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


class ScorerSuite(Suite):
    """What every scorer holds. Give ``strategy`` and the fixture ``open_scorer``.

    ``open_scorer`` is a factory without arguments that gives an async context manager.
    """

    @pytest.fixture
    def open_scorer(self) -> OpenScorer:
        raise NotImplementedError("give the fixture open_scorer")

    def scores(
        self, open_scorer: OpenScorer, pages: Sequence[Page], *more: Sequence[Page], **facts: Any
    ) -> list[list[float]]:
        """The scores of each sequence of pages, by one opened scorer."""
        facts = {"newest": max((p.id for p in pages), default=0), "now_s": 1_700_000_000.0, **facts}

        async def ask() -> list[list[float]]:
            async with open_scorer() as scorer:
                return [list(await scorer.score(ScoreRequest(pages=p, **facts))) for p in (pages, *more)]

        return asyncio.run(ask())

    def test_it_satisfies_the_protocol(self, open_scorer: OpenScorer) -> None:
        async def check() -> None:
            async with open_scorer() as scorer:
                assert isinstance(scorer, Scorer)

        asyncio.run(check())

    def test_no_pages_have_no_scores(self, open_scorer: OpenScorer) -> None:
        assert self.scores(open_scorer, []) == [[]]

    @_quick
    @given(
        query=st.none() | st.text(max_size=40),
        faults=st.dictionaries(st.integers(1, 40), st.integers(1, 10**6), max_size=8),
        beyond=st.integers(0, 10**6),
        some=st.sets(st.integers(0, 30)),
        logged=st.booleans(),
    )
    def test_each_page_has_one_score_between_0_and_1(
        self,
        open_scorer: OpenScorer,
        query: str | None,
        faults: dict[int, int],
        beyond: int,
        some: set[int],
        logged: bool,
    ) -> None:
        every = make_pages()
        pages = [page for i, page in enumerate(every) if i not in some]
        facts = {"query": query, "faults": faults, "newest": every[-1].id + beyond, "log": every if logged else ()}
        [scores] = self.scores(open_scorer, pages, **facts)
        assert len(scores) == len(pages)
        assert all(math.isfinite(s) and 0 <= s <= 1 for s in scores)

    def test_any_query_is_taken(self, open_scorer: OpenScorer) -> None:
        pages = make_pages()
        for query in (None, "", " ", '"AND* OR (', "\x00\ud800", "好" * 5000, "which port?"):
            [scores] = self.scores(open_scorer, pages, query=query)
            assert len(scores) == len(pages)

    def test_the_same_pages_always_have_the_same_scores(self, open_scorer: OpenScorer) -> None:
        pages = make_pages()
        first, second = self.scores(open_scorer, pages, pages, query="main.py")
        assert first == second
        assert self.scores(open_scorer, pages, query="main.py") == [first]

    def test_equal_pages_have_equal_scores(self, open_scorer: OpenScorer) -> None:
        """Pages are compared by identity; a score must not hang on which copy is asked about."""
        assert self.scores(open_scorer, make_pages()) == self.scores(open_scorer, make_pages())

    def test_the_pages_are_left_as_they_were(self, open_scorer: OpenScorer) -> None:
        pages = make_pages()
        kept, faults = list(pages), {1: 2}
        self.scores(open_scorer, pages, query="port", faults=faults)
        assert pages == kept
        assert faults == {1: 2}

    def test_scores_are_in_the_order_of_the_pages(self, open_scorer: OpenScorer) -> None:
        """Asked about the same pages in two ways, each page's place in the order of worth stays."""
        pages = make_pages()
        forward, backward = self.scores(open_scorer, pages, pages[::-1])
        assert forward == backward[::-1]
