"""Recall: what indexes find becomes one ranking, is read where it stands, and explains itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from attrs import evolve, frozen

from lamina._held import Found
from lamina._indexes import missed
from lamina._places import Places
from lamina.errors import ClosedError, IntegrityError, StorageError
from lamina.model import Hit, Memory
from lamina.protocols import Candidate, Filter, Index, IndexHit, Ranked, Ranker, RankRequest, SearchRequest

SPARE = 8
"""Places beyond the limit that are ranked, for what is gone by the time that it is read."""


SEEDS = 20
"""So many of what was found best bring in what stands beside them, or half of it where that is more."""


@frozen
class Query:
    """What is asked for."""

    text: str
    filter: Filter
    tiers: frozenset[str] | None
    now_s: float
    deadline_s: float | None

    def admits(self, found: Found) -> bool:
        """Whether a memory may be among the answers."""
        memory = found.held.memory
        return (
            (self.tiers is None or found.place[0] in self.tiers)
            and memory.stands(self.now_s)
            and self.filter.admits(memory)
        )


class Recall:
    """Answers queries over all tiers and indexes.

    Args:
        places: Where memories stand.
        ranker: Orders what the indexes find; without one, the greatest score of any index decides.
        clock: Unix time in seconds.
    """

    def __init__(self, places: Places, ranker: Ranker | None, clock: Callable[[], float]) -> None:
        self._places, self._ranker, self._clock = places, ranker, clock

    async def hits(
        self, text: str, limit: int, filter: Filter, tiers: frozenset[str] | None, deadline_s: float | None
    ) -> list[Hit]:
        """The memories that fit best, at most ``limit``, best first."""
        query = Query(text, filter, tiers, self._clock(), deadline_s)
        reach = max(limit, self._ranker.reach(limit)) if self._ranker else limit + SPARE
        read = Reading(self._places, query)
        named = self._places.indexes.parts
        asked = await asyncio.gather(
            *(self._search(index, query, reach, read) for _, index in named), return_exceptions=True
        )
        candidates = _candidates(_answered([name for name, _ in named], asked))
        if self._ranker is not None and self._ranker.near > 0:
            candidates += await self._beside(candidates, self._ranker.near, read)
        ranked = list(await self._rank(query, candidates, limit + SPARE, read))
        found = {c.id for c in candidates if c.places}
        while ranked and not found & {ranked[-1].id, *ranked[-1].same}:
            ranked.pop()  # what only stands beside is there for its place among what was found
        return await self._read(ranked, limit, read)

    async def _search(self, index: Index, query: Query, reach: int, read: Reading) -> Sequence[IndexHit]:
        """An index's best hits that may be among the answers; what it cannot filter by is filtered here."""
        left = query.filter.given - index.filters
        own = evolve(query.filter, **dict.fromkeys(left)) if left else query.filter
        asked = reach
        while True:
            request = SearchRequest(query=query.text, limit=asked, filter=own, now_s=query.now_s, deadline_s=query.deadline_s)  # fmt: skip
            hits = await index.search(request)
            if not left and query.tiers is None:
                return hits
            admitted = await read.known([hit.id for hit in hits])
            kept = [hit for hit in hits if hit.id in admitted]
            if len(kept) >= reach or len(hits) < asked:
                return kept[:reach]
            asked *= 4

    async def _beside(self, found: Sequence[Candidate], near: int, read: Reading) -> list[Candidate]:
        """What stands beside the better half of what was found, where that is much, and was not found itself."""
        best = sorted(found, key=lambda c: (min(c.places.values()), c.id))[: max(SEEDS, len(found) // 2)]
        known = await read.known([c.id for c in best])
        ids = await self._places.neighbours([f.held for f in known.values()], near)
        there = {c.id for c in found}
        stand = await read.known([id for id in ids if id not in there])
        return [Candidate(id) for id in sorted(stand)]

    async def _rank(self, query: Query, candidates: Sequence[Candidate], limit: int, read: Reading) -> Sequence[Ranked]:
        if self._ranker is None:
            names = [name for name, _ in self._places.indexes.parts]
            scored = [(max(c.features[n] for n in names if n in c.features), c) for c in candidates]
            best = sorted(scored, key=lambda s: (-s[0], s[1].id))[:limit]
            return [Ranked(c.id, score, c.features) for score, c in best]
        request = RankRequest(
            query=query.text, candidates=candidates, limit=limit, now_s=query.now_s, read=read.memories
        )
        return await self._ranker.rank(request)

    async def _read(self, ranked: Sequence[Ranked], limit: int, read: Reading) -> list[Hit]:
        hits: list[Hit] = []
        at = 0
        while len(hits) < limit and at < len(ranked):
            some = ranked[at : at + limit - len(hits)]
            at += len(some)
            memories = await read.memories([r.id for r in some])
            for r in some:
                if r.id in memories:
                    found = read.found[r.id]
                    hits.append(
                        Hit(memories[r.id], r.score, found.place[0], r.features, found.held.session, found.held.page, r.same)
                    )  # fmt: skip
        return hits


class Reading:
    """The memories that one recall reads: each once.

    Args:
        places: Where they stand.
        query: Which of them may be among the answers.
    """

    def __init__(self, places: Places, query: Query) -> None:
        self._places, self._query = places, query
        self.found: dict[str, Found] = {}
        """Those that may be among the answers."""
        self._looked: set[str] = set()
        self._texts: dict[str, str | None] = {}

    async def known(self, ids: Sequence[str]) -> Mapping[str, Found]:
        """Those that may be among the answers, without their texts."""
        new = [id for id in dict.fromkeys(ids) if id not in self._looked]
        self._looked.update(new)
        for id, found in (await self._places.find(new)).items():
            if self._query.admits(found):
                self.found[id] = found
        return {id: self.found[id] for id in ids if id in self.found}

    async def memories(self, ids: Sequence[str]) -> Mapping[str, Memory]:
        """Those that may be among the answers, with their texts."""
        known = await self.known(ids)
        new = {id: found.held for id, found in known.items() if id not in self._texts}
        self._texts |= dict(zip(new, await self._places.texts(list(new.values())), strict=True))
        out = {}
        for id, found in known.items():
            text = self._texts[id]
            if text is not None:
                out[id] = evolve(found.held.memory, text=text)
        return out


def _answered(
    names: Sequence[str], asked: Sequence[Sequence[IndexHit] | BaseException]
) -> dict[str, Sequence[IndexHit]]:
    """What indexes found; one that cannot be read is logged, as long as another one can.

    Raises:
        StorageError: None could be read. Whatever else one raised is raised in any case.
    """
    found = {name: hits for name, hits in zip(names, asked, strict=True) if not isinstance(hits, BaseException)}
    for name, error in zip(names, asked, strict=True):
        if isinstance(error, BaseException):
            # Damage, or use after close, is for the user to know of; others are in the way only for now.
            if not found or not isinstance(error, StorageError) or isinstance(error, IntegrityError | ClosedError):
                raise error
            missed(f"the index {name!r} could not be searched; others answered", error)
    return found


def _candidates(found: Mapping[str, Sequence[IndexHit]]) -> list[Candidate]:
    """What the indexes found, each memory once, by id."""
    features: dict[str, dict[str, float]] = {}
    places: dict[str, dict[str, int]] = {}
    for name, hits in found.items():
        for place, hit in enumerate(hits, start=1):
            its = features.setdefault(hit.id, {})
            its[name] = hit.score
            its.update((f"{name}.{feature}", value) for feature, value in hit.features.items())
            places.setdefault(hit.id, {})[name] = place
    return [Candidate(id, its, places[id]) for id, its in sorted(features.items())]
