"""All documents in memory: candidates, statistics and neighbours for a ranking of some 100,000 documents."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping

from lamina.kit.dates import days_of
from lamina_ranker_learned._facts import Entry, Facts, facts
from lamina_ranker_learned._features import OFFSETS, Floats, Rows, Statistics
from lamina_ranker_learned._ranking import Known, Ranked, gather, order, values
from lamina_ranker_learned._terms import Query, name_words, parse

CANDIDATES = 300
"""Documents that are featurised for a query."""

SEEDS = 600
"""Documents that bring their neighbours in."""

NEAREST = 60
"""Documents that come in by a model's cosine."""

SPREAD = ((0, 1.0), (1, 0.6), (2, 0.3), (-1, 0.3), (-2, 0.1))
"""How much of a document's score its neighbours get, at each offset: more those that answer it."""

BY_RELATED, BY_DAY, BY_AUTHOR = 0.3, 1.0, 2.0
"""What a related word is worth beside a query's own; what a day that is asked for; what an author who is named."""


class Corpus:
    """Documents that can be ranked; grows and shrinks.

    Args:
        default: The language of texts that show none.
    """

    def __init__(self, default: str = "english") -> None:
        self._default = default
        self._documents: dict[int, Known] = {}
        self._places: dict[int, tuple[str, int]] = {}
        self._numbers: dict[str, int] = {}
        self._next = 0
        self._postings: dict[str, dict[int, int]] = {}
        self._threads: dict[tuple[str, int], int] = {}
        self._days: dict[int, set[int]] = defaultdict(set)
        self._authors: dict[str, dict[str, int]] = defaultdict(dict)
        self._length = 0

    def __len__(self) -> int:
        return len(self._documents)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take in documents; one whose id is there already is replaced.

        Cost: some 250 µs for a turn of a conversation; linear in its text.
        """
        self.take((entry, facts(entry, self._default)) for entry in entries)

    def take(self, entries: Iterable[tuple[Entry, Facts]]) -> None:
        """Take in documents of which the facts are known."""
        for entry, found in entries:
            self.remove([entry.id])
            number, self._next = self._next, self._next + 1
            known = Known.of(entry, found)
            self._documents[number] = known
            self._numbers[entry.id] = number
            self._length += known.facts.length
            for term, n in known.facts.terms.items():
                self._postings.setdefault(term, {})[number] = n
            if entry.position is not None and entry.thread:
                self._places[number] = (entry.thread, entry.position)
                self._threads[entry.thread, entry.position] = number
            if known.facts.day:
                self._days[known.facts.day].add(number)
            for word in name_words(entry.author):
                self._authors[word][entry.author] = self._authors[word].get(entry.author, 0) + 1

    def remove(self, ids: Iterable[str]) -> None:
        """Forget documents; absent ids are no error."""
        for id in ids:
            number = self._numbers.pop(id, None)
            if number is None:
                continue
            known = self._documents.pop(number)
            self._length -= known.facts.length
            for term in known.facts.terms:
                del self._postings[term][number]
                if not self._postings[term]:
                    del self._postings[term]
            place = self._places.pop(number, None)
            if place and self._threads.get(place) == number:
                del self._threads[place]
            self._days[known.facts.day].discard(number)
            for word in name_words(known.author):
                self._authors[word][known.author] -= 1
                if not self._authors[word][known.author]:
                    del self._authors[word][known.author]

    def statistics(self) -> Statistics:
        """Of all documents."""
        n = len(self._documents)
        return Statistics(n, self._length / n if n else 1.0, lambda term: len(self._postings.get(term, ())))

    def names(self) -> Mapping[str, str]:
        """For each word of an author's name, the author; of several the most frequent."""
        return {w: max(of, key=lambda a: (of[a], a)) for w, of in self._authors.items() if of}

    def read(self, text: str) -> Query:
        """Read a query."""
        return parse(text, self.names())

    def candidates(
        self, query: Query, of: Statistics, text: str, now: float, alike: Mapping[str, float] | None = None
    ) -> list[int]:
        """The numbers of the documents that may answer, at most :data:`CANDIDATES`, the likelier ones first.

        Those that hold words of the query or related ones, were said at a time that is asked for, or stand beside such
        a document, and those nearest by a model; where there are none, the newest, of those who are named if any are.
        """
        score = self._by_terms(query, of)
        for days in days_of(text, now):
            for day in range(days.first, min(days.last + 8, days.first + 40)):
                for number in self._days.get(day, ()):
                    score[number] += BY_DAY
        if not score:
            by = [n for n, known in self._documents.items() if not query.named or known.author in query.named]
            return heapq.nlargest(CANDIDATES, by)
        spread: dict[int, float] = defaultdict(float)
        for number in heapq.nlargest(SEEDS, score, key=lambda n: (score[n], n)):
            for offset, share in SPREAD:
                other = self._beside(number, offset)
                if other >= 0:
                    spread[other] += share * score[number]
        for number in spread:
            if self._documents[number].author in query.named:
                spread[number] += BY_AUTHOR
        near = heapq.nlargest(NEAREST, alike or {}, key=lambda id: ((alike or {})[id], id))
        chosen = dict.fromkeys(self._numbers[id] for id in near if id in self._numbers)
        chosen |= dict.fromkeys(heapq.nlargest(CANDIDATES, spread, key=lambda n: (spread[n], n)))
        return list(chosen)[:CANDIDATES]

    def _by_terms(self, query: Query, of: Statistics) -> dict[int, float]:
        score: dict[int, float] = defaultdict(float)
        for term in query.terms:
            rarity = of.rarity(term.spellings)
            for spelling in term.spellings:
                for number, n in self._postings.get(spelling, {}).items():
                    score[number] += rarity * n / (n + 1.0)
            for other, weight in term.related.items():
                for number in self._postings.get(other, ()):
                    score[number] += BY_RELATED * weight * rarity
        return score

    def _beside(self, number: int, offset: int) -> int:
        if not offset:
            return number
        place = self._places.get(number)
        return self._threads.get((place[0], place[1] + offset), -1) if place else -1

    def _found(
        self, text: str, now: float, alike: Mapping[str, float] | None, every: bool = False
    ) -> tuple[list[str], dict[str, Floats], Rows]:
        query, of = self.read(text), self.statistics()
        numbers = list(self._documents) if every else self.candidates(query, of, text, now, alike)
        around = [[self._beside(n, k) for k in OFFSETS] for n in numbers]
        rows = gather(query, of, around, self._documents, self._next - 1, alike)
        return [self._documents[n].id for n in numbers], values(query, text, now, of, rows), rows

    def featurise(
        self, text: str, now: float = 0.0, alike: Mapping[str, float] | None = None
    ) -> tuple[list[str], dict[str, Floats]]:
        """The ids of a query's candidates, and each feature of each of them."""
        ids, found, _ = self._found(text, now, alike)
        return ids, found

    def rank(self, text: str, now: float, limit: int, alike: Mapping[str, float] | None = None) -> list[Ranked]:
        """The documents that answer a query best.

        Args:
            text: Any text.
            now: When it is asked, Unix seconds; 0 where that is not known.
            limit: How many at most.
            alike: For ids, a cosine to the query by a model; where given, it counts too.

        Returns:
            Best first, ties by id.

        Cost: 3 ms among 600 turns of a conversation.
        """
        ids, found, rows = self._found(text, now, alike)
        return order(ids, found, rows, limit)

    def rank_all(self, text: str, now: float, alike: Mapping[str, float] | None = None) -> list[Ranked]:
        """Every document in its place, also where nothing of the query is in it; otherwise as :meth:`rank`."""
        ids, found, rows = self._found(text, now, alike, every=True)
        return order(ids, found, rows, len(ids))
