"""The recipe as a ranker of what indexes found."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from lamina.model import Memory
from lamina.protocols import Candidate, Ranked, RankRequest
from lamina_ranker_learned._alike import fold
from lamina_ranker_learned._corpus import Corpus
from lamina_ranker_learned._facts import Entry, Facts, facts
from lamina_ranker_learned._terms import Query

FOLDED = 50
"""Places that are compared with each other, beside those that are asked for."""

FOUND = 1.0
"""What the reciprocal of an index's place counts: little beside the features, it orders what they do not tell apart."""

LOOKED_UP = 5
HELD = 10.0
"""A query of so few words that asks nothing looks them up: what holds them itself is before what stands beside it, which
the table, fitted on questions, often prefers."""

FIRST = 60
"""Added to a place before its reciprocal is taken, as in rank fusion."""


class Placing:
    """Reads the candidates and ranks them by the learned table, near-duplicates in one place.

    How rare a word is, is taken from the candidates alone: indexes do not say it.

    Args:
        meaning: The index whose score is a model's cosine, if any.
        language: Of texts that show none.
        keep: Memories of which the facts are kept.
    """

    def __init__(self, meaning: str, language: str, keep: int) -> None:
        self._meaning, self._language, self._keep = meaning, language, keep
        self._facts: OrderedDict[tuple[str, int], tuple[int, Facts]] = OrderedDict()

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        """By the learned table and, where that says nothing, by the places that the indexes gave.

        Cost: reads the texts of all candidates; of 400 turns of a conversation that were read before, 20 ms.
        """
        memories = await request.read([c.id for c in request.candidates])
        there = [c for c in request.candidates if c.id in memories]
        corpus = Corpus(self._language)
        said = sorted((memories[c.id] for c in there), key=lambda m: (m.created_s, m.thread, m.position or 0, m.id))
        corpus.take((entry := _entry(m), self._known(m, entry)) for m in said)
        alike = {c.id: c.features.get(self._meaning, 0.0) for c in there} if self._meaning else None
        places = {c.id: _found(c) for c in there}
        held = self._held(corpus.read(request.query), memories)
        scored = [
            Ranked(
                hit.id,
                hit.score + places[hit.id] + held.get(hit.id, 0.0),
                {**hit.parts, "found": places[hit.id], **({"held": held[hit.id]} if held else {})},
            )
            for hit in corpus.rank_all(request.query, request.now_s, alike)
        ]
        ranked = sorted(scored, key=lambda place: (-place.score, place.id))
        return _folded(ranked, memories, request.limit)

    def _held(self, query: Query, memories: Mapping[str, Memory]) -> Mapping[str, float]:
        """For a query that looks words up, by memory, what it counts that they stand in it; else nothing."""
        if query.question or not 0 < len(query.terms) <= LOOKED_UP:
            return {}
        worth = HELD / len(query.terms)
        return {
            id: worth * sum(not terms.isdisjoint(term.spellings) for term in query.terms)
            for id, terms in ((id, self._known(m, _entry(m)).terms.keys()) for id, m in memories.items())
        }

    def _known(self, memory: Memory, entry: Entry) -> Facts:
        key, text = (memory.id, memory.revision), hash(memory.text)
        held = self._facts.get(key)
        if held is None or held[0] != text:
            held = self._facts[key] = (text, facts(entry, self._language))
        self._facts.move_to_end(key)
        if len(self._facts) > self._keep:
            self._facts.popitem(last=False)
        return held[1]


def _entry(memory: Memory) -> Entry:
    return Entry(
        memory.id,
        memory.text,
        memory.author,
        memory.created_s,
        memory.thread,
        memory.position,
        memory.kind,
        memory.tags,
    )


def _found(candidate: Candidate) -> float:
    return FOUND * sum(1 / (FIRST + place) for place in candidate.places.values())


def _folded(ranked: Sequence[Ranked], memories: Mapping[str, Memory], limit: int) -> list[Ranked]:
    """Only the first places are compared: what comes far behind is read by nobody."""
    near = ranked[: limit + FOLDED]
    by = {place.id: place for place in ranked}
    return [
        Ranked(p.id, by[p.id].score, by[p.id].features, p.same)
        for p in fold([(place.id, memories[place.id].text) for place in near], limit)
    ]
