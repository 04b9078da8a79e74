"""The conformance suite of indexes."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Protocol, TypeVar

import pytest
from attrs import evolve, fields
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.errors import ClosedError
from lamina.protocols import Document, Filter, Index, IndexHit, IndexUpdate, SearchRequest
from lamina.testing.suite import Suite

T = TypeVar("T")
_spaces = itertools.count()

few = settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))

ids = st.text(alphabet="aA_%*#é中/\0\"'", min_size=1, max_size=6)
"""Ids that trip up patterns, quoting and case folding."""

_COMMON = ("the", "port", "of", "server", "is", "open", "for", "all", "users", "today")
common = st.lists(st.sampled_from(_COMMON), max_size=8)
nasty = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="\"'*()^-+:{}\\AND OR NOT NEAR\0 aé中", max_size=30),
    st.sampled_from(
        ["", " ", '"', "NOT", "a AND", "NEAR(a b, 2)", "x:y", "-", "*", "😀", "\0", "a\0b", "\ud800", "の"]
    ),
)


said = st.builds(
    Document,
    id=ids, text=st.just("zqbbcox"), author=st.sampled_from(["", "a", "A", "a_"]), tags=st.sampled_from([(), ("a",), ("a", "b")]),
    kind=st.sampled_from(["semantic", "episodic"]), thread=st.sampled_from(["", "a", "A", "a_b", "aXb", "ab", "é%"]),
    position=st.one_of(st.none(), st.integers(0, 5)), created_s=st.sampled_from([0.0, 4.0, 5.0, 6.0]),
)  # fmt: skip
filters = st.builds(
    Filter,
    threads=st.one_of(st.none(), st.frozensets(st.sampled_from(["", "a", "A", "a_b", "é%"]), max_size=2)),
    authors=st.one_of(st.none(), st.frozensets(st.sampled_from(["", "a", "A", "a_"]), max_size=2)),
    kinds=st.one_of(st.none(), st.frozensets(st.sampled_from(["semantic", "episodic"]), max_size=2)),
    tags=st.one_of(st.none(), st.frozensets(st.sampled_from(["a", "b"]), max_size=2)),
    since_s=st.sampled_from([None, 0.0, 5.0]), until_s=st.sampled_from([None, 0.0, 5.0]),
)  # fmt: skip


class OpenIndex(Protocol):
    """Opens the index of a namespace; all that one fixture value opens share one store."""

    def __call__(self, namespace: str = "test") -> AbstractAsyncContextManager[Index]: ...


def rare(number: int) -> str:
    """A word that no other text has."""
    letters = "bcdfghjklm"
    return "zq" + "".join(letters[int(digit)] for digit in f"{number:03}") + "ox"


def documents_of(texts: Mapping[str, str]) -> list[Document]:
    """Documents of which nothing is known but these texts, by id."""
    return [Document(id, text) for id, text in texts.items()]


async def found(index: Index, query: str, *, limit: int = 10) -> list[str]:
    """The ids of a search's hits."""
    hits = await index.search(SearchRequest(query=query, limit=limit))
    return [hit.id for hit in hits]


class IndexSuite(Suite):
    """What every index must hold.

    Give a fixture ``open_index``: ``async with open_index(namespace="test") as index``.
    """

    LANGUAGES: ClassVar[Mapping[str, tuple[str, str]]] = {
        "english": ("The staging database listens on port 5433.", "which port has the staging database"),
        "german": ("Die Prüfung fällt übermorgen aus.", "PRÜFUNG übermorgen"),
        "russian": ("Сервер перезапущен в полночь.", "сервер полночь"),
        "greek": ("Η σύσκεψη μεταφέρθηκε στην αίθουσα.", "σύσκεψη αίθουσα"),
        "arabic": ("تم تغيير كلمة المرور أمس", "كلمة المرور"),
        "hindi": ("बैठक सोमवार को होगी", "बैठक सोमवार"),
        "chinese": ("我们把数据库的端口改成了五四三三", "数据库端口"),
        "japanese": ("会議は明日の午後に変更されました", "明日の会議"),
        "korean": ("회의는 내일 오후로 변경되었습니다", "내일 회의"),
        "thai": ("การประชุมเลื่อนเป็นวันพรุ่งนี้", "การประชุมพรุ่งนี้"),
        "code": ("def open_index(path): raise NotFoundError in src/app/index_store.py", "open_index"),
    }
    """Texts of several scripts, and a query that must find each first."""

    @pytest.fixture
    def open_index(self) -> OpenIndex:
        raise NotImplementedError("give the fixture open_index")

    def mark(self, number: int) -> str:
        """A text, of what the index looks at, by which those that hold it are found and no others; from 0 to 999.

        A word by default; an index that looks at something else than words overrides it.
        """
        return rare(number)

    def run(self, open_index: OpenIndex, act: Callable[[Index], Coroutine[Any, Any, T]]) -> T:
        """Do something with an empty index."""

        async def opened() -> T:
            async with open_index(namespace=f"space-{next(_spaces)}") as index:
                return await act(index)

        return asyncio.run(opened())

    def hits(self, open_index: OpenIndex, texts: Mapping[str, str], **request: Any) -> Sequence[IndexHit]:
        """What a search finds among these texts."""

        async def act(index: Index) -> Sequence[IndexHit]:
            await index.update(IndexUpdate(add=documents_of(texts)))
            return await index.search(SearchRequest(**request))

        return self.run(open_index, act)

    def test_what_was_added_is_found(self, open_index: OpenIndex) -> None:
        texts = {f"s#{n}": f"the server {self.mark(n)} is up" for n in range(30)}

        async def act(index: Index) -> list[list[str]]:
            await index.update(IndexUpdate(add=documents_of(texts)))
            return [await found(index, self.mark(n)) for n in range(30)]

        assert self.run(open_index, act) == [[f"s#{n}"] for n in range(30)]

    def test_what_was_removed_is_not_found(self, open_index: OpenIndex) -> None:
        async def act(index: Index) -> list[str]:
            await index.update(IndexUpdate(add=documents_of({"a": f"one {self.mark(1)}", "b": f"two {self.mark(1)}"})))
            await index.update(IndexUpdate(remove=frozenset({"a", "never there"})))
            return await found(index, self.mark(1))

        assert self.run(open_index, act) == ["b"]

    def test_what_was_replaced_is_found_by_its_new_text_only(self, open_index: OpenIndex) -> None:
        async def act(index: Index) -> list[list[str]]:
            await index.update(IndexUpdate(add=documents_of({"a": self.mark(1), "b": "beside it"})))
            await index.update(IndexUpdate(add=documents_of({"a": self.mark(2)})))
            return [await found(index, self.mark(1)), await found(index, self.mark(2))]

        assert self.run(open_index, act) == [[], ["a"]]

    def test_removals_come_before_additions(self, open_index: OpenIndex) -> None:
        async def act(index: Index) -> list[str]:
            await index.update(IndexUpdate(add=documents_of({"a": self.mark(1)})))
            await index.update(IndexUpdate(add=documents_of({"a": self.mark(2)}), remove=frozenset({"a"})))
            return await found(index, self.mark(2))

        assert self.run(open_index, act) == ["a"]

    def test_clearing_forgets_everything_and_draws_a_new_generation(self, open_index: OpenIndex) -> None:
        async def act(index: Index) -> tuple[list[str], bool, list[str]]:
            await index.update(IndexUpdate(add=documents_of({"a": self.mark(1)})))
            before = index.generation
            await index.clear()
            gone = await found(index, self.mark(1))
            await index.update(IndexUpdate(add=documents_of({"b": self.mark(1)})))
            return gone, index.generation == before, await found(index, self.mark(1))

        assert self.run(open_index, act) == ([], False, ["b"])

    def test_hits_are_ordered_by_score(self, open_index: OpenIndex) -> None:
        texts = {f"{n:02}": " ".join([self.mark(1)] * (1 + n % 3) + ["filler"] * (n % 5)) for n in range(20)}
        scores = [hit.score for hit in self.hits(open_index, texts, query=self.mark(1), limit=20)]
        assert len(scores) == 20
        assert scores == sorted(scores, reverse=True)

    def test_a_text_with_more_of_the_query_is_before_one_with_less(self, open_index: OpenIndex) -> None:
        texts = {f"{n}": f"{self.mark(1)} said something" for n in range(5)} | {
            "both": f"{self.mark(1)} said {self.mark(2)}"
        }
        assert self.hits(open_index, texts, query=f"{self.mark(1)} {self.mark(2)}")[0].id == "both"

    @few
    @given(names=st.sets(ids, min_size=1, max_size=12), limit=st.integers(1, 12))
    def test_ties_are_ordered_by_id_also_where_the_limit_cuts(
        self, open_index: OpenIndex, names: set[str], limit: int
    ) -> None:
        hits = self.hits(open_index, dict.fromkeys(names, self.mark(1)), query=self.mark(1), limit=limit)
        assert [hit.id for hit in hits] == sorted(names)[:limit]

    def test_there_are_at_most_as_many_hits_as_asked_for(self, open_index: OpenIndex) -> None:
        texts = {f"{n}": f"{self.mark(1)} {n}" for n in range(30)}
        for limit in (1, 7, 30, 100):
            assert len(self.hits(open_index, texts, query=self.mark(1), limit=limit)) == min(limit, 30)

    def test_the_filters_that_it_applies_are_some_of_those_that_there_are(self, open_index: OpenIndex) -> None:
        async def act(index: Index) -> Any:
            return index.filters

        declared = self.run(open_index, act)
        assert isinstance(declared, frozenset)
        assert declared <= frozenset(attribute.name for attribute in fields(Filter))

    @few
    @given(said=st.lists(said, min_size=1, max_size=10, unique_by=lambda d: d.id), filter=filters)
    @example(
        said=[Document("1", rare(1), thread="a_b"), Document("2", rare(1), thread="aXb")],
        filter=Filter(threads=frozenset({"a_b"})),
    )
    @example(
        said=[Document("1", rare(1), thread="a"), Document("2", rare(1), thread="A")],
        filter=Filter(threads=frozenset({"a"})),
    )
    @example(
        said=[Document("1", rare(1), thread="a"), Document("2", rare(1), thread="ab")],
        filter=Filter(threads=frozenset({"a"})),
    )
    @example(
        said=[Document("1", rare(1), created_s=0.0), Document("2", rare(1), created_s=5.0)], filter=Filter(until_s=5.0)
    )
    @example(
        said=[Document("1", rare(1), created_s=0.0), Document("2", rare(1), created_s=5.0)], filter=Filter(since_s=5.0)
    )
    @example(said=[Document("1", rare(1), tags=("a",))], filter=Filter(tags=frozenset({"a", "b"})))
    @example(said=[Document("1", rare(1), author="a")], filter=Filter(authors=frozenset()))
    @example(said=[Document("1", rare(1), kind="episodic")], filter=Filter(kinds=frozenset({"semantic"})))
    def test_a_filter_that_it_applies_is_exact(
        self, open_index: OpenIndex, said: list[Document], filter: Filter
    ) -> None:
        async def act(index: Index) -> tuple[Filter, Sequence[IndexHit]]:
            await index.update(IndexUpdate(add=[evolve(document, text=self.mark(1)) for document in said]))
            own = evolve(filter, **dict.fromkeys(filter.given - index.filters))
            return own, await index.search(SearchRequest(query=self.mark(1), limit=50, filter=own))

        own, hits = self.run(open_index, act)
        assert {hit.id for hit in hits} == {document.id for document in said if own.admits(document)}

    def test_the_limit_counts_what_a_filter_leaves(self, open_index: OpenIndex) -> None:
        wanted: Mapping[str, Any] = {
            "threads": frozenset({"mine"}), "authors": frozenset({"I"}), "kinds": frozenset({"semantic"}),
            "tags": frozenset({"mine"}), "since_s": 150.0, "until_s": 150.0,
        }  # fmt: skip
        long = f"{self.mark(1)} and much more to say"
        mine = Document("mine", long, author="I", tags=("mine",), thread="mine", created_s=200.0)
        his = Document(
            "",
            f"{self.mark(1)} {self.mark(1)}",
            author="he",
            tags=("his",),
            thread="his",
            kind="episodic",
            created_s=100.0,
        )

        async def first(index: Index, field: str) -> list[str]:
            times = (200.0, 100.0) if field == "until_s" else (100.0, 200.0)
            others = [evolve(his, id=f"his{n}", created_s=times[0]) for n in range(50)]
            await index.update(IndexUpdate(add=[*others, evolve(mine, created_s=times[1])]))
            request = SearchRequest(query=self.mark(1), limit=1, filter=Filter(**{field: wanted[field]}))
            return [hit.id for hit in await index.search(request)]

        async def act(index: Index) -> dict[str, list[str]]:
            return {field: await first(index, field) for field in sorted(index.filters & wanted.keys())}

        assert all(hits == ["mine"] for hits in self.run(open_index, act).values())

    def test_features_are_finite_numbers_by_name(self, open_index: OpenIndex) -> None:
        texts = {f"{n}": f"{self.mark(n)} {self.mark(1)} said" for n in range(5)}
        for hit in self.hits(open_index, texts, query=f"{self.mark(1)} {self.mark(2)}"):
            assert all(isinstance(name, str) and math.isfinite(value) for name, value in hit.features.items())
            assert math.isfinite(hit.score)

    @settings(few, max_examples=40)
    @given(query=nasty, text=nasty)
    @example(query='say "', text="NOT (")
    @example(query="a AND NOT", text='"')
    def test_any_text_is_a_legal_query_and_a_legal_text(self, open_index: OpenIndex, query: str, text: str) -> None:
        async def act(index: Index) -> tuple[list[str], list[str]]:
            await index.update(IndexUpdate(add=documents_of({"a": text, "b": self.mark(1)})))
            return await found(index, query), await found(index, self.mark(1))

        anything, known = self.run(open_index, act)
        assert set(anything) <= {"a", "b"}
        assert "b" in known

    def test_words_that_look_like_operators_are_words(self, open_index: OpenIndex) -> None:
        texts = {"a": self.mark(1), "b": self.mark(2)}
        query = f'{self.mark(1)} AND NOT "{self.mark(2)}" NEAR(x)'
        assert {hit.id for hit in self.hits(open_index, texts, query=query)} == {"a", "b"}

    def test_a_long_query_is_answered(self, open_index: OpenIndex) -> None:
        texts = {f"{n}": self.mark(n) for n in range(5)}
        query = " ".join(f"word{n}" for n in range(3000)) + " " + self.mark(3)
        assert [hit.id for hit in self.hits(open_index, texts, query=query)] == ["3"]

    def test_namespaces_do_not_see_each_other(self, open_index: OpenIndex) -> None:
        async def act() -> tuple[list[str], list[str], list[str], list[str]]:
            one, two = f"space-{next(_spaces)}", f"space-{next(_spaces)}"
            async with open_index(namespace=one) as first, open_index(namespace=two) as second:
                await first.update(IndexUpdate(add=documents_of({"a": self.mark(1), "x": "first"})))
                await second.update(IndexUpdate(add=documents_of({"b": self.mark(1), "x": "second"})))
                seen = await found(first, self.mark(1)), await found(second, self.mark(1))
                await second.update(IndexUpdate(remove=frozenset({"a"})))
                await second.clear()
                return *seen, await found(first, self.mark(1)), await found(second, self.mark(1))

        assert asyncio.run(act()) == (["a"], ["b"], ["a"], [])

    def test_what_was_written_is_there_after_reopening_or_the_generation_is_another(
        self, open_index: OpenIndex
    ) -> None:
        async def act() -> tuple[bool, list[str], bool]:
            name = f"space-{next(_spaces)}"
            async with open_index(namespace=name) as index:
                await index.update(IndexUpdate(add=documents_of({"a": self.mark(1)})))
                before = index.generation
            async with open_index(namespace=name) as index:
                same, kept = index.generation == before, await found(index, self.mark(1))
                await index.clear()
            async with open_index(namespace=name) as index:
                return same, kept, index.generation == before

        same, kept, after = asyncio.run(act())
        assert kept == (["a"] if same else [])
        assert not after

    def test_a_closed_index_says_so(self, open_index: OpenIndex) -> None:
        async def act() -> None:
            async with open_index() as index:
                pass
            uses: tuple[Callable[[], Coroutine[Any, Any, Any]], ...] = (
                lambda: index.search(SearchRequest(query="a")),
                lambda: index.update(IndexUpdate(add=documents_of({"a": "a"}))),
                lambda: index.clear(),
            )
            for use in uses:  # each begun in its turn: where one does not fail, the others would never be awaited
                with pytest.raises(ClosedError):
                    await use()

        asyncio.run(act())

    def test_every_language_is_found(self, open_index: OpenIndex) -> None:
        texts = {name: text for name, (text, _) in self.LANGUAGES.items()}

        async def act(index: Index) -> dict[str, list[str]]:
            await index.update(IndexUpdate(add=documents_of(texts)))
            return {name: (await found(index, query))[:1] for name, (_, query) in self.LANGUAGES.items()}

        assert self.run(open_index, act) == {name: [name] for name in texts}

    @few
    @given(
        steps=st.lists(
            st.one_of(
                st.tuples(st.just("add"), st.dictionaries(ids, common, min_size=1, max_size=3)),
                st.tuples(st.just("remove"), st.frozensets(ids, max_size=3)),
                st.tuples(st.just("clear"), st.none()),
            ),
            max_size=10,
        )
    )
    @example(steps=[("add", {"a": ["port"]}), ("add", {"a": []}), ("remove", frozenset("a")), ("add", {"a": []})])
    @example(steps=[("add", {"a": [], "b": []}), ("clear", None), ("add", {"b": []})])
    @example(steps=[("add", {"a": ["port"]}), ("add", {"a": []})])
    @example(steps=[("add", {"a": [], "b": []}), ("remove", frozenset("a"))])
    def test_it_agrees_with_a_dict_of_what_it_holds(self, open_index: OpenIndex, steps: list[tuple[str, Any]]) -> None:
        """Every text has a word of its own, by which it and nothing else is found."""
        numbers = itertools.count()

        async def act(index: Index) -> None:
            held: dict[str, str] = {}
            words: list[str] = []
            for step, what in steps:
                if step == "add":
                    new = {name: self.mark(next(numbers)) for name in what}
                    await index.update(
                        IndexUpdate(add=documents_of({n: " ".join([*what[n], w]) for n, w in new.items()}))
                    )
                    held |= new
                    words += new.values()
                elif step == "remove":
                    await index.update(IndexUpdate(remove=what))
                    held = {name: word for name, word in held.items() if name not in what}
                else:
                    await index.clear()
                    held = {}
            for word in words:
                assert await found(index, word) == [name for name, own in held.items() if own == word]

        self.run(open_index, act)

    def test_searches_and_updates_at_once_do_not_disturb_each_other(self, open_index: OpenIndex) -> None:
        async def act(index: Index) -> list[str]:
            await index.update(IndexUpdate(add=documents_of({"kept": self.mark(0)})))
            updates = (index.update(IndexUpdate(add=documents_of({f"{n}": self.mark(1)}))) for n in range(20))
            searches = (found(index, self.mark(0)) for _ in range(20))
            results = await asyncio.gather(*updates, *searches)
            assert results[20:] == [["kept"]] * 20
            return await found(index, self.mark(1), limit=50)

        assert self.run(open_index, act) == sorted(f"{n}" for n in range(20))
