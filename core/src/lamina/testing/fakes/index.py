"""A sound index, and one for each way to break the protocol; ``fails`` names the tests that it must fail."""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar

from attrs import evolve

from lamina.errors import ClosedError
from lamina.protocols import Index, IndexHit, IndexUpdate, SearchRequest

Store = dict[str, Any]
_generations = itertools.count()


class SoundIndex:
    """Counts shared words, and shared characters beyond ASCII; over a dict that outlives it."""

    fails: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, store: Store, namespace: str) -> None:
        self.store, self.namespace, self.closed = store, namespace, False
        self.space: dict[str, Any] = store.setdefault(namespace, {"texts": {}, "generation": self.drawn()})

    def drawn(self) -> str:
        return f"generation {next(_generations)}"

    @property
    def generation(self) -> str:
        return str(self.space["generation"])

    @property
    def texts(self) -> dict[str, str]:
        if self.closed:
            raise ClosedError("closed")
        texts: dict[str, str] = self.space["texts"]
        return texts

    def words(self, text: str) -> list[str]:
        return re.findall(r"[a-z0-9]+|[^\x00-\x7f]", text.lower())

    def holds(self, id: str, prefix: str) -> bool:
        return id.startswith(prefix)

    async def update(self, request: IndexUpdate) -> None:
        for name in request.remove:
            self.texts.pop(name, None)
        self.texts.update(request.add)

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        asked = set(self.words(request.query))
        hits = []
        for name, text in self.texts.items():
            score = len(asked & set(self.words(text))) / max(1, len(asked))
            if score > 0 and self.holds(name, request.prefix):
                hits.append(IndexHit(name, score))
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
PREFIX = "test_a_prefix_is_exact"
LEAVES = "test_the_limit_counts_what_the_prefix_leaves"
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
        old = {name: self.texts.get(name, "") for name in request.add if name not in request.remove}
        await super().update(request)
        for name, text in old.items():
            self.texts[name] += " " + text


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


class TakesPrefixesForPatterns(SoundIndex):
    """Lets ``*`` and ``_`` in a prefix stand for anything."""

    fails = frozenset({PREFIX})

    def holds(self, id: str, prefix: str) -> bool:
        return fnmatch.fnmatchcase(id, prefix.replace("_", "?") + "*")


class FoldsPrefixes(SoundIndex):
    """Compares prefixes without case."""

    fails = frozenset({PREFIX})

    def holds(self, id: str, prefix: str) -> bool:
        return id.lower().startswith(prefix.lower())


class FiltersTooLate(SoundIndex):
    """Cuts at the limit before it looks at the prefix."""

    fails = frozenset({LEAVES})

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        hits = await super().search(evolve(request, prefix=""))
        return [hit for hit in hits if self.holds(hit.id, request.prefix)]


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
    fails = frozenset({ADDED, REMOVED, REPLACED, TIES, LIMIT, PREFIX, ANY, SPACES, REOPENED, AGREES})


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
    def texts(self) -> dict[str, str]:
        texts: dict[str, str] = self.space["texts"]
        return texts


class ReadsEnglishOnly(SoundIndex):
    """Knows no letters beyond ASCII."""

    fails = frozenset({LANGUAGES})

    def words(self, text: str) -> list[str]:
        return re.findall(r"[a-z0-9]+", text.lower())


class FindsNothing(SoundIndex):
    """Finds nothing."""

    fails = frozenset(
        {ADDED, BEFORE, REMOVED, REPLACED, CLEARED, ORDERED, MORE, TIES, LIMIT, PREFIX, LEAVES}
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
    TakesPrefixesForPatterns,
    FoldsPrefixes,
    FiltersTooLate,
    ParsesQueries,
    CutsQueries,
    SharesOneSpace,
    ForgetsOnClose,
    WorksWhenClosed,
    ReadsEnglishOnly,
    FindsNothing,
)
