"""What is wanted, and how much each page says of it."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lamina.model import Page, Text
from lamina.protocols import ScoreRequest
from lamina_scorer_relevance import RelevanceSettings
from lamina_scorer_relevance._postings import Postings

if TYPE_CHECKING:  # it imports numpy, which likeness by words does not need
    from lamina_scorer_relevance._vectors import Vectors

GOAL_CHARACTERS = 2000
"""So much of each end of a goal is read; between them lies what was pasted."""

MOST_SESSIONS = 64
"""Whose words are kept; the one that was asked about least recently is read again when it is needed."""


class RelevanceScorer:
    """Rates pages by likeness to the query, or to the goal.

    Args:
        settings: See there.
        vectors: Compares by vectors, where that is configured.
    """

    def __init__(self, settings: RelevanceSettings, vectors: Vectors | None = None) -> None:
        self._settings, self._vectors = settings, vectors
        self._postings: OrderedDict[str, Postings] = OrderedDict()

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Rate each page by likeness.

        By words: BM25 over the pages of the log (or the candidates where no log is given), divided by the best
        among them, so that the best is 1; a page that is part of the goal is worth what it counts for in it and
        sets no measure for others. With an embedder, the mean of that and the cosine (where positive), by
        ``vector_share``. 0 for all where nothing is wanted.

        Cost: O(pages + postings of the wanted words); a page is read (and embedded) once.

        Source:
            Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"; k1 = 1.2,
            b = 0.75, the never negative idf of Lucene. Words in more than half of
            the pages (and in more than ten) are left out.
        """
        if not request.pages:
            return []
        pages = {p.id: p for p in request.log or request.pages}
        goals: dict[int, float] = {}
        if request.query is not None and request.query.strip():
            wanted = [(request.query, 1.0)]
        else:
            newest = self._goals(list(pages.values()))
            goals = {page.id: 0.5**age for age, page in enumerate(newest)}
            wanted = [(_ends(_said(page)), goals[page.id]) for page in newest]
        scores = self._by_words(request.session, pages, wanted, goals)
        if self._vectors is not None and any(text.strip() for text, _ in wanted):
            likeness = await self._vectors.likeness("\n".join(text for text, _ in wanted), request.pages)
            share = self._settings.vector_share
            for page, cosine in zip(request.pages, likeness, strict=True):
                if page.id not in goals:
                    scores[page.id] = (1 - share) * scores.get(page.id, 0.0) + share * cosine
        return [min(1.0, scores.get(page.id, 0.0)) for page in request.pages]

    def _goals(self, pages: Sequence[Page]) -> list[Page]:
        """The newest user pages that say something, newest first."""
        asked = (page for page in pages if page.role == "user" and _said(page).strip())
        return heapq.nlargest(self._settings.goal_messages, asked, lambda page: page.id)

    def _by_words(
        self, session: str, pages: Mapping[int, Page], wanted: Sequence[tuple[str, float]], goals: Mapping[int, float]
    ) -> dict[int, float]:
        postings = self._postings.pop(session, None)
        if postings is None:
            postings = Postings(self._settings.stem_letters)
        self._postings[session] = postings
        while len(self._postings) > MOST_SESSIONS:
            self._postings.popitem(last=False)
        terms: dict[str, float] = {}
        for text, weight in wanted:
            for term in postings.terms(text):
                terms[term] = max(weight, terms.get(term, 0.0))
        found = postings.search(list(pages.values()), terms)
        best = max((score for page, score in found.items() if page not in goals), default=0.0)
        scores = {page: score / best for page, score in found.items() if best and page not in goals}
        return {**scores, **goals}


def _said(page: Page) -> str:
    return "\n".join(part.text for part in page.messages[0].parts if isinstance(part, Text))


def _ends(text: str) -> str:
    if len(text) <= 2 * GOAL_CHARACTERS:
        return text
    return f"{text[:GOAL_CHARACTERS]}\n{text[-GOAL_CHARACTERS:]}"
