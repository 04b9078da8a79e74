"""The conformance suite of rankers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.model import Memory
from lamina.protocols import Candidate, Ranked, Ranker, RankRequest
from lamina.testing.suite import Suite

T = TypeVar("T")
OpenRanker = Callable[[], AbstractAsyncContextManager[Ranker]]

few = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))

NOW_S = 1_800_000_000.0
INDEXES = ("words", "likeness")


def candidates_of(found: Mapping[str, Mapping[str, float]]) -> list[Candidate]:
    """The candidates of what indexes found: index to id to score."""
    features: dict[str, dict[str, float]] = {}
    places: dict[str, dict[str, int]] = {}
    for index, scores in found.items():
        for place, id in enumerate(sorted(scores, key=lambda id: (-scores[id], id)), start=1):
            features.setdefault(id, {})[index] = scores[id]
            places.setdefault(id, {})[index] = place
    return [Candidate(id, features[id], places[id]) for id in sorted(features)]


_scores = st.dictionaries(st.text(alphabet="ab#1é", min_size=1, max_size=3), st.floats(-1e6, 1e6), max_size=8)
found = st.fixed_dictionaries(dict.fromkeys(INDEXES, _scores))
texts = st.sampled_from(["", "the port is 8417", "the port is 8417.", "日本語の文", "\0", "a" * 300])


class RankerSuite(Suite):
    """What every ranker must hold.

    Give a fixture ``open_ranker``: ``async with open_ranker() as ranker``.
    """

    @pytest.fixture
    def open_ranker(self) -> OpenRanker:
        raise NotImplementedError("give the fixture open_ranker")

    def run(self, open_ranker: OpenRanker, act: Callable[[Ranker], Coroutine[Any, Any, T]]) -> T:
        """Do something with a freshly opened ranker."""

        async def opened() -> T:
            async with open_ranker() as ranker:
                return await act(ranker)

        return asyncio.run(opened())

    def rank(
        self,
        open_ranker: OpenRanker,
        candidates: Sequence[Candidate],
        limit: int = 10,
        said: Mapping[str, str] | None = None,
    ) -> list[Ranked]:
        """What a fresh ranker makes of candidates that say this; of those that say nothing, the memory is gone."""

        async def read(ids: Sequence[str]) -> Mapping[str, Memory]:
            known = {c.id: f"says {c.id}" for c in candidates} if said is None else said
            return {id: Memory(id, known[id], created_s=NOW_S) for id in ids if id in known}

        request = RankRequest(query="which port?", candidates=candidates, limit=limit, now_s=NOW_S, read=read)

        async def act(ranker: Ranker) -> list[Ranked]:
            return list(await ranker.rank(request))

        return self.run(open_ranker, act)

    def test_nothing_makes_no_ranking(self, open_ranker: OpenRanker) -> None:
        assert self.rank(open_ranker, []) == []

    def test_it_wants_at_least_as_many_hits_as_places_and_some_neighbours_or_none(
        self, open_ranker: OpenRanker
    ) -> None:
        async def act(ranker: Ranker) -> tuple[int, list[int]]:
            return ranker.near, [ranker.reach(limit) for limit in (1, 10, 1000)]

        near, reach = self.run(open_ranker, act)
        assert type(near) is int
        assert near >= 0
        assert all(type(many) is int for many in reach)
        assert all(many >= limit for many, limit in zip(reach, (1, 10, 1000), strict=True))

    @few
    @given(found=found, limit=st.integers(1, 12))
    @example(found={"words": {"a": 1.0, "b": 0.5}, "likeness": {"b": 3.0}}, limit=1)
    @example(found={"words": {f"{n}": 1.0 for n in range(9)}, "likeness": {}}, limit=3)
    def test_places_hold_candidates_each_once_and_no_more_than_asked_for(
        self, open_ranker: OpenRanker, found: Mapping[str, Mapping[str, float]], limit: int
    ) -> None:
        candidates = candidates_of(found)
        ranked = self.rank(open_ranker, candidates, limit)
        ids = [id for place in ranked for id in (place.id, *place.same)]
        assert len(ranked) <= limit
        assert len(set(ids)) == len(ids)
        assert set(ids) <= {candidate.id for candidate in candidates}

    @few
    @given(found=found)
    @example(found={"words": {"a": 1.0, "b": 0.5}, "likeness": {"b": 3.0, "c": 1.0}})
    @example(found={"words": {"a": 2.0, "b": 1.0}, "likeness": {}})
    def test_places_are_in_the_order_of_their_scores_and_ties_in_that_of_ids(
        self, open_ranker: OpenRanker, found: Mapping[str, Mapping[str, float]]
    ) -> None:
        ranked = self.rank(open_ranker, candidates_of(found), 100)
        assert all(math.isfinite(place.score) for place in ranked)
        assert [place.id for place in ranked] == [p.id for p in sorted(ranked, key=lambda p: (-p.score, p.id))]

    @few
    @given(found=found)
    @example(found={"words": {"a": 1.0, "b": 1.0}, "likeness": {"c": 1.0}})
    def test_the_same_candidates_get_the_same_places(
        self, open_ranker: OpenRanker, found: Mapping[str, Mapping[str, float]]
    ) -> None:
        candidates = candidates_of(found)
        assert self.rank(open_ranker, candidates, 100) == self.rank(open_ranker, candidates, 100)

    @few
    @given(found=found, said=texts)
    @example(found={"words": {"a": 1.0, "b": 0.5, "c": 0.2}, "likeness": {}}, said="the port is 8417")
    def test_no_candidate_gets_lost_where_there_is_room(
        self, open_ranker: OpenRanker, found: Mapping[str, Mapping[str, float]], said: str
    ) -> None:
        candidates = candidates_of(found)
        ranked = self.rank(open_ranker, candidates, 100, {candidate.id: said for candidate in candidates})
        assert {id for p in ranked for id in (p.id, *p.same)} == {candidate.id for candidate in candidates}

    def test_a_candidate_that_no_index_found_has_its_place_too(self, open_ranker: OpenRanker) -> None:
        candidates = [*candidates_of({"words": {"a": 1.0}, "likeness": {"a": 1.0}}), Candidate("b")]
        ranked = self.rank(open_ranker, candidates, 10, {"a": "the port is 8417", "b": "another thing"})
        assert {place.id for place in ranked} == {"a", "b"}
        assert all(math.isfinite(place.score) for place in ranked)

    def test_a_candidate_that_is_gone_when_it_is_read_breaks_nothing(self, open_ranker: OpenRanker) -> None:
        candidates = candidates_of({"words": {"a": 1.0, "b": 0.5}, "likeness": {"a": 1.0}})
        ranked = self.rank(open_ranker, candidates, 10, {"b": "the port"})
        assert {place.id for place in ranked} <= {"a", "b"}
        assert "b" in {place.id for place in ranked}

    def test_what_all_indexes_find_best_is_before_what_all_find_worst(self, open_ranker: OpenRanker) -> None:
        scores = {f"{n}": 10.0 - n for n in range(9)}
        ranked = self.rank(open_ranker, candidates_of({"words": scores, "likeness": scores}), 100)
        order = [place.id for place in ranked]
        assert order.index("0") < order.index("8")

    def test_a_score_is_explained_by_finite_numbers_with_names(self, open_ranker: OpenRanker) -> None:
        for place in self.rank(open_ranker, candidates_of({"words": {"a": 1.0}, "likeness": {"b": 2.0}})):
            assert place.features
            assert all(isinstance(name, str) and math.isfinite(value) for name, value in place.features.items())
