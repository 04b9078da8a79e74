"""A sound index, and one for each way to break the protocol; ``fails`` names the tests that it must fail."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar

from attrs import evolve

from lamina.errors import ClosedError
from lamina.protocols import Document, Filter, Index, IndexHit, IndexUpdate, SearchRequest

Store = dict[str, Any]
_generations = itertools.count()


class SoundIndex:
    """Counts shared words, and shared characters beyond ASCII; over a dict that outlives it."""

    fails: ClassVar[frozenset[str]] = frozenset()
    filters: Any = frozenset({"threads", "authors", "kinds", "tags", "since_s", "until_s"})

    def __init__(self, store: Store, namespace: str) -> None:
        self.store, self.namespace, self.closed = store, namespace, False
        self.space: dict[str, Any] = store.setdefault(namespace, {"texts": {}, "generation": self.drawn()})

    def drawn(self) -> str:
        return f"generation {next(_generations)}"

    @property
    def generation(self) -> str:
        return str(self.space["generation"])

    @property
    def texts(self) -> dict[str, Document]:
        if self.closed:
            raise ClosedError("closed")
        texts: dict[str, Document] = self.space["texts"]
        return texts

    def words(self, text: str) -> list[str]:
        return re.findall(r"[a-z0-9]+|[^\x00-\x7f]", text.lower())

    def admits(self, filter: Filter, document: Document) -> bool:
        return filter.admits(document)

    async def update(self, request: IndexUpdate) -> None:
        for name in request.remove:
            self.texts.pop(name, None)
        self.texts.update({document.id: document for document in request.add})

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        asked = set(self.words(request.query))
        hits = []
        for name, document in self.texts.items():
            score = len(asked & set(self.words(document.text))) / max(1, len(asked))
            if score > 0 and self.admits(request.filter, document):
                hits.append(IndexHit(name, score, {"words": score}))
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))[: request.limit]

    async def clear(self) -> None:
        self.texts.clear()
        self.space["generation"] = self.drawn()


def opener(fake: type[SoundIndex]) -> Callable[..., AbstractAsyncContextManager[Index]]:
    """What the suite's fixture gives: opens the fake over a store of its own."""
    store: Store = {}

    @asynccontextmanager
    async def open_fake(namespace: str = "test") -> AsyncIterator[Any]:
        index = fake(store, namespace)
        try:
            yield index
        finally:
            index.closed = True

    return open_fake


ADDED = "test_what_was_added_is_found"
REMOVED = "test_what_was_removed_is_not_found"
REPLACED = "test_what_was_replaced_is_found_by_its_new_text_only"
BEFORE = "test_removals_come_before_additions"
CLEARED = "test_clearing_forgets_everything_and_draws_a_new_generation"
ORDERED = "test_hits_are_ordered_by_score"
MORE = "test_a_text_with_more_of_the_query_is_before_one_with_less"
TIES = "test_ties_are_ordered_by_id_also_where_the_limit_cuts"
LIMIT = "test_there_are_at_most_as_many_hits_as_asked_for"
DECLARES = "test_the_filters_that_it_applies_are_some_of_those_that_there_are"
FILTER = "test_a_filter_that_it_applies_is_exact"
LEAVES = "test_the_limit_counts_what_a_filter_leaves"
FEATURES = "test_features_are_finite_numbers_by_name"
ANY = "test_any_text_is_a_legal_query_and_a_legal_text"
OPERATORS = "test_words_that_look_like_operators_are_words"
LONG = "test_a_long_query_is_answered"
SPACES = "test_namespaces_do_not_see_each_other"
REOPENED = "test_what_was_written_is_there_after_reopening_or_the_generation_is_another"
CLOSED = "test_a_closed_index_says_so"
LANGUAGES = "test_every_language_is_found"
AGREES = "test_it_agrees_with_a_dict_of_what_it_holds"
AT_ONCE = "test_searches_and_updates_at_once_do_not_disturb_each_other"


class NeverRemoves(SoundIndex):
    """Takes no notice of removals."""

    fails = frozenset({REMOVED, AGREES})

    async def update(self, request: IndexUpdate) -> None:
        await super().update(evolve(request, remove=frozenset()))


class AppendsTexts(SoundIndex):
    """Keeps the old text beside the new one."""

    fails = frozenset({REPLACED, AGREES})

    async def update(self, request: IndexUpdate) -> None:
        old = {d.id: self.texts[d.id].text for d in request.add if d.id in self.texts and d.id not in request.remove}
        await super().update(request)
        for name, text in old.items():
            self.texts[name] = evolve(self.texts[name], text=f"{self.texts[name].text} {text}")


class RemovesLast(SoundIndex):
    """Removes after it has added."""

    fails = frozenset({BEFORE})

    async def update(self, request: IndexUpdate) -> None:
        await super().update(request)
        for name in request.remove:
            self.texts.pop(name, None)


class KeepsItsGeneration(SoundIndex):
    """Draws no new generation when it is cleared."""

    fails = frozenset({CLEARED, REOPENED})

    async def clear(self) -> None:
        self.texts.clear()


class GivesWorstFirst(SoundIndex):
    """Orders by score the wrong way round."""

    fails = frozenset({MORE})

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        hits = await super().search(evolve(request, limit=10**6))
        return sorted(hits, key=lambda hit: (hit.score, hit.id))[: request.limit]


class ScoresTheWrongWay(SoundIndex):
    """Gives better hits a lower score."""

    fails = frozenset({ORDERED})

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        return [evolve(hit, score=float(n)) for n, hit in enumerate(await super().search(request))]


class BreaksTiesByAge(SoundIndex):
    """Leaves equal hits as they came in."""

    fails = frozenset({TIES, AT_ONCE})

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        hits = await super().search(evolve(request, limit=10**6))
        return sorted(hits, key=lambda hit: (-hit.score, hit.id[::-1]))[: request.limit]


class GivesOneMore(SoundIndex):
    """Gives a hit too many."""

    fails = frozenset({LIMIT, TIES})

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        return await super().search(evolve(request, limit=request.limit + 1))


class DeclaresWhatThereIsNot(SoundIndex):
    """Says that it filters by something that no filter has."""

    fails = frozenset({DECLARES})
    filters = frozenset({"threads", "colour"})


class FoldsThreads(SoundIndex):
    """Compares threads without case."""

    fails = frozenset({FILTER})

    def admits(self, filter: Filter, document: Document) -> bool:
        threads = filter.threads and frozenset(t.lower() for t in filter.threads)
        return evolve(filter, threads=threads).admits(evolve(document, thread=document.thread.lower()))


class TakesThreadsForPrefixes(SoundIndex):
    """Admits threads that only begin like one that is asked for."""

    fails = frozenset({FILTER})

    def admits(self, filter: Filter, document: Document) -> bool:
        like = next((t for t in filter.threads or () if document.thread.startswith(t)), document.thread)
        return filter.admits(evolve(document, thread=like))


class AdmitsWhatHasNoTime(SoundIndex):
    """Takes what has no time for very old."""

    fails = frozenset({FILTER})

    def admits(self, filter: Filter, document: Document) -> bool:
        return filter.admits(evolve(document, created_s=document.created_s or 1e-9))


class TakesOneTagForAll(SoundIndex):
    """Is content with one of the tags."""

    fails = frozenset({FILTER})

    def admits(self, filter: Filter, document: Document) -> bool:
        if filter.tags and filter.tags & set(document.tags):
            filter = evolve(filter, tags=None)
        return filter.admits(document)


class FiltersTooLate(SoundIndex):
    """Cuts at the limit before it looks at the filter."""

    fails = frozenset({LEAVES})

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        hits = await super().search(evolve(request, filter=Filter()))
        return [hit for hit in hits if request.filter.admits(self.texts[hit.id])]


class GivesNoNumber(SoundIndex):
    """Has a feature that is no number."""

    fails = frozenset({FEATURES})

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        return [evolve(hit, features={"words": float("nan")}) for hit in await super().search(request)]


class ParsesQueries(SoundIndex):
    """Takes words in capitals for operators, and refuses what it cannot parse."""

    fails = frozenset({ANY, OPERATORS})

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        if re.search(r"\b(AND|NOT|NEAR)\b", request.query) or request.query.count('"') % 2:
            raise ValueError("syntax error")
        return await super().search(request)


class CutsQueries(SoundIndex):
    """Reads only the start of a query."""

    fails = frozenset({LONG})

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        return await super().search(evolve(request, query=request.query[:1000]))


class SharesOneSpace(SoundIndex):
    """Takes no notice of the namespace."""

    def __init__(self, store: Store, namespace: str) -> None:
        super().__init__(store, "everybody's" if namespace.startswith("space-") else namespace)

    # Every test that the leavings of others disturb, not only the one about namespaces.
    fails = frozenset({ADDED, REMOVED, REPLACED, TIES, LIMIT, FILTER, LEAVES, SPACES, REOPENED, AGREES})


class ForgetsOnClose(SoundIndex):
    """Is empty when it is opened again, and does not say so."""

    fails = frozenset({REOPENED})

    def __init__(self, store: Store, namespace: str) -> None:
        super().__init__(store, namespace)
        self.space["texts"] = {}


class WorksWhenClosed(SoundIndex):
    """Answers after it was closed."""

    fails = frozenset({CLOSED})

    @property
    def texts(self) -> dict[str, Document]:
        texts: dict[str, Document] = self.space["texts"]
        return texts


class ReadsEnglishOnly(SoundIndex):
    """Knows no letters beyond ASCII."""

    fails = frozenset({LANGUAGES})

    def words(self, text: str) -> list[str]:
        return re.findall(r"[a-z0-9]+", text.lower())


class FindsNothing(SoundIndex):
    """Finds nothing."""

    fails = frozenset(
        {ADDED, BEFORE, REMOVED, REPLACED, CLEARED, ORDERED, MORE, TIES, LIMIT, FILTER, LEAVES}
        | {ANY, OPERATORS, LONG, SPACES, REOPENED, LANGUAGES, AGREES, AT_ONCE}
    )

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        assert self.texts is not None
        return []


BROKEN: tuple[type[SoundIndex], ...] = (
    NeverRemoves,
    AppendsTexts,
    RemovesLast,
    KeepsItsGeneration,
    GivesWorstFirst,
    ScoresTheWrongWay,
    BreaksTiesByAge,
    GivesOneMore,
    DeclaresWhatThereIsNot,
    FoldsThreads,
    TakesThreadsForPrefixes,
    AdmitsWhatHasNoTime,
    TakesOneTagForAll,
    FiltersTooLate,
    GivesNoNumber,
    ParsesQueries,
    CutsQueries,
    SharesOneSpace,
    ForgetsOnClose,
    WorksWhenClosed,
    ReadsEnglishOnly,
    FindsNothing,
)
