"""Several indexes, one ranking: filters hold whoever applies them, and what is gone is not recalled."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import lamina
from lamina import Filter
from lamina.errors import ConfigError, FormatError, IntegrityError, StorageError
from lamina.hookspecs import hookimpl
from lamina.protocols import IndexHit, Ranked

few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def run(work):
    return asyncio.run(work())


class LastIndex:
    """Finds what was told last; says how new it is."""

    filters = frozenset({"authors"})
    generation = "last"

    def __init__(self):
        self.documents, self.asked, self.wrong = {}, [], None

    async def update(self, request):
        for id in request.remove:
            self.documents.pop(id, None)
        for document in request.add:
            self.documents.pop(document.id, None)
            self.documents[document.id] = document

    async def search(self, request):
        self.asked.append(request)
        if self.wrong is not None:
            raise self.wrong
        assert request.filter.given <= self.filters
        found = [d for d in reversed(self.documents.values()) if request.filter.admits(d)]
        return [IndexHit(d.id, 1.0 / (n + 1), {"age": float(n)}) for n, d in enumerate(found[: request.limit])]

    async def clear(self):
        self.documents.clear()


class Newest:
    """Ranks by one feature of one index alone, and folds what says the same."""

    near = 0

    def __init__(self):
        self.requests = []

    def reach(self, limit):
        return limit * 3

    async def rank(self, request):
        self.requests.append(request)
        places = [
            Ranked(c.id, -c.features["last.age"], {"age": c.features["last.age"]})
            for c in request.candidates
            if "last" in c.features
        ]
        ordered = sorted(places, key=lambda p: (-p.score, p.id))
        read = await request.read([p.id for p in ordered])
        kept = {}
        for place in ordered:
            text = read[place.id].text if place.id in read else place.id
            if text in kept:
                kept[text] = Ranked(kept[text].id, kept[text].score, kept[text].features, (*kept[text].same, place.id))
            else:
                kept[text] = place
        return list(kept.values())[: request.limit]


class Finders:
    """Offers the index ``last`` and the ranker ``newest``."""

    def __init__(self):
        self.index, self.ranker = LastIndex(), Newest()

    def _of(self, part):
        @asynccontextmanager
        async def opener(settings, host):
            yield part

        return opener

    def __call__(self, kernel, **memory):
        self.kernel = kernel
        return kernel({"memory": {"indexes": ["plain", "last"], **memory}}, self)

    @hookimpl
    def register_index(self, register):
        register("last", self._of(self.index), self.kernel.NoSettings)

    @hookimpl
    def register_ranker(self, register):
        register("newest", self._of(self.ranker), self.kernel.NoSettings)


def test_a_ranker_orders_what_all_indexes_find_and_its_features_explain_the_hits(kernel):
    finders = Finders()

    async def work():
        async with finders(kernel, ranker="newest") as ctx:
            for author, text in enumerate(("needle needle one", "needle two", "something else", "needle two")):
                await ctx.remember(text, author=f"{author}")
            hits = await ctx.recall("needle one", limit=3)
            assert [h.memory.text for h in hits] == ["needle two", "something else", "needle needle one"]
            assert [h.scores for h in hits] == [{"age": 0.0}, {"age": 1.0}, {"age": 3.0}]
            assert [len(h.same) for h in hits] == [1, 0, 0]
            (request,) = finders.ranker.requests
            assert {tuple(sorted(c.places)) for c in request.candidates} == {("last", "plain"), ("last",)}
            assert finders.index.asked[0].limit == 9

    run(work)


def test_what_stands_beside_what_was_found_is_a_candidate_where_the_ranker_wants_that(kernel):
    class All(Newest):
        near = 1

        async def rank(self, request):
            self.requests.append(request)
            memories = await request.read([c.id for c in request.candidates])
            places = [Ranked(id, float(len(m.text)), {"length": 1.0}) for id, m in memories.items()]
            return sorted(places, key=lambda p: (-p.score, p.id))[: request.limit]

    finders = Finders()
    finders.ranker = All()

    async def work():
        async with finders(kernel, ranker="newest", indexes=["plain"]) as ctx:
            for n, text in enumerate(("first", "asked for a needle", "answered with seven", "fourth")):
                await ctx.remember(text, thread="t", position=n)
            s = await ctx.session("s")
            await s.add(
                *(lamina.user(text) for text in ("far", "one before", "the needle in pages", "one after", "far"))
            )
            found = {h.memory.text for h in await ctx.recall("needle", use=False)}
            # What comes behind all that was found is left out of the answer.
            assert found == {"the needle in pages", "answered with seven", "asked for a needle"}
            nobody = [c for c in finders.ranker.requests[0].candidates if not c.places]
            assert len(nobody) == 4

    run(work)


def test_an_index_that_cannot_be_searched_now_is_done_without_as_long_as_another_answers(kernel):
    finders = Finders()

    async def work():
        async with finders(kernel) as ctx:
            await ctx.remember("needle one")
            finders.index.wrong = StorageError("out of reach")
            assert [h.memory.text for h in await ctx.recall("needle")] == ["needle one"]
            finders.index.wrong = IntegrityError("damaged")
            with pytest.raises(IntegrityError, match="damaged"):
                await ctx.recall("needle")
        async with finders(kernel, indexes=["last"]) as ctx:
            finders.index.wrong = StorageError("out of reach")
            with pytest.raises(StorageError, match="out of reach"):
                await ctx.recall("needle")

    run(work)


def test_without_a_ranker_the_greatest_score_of_any_index_decides(kernel):
    async def work():
        async with Finders()(kernel) as ctx:
            await ctx.remember("two words needle")
            await ctx.remember("other")
            hits = await ctx.recall("two needle", use=False)
            assert [(h.memory.text, h.score) for h in hits] == [("two words needle", 2.0), ("other", 1.0)]

    run(work)


FACTS = st.fixed_dictionaries(
    {
        "author": st.sampled_from(["", "ann", "bob"]),
        "kind": st.sampled_from(["semantic", "episodic"]),
        "tags": st.sampled_from([(), ("x",), ("x", "y")]),
        "thread": st.sampled_from(["", "t", "t2"]),
        "created_s": st.sampled_from([0.0, 100.0, 200.0]),
    }
)
FILTERS = st.builds(
    Filter,
    threads=st.sampled_from([None, frozenset({"t"}), frozenset()]),
    authors=st.sampled_from([None, frozenset({"ann"}), frozenset({"", "bob"})]),
    kinds=st.sampled_from([None, frozenset({"semantic"})]),
    tags=st.sampled_from([None, frozenset({"x"}), frozenset({"x", "y"})]),
    since_s=st.sampled_from([None, 150.0]),
    until_s=st.sampled_from([None, 150.0]),
)


@few
@given(many=st.lists(FACTS, max_size=40), filter=FILTERS, limit=st.integers(1, 5))
@example(many=[{"author": "ann", "kind": "episodic", "tags": (), "thread": "", "created_s": 0.0}] * 39 + [{"author": "ann", "kind": "semantic", "tags": ("x",), "thread": "t", "created_s": 100.0}], filter=Filter(tags=frozenset({"x"})), limit=1)  # fmt: skip
def test_a_filter_holds_whatever_the_indexes_apply_themselves(kernel, many, filter, limit):
    async def work():
        async with Finders()(kernel) as ctx:
            written = await ctx.remember_many([{"text": f"needle {n}", **facts} for n, facts in enumerate(many)])
            hits = await ctx.recall("needle", limit=limit, filter=filter, use=False)
            admitted = {memory.id for memory in written if filter.admits(memory)}
            assert {hit.memory.id for hit in hits} <= admitted
            assert len(hits) == min(limit, len(admitted))

    run(work)


def test_only_tiers_that_are_asked_for_answer(kernel):
    async def work():
        async with kernel() as ctx:
            await ctx.remember_many([{"text": f"needle {n}"} for n in range(30)])
            await ctx.consolidate()
            hits = await ctx.recall("needle", limit=4, tiers=["second"])
            assert [hit.tier for hit in hits] == ["second"] * 4

    run(work)


def test_what_is_expired_is_not_recalled(kernel):
    async def work():
        async with kernel() as ctx:
            await ctx.remember("needle of yesterday", expires_s=1.0)
            kept = await ctx.remember("needle of today", expires_s=9e9)
            assert [hit.memory.id for hit in await ctx.recall("needle")] == [kept.id]

    run(work)


def test_what_is_remembered_keeps_all_that_is_said_of_it(kernel):
    async def work():
        async with kernel() as ctx:
            (written,) = await ctx.remember_many(
                [lamina.Draft("needle \ud800", author="ann", thread="t", position=4, created_s=7.0, slot="needle")]
            )
            (hit,) = await ctx.recall("needle", use=False)
            assert hit.memory == written
            assert (written.text, written.author, written.thread) == ("needle \ufffd", "ann", "t")
            assert (written.position, written.created_s, written.slot) == (4, 7.0, "needle")

    run(work)


@pytest.mark.parametrize(
    ("draft", "told"),
    [
        ({"text": 1}, "text: must be text, not '1'"),
        ({}, "text: is missing"),
        ({"text": "x", "importance": 2}, "importance: must be a number, from 0 to 1, not '2'"),
        ({"text": "x", "tags": "ab"}, "tags: must be a list of texts, not 'ab'"),
        ({"text": "x", "tags": [1]}, r"tags\[0\]: must be text"),
        ({"text": "x", "kind": "odd"}, "kind: must be one of episodic"),
        ({"text": "x", "colour": "red"}, "colour: no such field; known: text"),
        ({"text": "x", "position": True}, "position: must be a whole number"),
        ({"text": "x", "created_s": "now"}, "created_s: must be a number"),
    ],
)
def test_what_cannot_be_remembered_is_refused_by_its_field_and_nothing_is_written(kernel, draft, told):
    async def work():
        async with kernel() as ctx:
            with pytest.raises(FormatError, match=told):
                await ctx.remember_many([{"text": "needle"}, draft])
            assert await ctx.recall("needle") == []

    run(work)


def test_a_recall_takes_in_a_bounded_piece_and_the_rest_follows_behind_it(kernel):
    async def work():
        storage, index = kernel.DictStorage(), kernel.WordIndex()
        async with kernel(storage=storage, index=index) as ctx:
            for name in ("a", "b"):
                session = await ctx.session(name)
                for n in range(20):
                    await session.add(lamina.user(f"needle {n} of {name}"))
        async with kernel({"memory": {"follow_pages": 6}}, storage=storage, index=index) as ctx:
            assert len(await ctx.recall("needle", limit=100)) == 6
            for _ in range(200):
                await asyncio.sleep(0)
            assert len(await ctx.recall("needle", limit=100)) == 40

    run(work)


def test_what_a_closed_context_left_is_taken_in_by_the_next_one(kernel):
    async def work():
        storage, index = kernel.DictStorage(), kernel.WordIndex()
        for turn in range(5):
            async with kernel({"memory": {"follow_pages": 3}}, storage=storage, index=index) as ctx:
                session = await ctx.session("s")
                if turn == 0:
                    await session.add(*(lamina.user(f"needle {n}") for n in range(12)))
                assert len(await ctx.recall("needle", limit=100)) >= min(12, 3 * (turn + 1))

    run(work)


def test_tiers_without_an_index_are_refused(kernel):
    with pytest.raises(ConfigError, match=r"memory\.indexes: \[\] find nothing of what the tiers hold; name one"):
        kernel({"memory": {"indexes": []}})
