"""A sound ranker, and one for each way to break the protocol; ``fails`` names the tests that it must fail."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

from attrs import evolve

from lamina.protocols import Candidate, Ranked, RankRequest

NOTHING = "test_nothing_makes_no_ranking"
REACH = "test_it_wants_at_least_as_many_hits_as_places_and_some_neighbours_or_none"
BESIDE = "test_a_candidate_that_no_index_found_has_its_place_too"
ONCE = "test_places_hold_candidates_each_once_and_no_more_than_asked_for"
ORDER = "test_places_are_in_the_order_of_their_scores_and_ties_in_that_of_ids"
SAME = "test_the_same_candidates_get_the_same_places"
LOST = "test_no_candidate_gets_lost_where_there_is_room"
GONE = "test_a_candidate_that_is_gone_when_it_is_read_breaks_nothing"
BEST = "test_what_all_indexes_find_best_is_before_what_all_find_worst"
EXPLAINED = "test_a_score_is_explained_by_finite_numbers_with_names"


class SoundRanker:
    """Adds up the scores."""

    fails: ClassVar[frozenset[str]] = frozenset()
    near: int = 0

    def reach(self, limit: int) -> int:
        return limit

    def score(self, candidate: Candidate) -> float:
        return sum(candidate.features.values())

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        places = [Ranked(c.id, self.score(c), c.features) for c in request.candidates]
        return sorted(places, key=lambda place: (-place.score, place.id))[: request.limit]


class InventsOne(SoundRanker):
    """Has an answer of its own to everything."""

    fails = frozenset({NOTHING, ONCE, LOST, GONE, BESIDE})

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        ranked = await super().rank(request)
        last = ranked[-1].score - 1 if ranked else 0.0
        return [*ranked, Ranked("zz", last, {"own": 1.0})][: request.limit]


class AsksForTooFew(SoundRanker):
    """Never wants more than a hundred hits."""

    fails = frozenset({REACH})

    def reach(self, limit: int) -> int:
        return min(limit, 100)


class LooksBackwards(SoundRanker):
    """Wants fewer neighbours than none."""

    fails = frozenset({REACH})
    near = -1


class ForgetsNeighbours(SoundRanker):
    """Takes only what an index found."""

    fails = frozenset({BESIDE})

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        return await super().rank(evolve(request, candidates=[c for c in request.candidates if c.places]))


class GivesAll(SoundRanker):
    """Takes no notice of the limit."""

    fails = frozenset({ONCE})

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        return await super().rank(evolve(request, limit=10**6))


class RepeatsTheFirst(SoundRanker):
    """Lets the first share the last place too."""

    fails = frozenset({ONCE})

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        ranked = list(await super().rank(request))
        return [*ranked[:-1], evolve(ranked[-1], same=(ranked[0].id,))] if len(ranked) > 1 else ranked


class LeavesThemAsTheyCome(SoundRanker):
    """Does not order at all."""

    fails = frozenset({ORDER})

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        return sorted(await super().rank(evolve(request, limit=10**6)), key=lambda place: place.id)[: request.limit]


class BreaksTiesBackwards(SoundRanker):
    """Orders equals by their ids, backwards."""

    fails = frozenset({ORDER})

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        backwards = sorted(await super().rank(request), key=lambda place: place.id, reverse=True)
        return sorted(backwards, key=lambda place: -place.score)


class ScoresNothing(SoundRanker):
    """Gives what only one index found no number."""

    fails = frozenset({ORDER, SAME, BESIDE})

    def score(self, candidate: Candidate) -> float:
        return super().score(candidate) if len(candidate.features) > 1 else float("nan")

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        places = [Ranked(c.id, self.score(c), c.features) for c in request.candidates]
        key = {p.id: (p.score != p.score, -super(ScoresNothing, self).score(c), p.id) for p, c in zip(places, request.candidates, strict=True)}  # fmt: skip
        return sorted(places, key=lambda place: key[place.id])[: request.limit]


class Wavers(SoundRanker):
    """Explains itself in other words at every call."""

    fails = frozenset({SAME})
    turns: ClassVar[itertools.count[int]] = itertools.count()

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        turn = float(next(Wavers.turns))
        return [evolve(place, features={**place.features, "turn": turn}) for place in await super().rank(request)]


class LosesRepetitions(SoundRanker):
    """Drops what says the same, and does not tell."""

    fails = frozenset({LOST})

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        ranked = await super().rank(request)
        memories = await request.read([place.id for place in ranked])
        texts: set[str] = set()
        kept = []
        for place in ranked:
            text = memories[place.id].text if place.id in memories else place.id
            if text not in texts:
                kept.append(place)
            texts.add(text)
        return kept


class ReadsBlindly(SoundRanker):
    """Expects all that it reads to be there."""

    fails = frozenset({GONE})

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        ranked = await super().rank(request)
        memories = await request.read([place.id for place in ranked])
        return [place for place in ranked if memories[place.id]]


class PrefersTheWorst(SoundRanker):
    """Takes scores for distances."""

    fails = frozenset({BEST})

    def score(self, candidate: Candidate) -> float:
        return -super().score(candidate)


class SaysNothing(SoundRanker):
    """Explains nothing."""

    fails = frozenset({EXPLAINED})

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        return [evolve(place, features={}) for place in await super().rank(request)]


BROKEN: tuple[type[SoundRanker], ...] = (
    InventsOne,
    AsksForTooFew,
    LooksBackwards,
    ForgetsNeighbours,
    GivesAll,
    RepeatsTheFirst,
    LeavesThemAsTheyCome,
    BreaksTiesBackwards,
    ScoresNothing,
    Wavers,
    LosesRepetitions,
    ReadsBlindly,
    PrefersTheWorst,
    SaysNothing,
)
