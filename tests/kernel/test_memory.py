"""Memories follow the log, move between tiers, and are recalled from wherever they are."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

import lamina
from lamina.errors import ConfigError, IntegrityError, StorageError
from lamina.hookspecs import hookimpl
from lamina.protocols import CounterInfo


def run(work):
    return asyncio.run(work())


def test_what_was_said_is_recalled_with_its_page_and_tier(kernel):
    async def work():
        async with kernel() as ctx:
            s = await ctx.session("s")
            await s.add(lamina.system("the rules"), lamina.user("we chose port 8417"), lamina.assistant("fine"))
            hits = await ctx.recall("which port")
            assert [(h.session, h.page, h.tier, h.memory.text) for h in hits] == [
                ("s", 2, "first", "we chose port 8417")
            ]
            assert hits[0].memory.provenance == ("s#2",)
            assert await ctx.recall("rules") == []
            assert await ctx.recall("port", session="other") == []
            assert await ctx.recall("port", limit=0) == []

    run(work)


@pytest.mark.parametrize("other", ["a#b", "a#1", "a#", "a b", "a%23b"])
def test_the_pages_of_one_session_are_recalled_however_another_is_called(kernel, other):
    async def work():
        async with kernel() as ctx:
            await (await ctx.session("a")).add(lamina.user("a plain needle"))
            await (await ctx.session(other)).add(*(lamina.user(f"needle in the other {n}") for n in range(9)))
            assert [h.session for h in await ctx.recall("needle in the other", session="a", limit=2)] == ["a"]
            assert {h.session for h in await ctx.recall("needle", session=other)} == {other}

    run(work)


def test_a_result_that_comes_after_a_recall_is_found_too(kernel):
    async def work():
        async with kernel() as ctx:
            s = await ctx.session("s")
            await s.add(lamina.user("go"), lamina.assistant("", lamina.ToolCall("c", "read", "{}")))
            assert await ctx.recall("needle") == []
            await s.add(lamina.tool_result("c", "the needle is here"))
            assert [h.page for h in await ctx.recall("needle")] == [2]

    run(work)


def test_capacity_demotes_use_promotes_and_all_tiers_are_recalled(kernel):
    async def work():
        async with kernel() as ctx:
            s = await ctx.session("s")
            for i in range(12):
                await s.add(lamina.user(f"fact{i} about things"))
            await ctx.recall("fact11")
            moved = await ctx.consolidate()
            counts = await ctx.tier_counts()
            assert counts == {"first": 5, "second": 5, "third": 2}
            assert len({m for m, _, _ in moved.demoted}) == 7
            where, low = {}, None
            for i in range(12):
                (hit,) = await ctx.recall(f"fact{i}")
                where[hit.tier] = where.get(hit.tier, 0) + 1
                low = i if hit.tier == "third" else low
            assert where == counts
            # Recalled twice: what sank comes up again.
            await ctx.recall(f"fact{low}")
            moved = await ctx.consolidate()
            assert (f"s#{low + 1}", "third", "second") in moved.promoted
            assert (await ctx.recall(f"fact{low}"))[0].tier in ("first", "second")

    run(work)


def test_what_is_remembered_outlives_the_context(kernel):
    storage, index = kernel.DictStorage(), kernel.WordIndex()

    async def work():
        async with kernel(storage=storage, index=index) as ctx:
            memory = await ctx.remember("deploy on Fridays never", kind="procedural", tags=("ops",), importance=0.9)
        async with kernel(storage=storage, index=index) as ctx:
            (hit,) = await ctx.recall("deploy")
            assert (hit.memory.id, hit.memory.kind, hit.memory.tags) == (memory.id, "procedural", ("ops",))
            assert hit.memory.uses == 0
            assert (await ctx.recall("deploy"))[0].memory.uses == 1

    run(work)


def test_a_memory_that_an_earlier_release_wrote_is_read_and_a_newer_ones_is_refused(kernel):
    storage, index = kernel.DictStorage(), kernel.WordIndex()
    fields = {
        "id": "m-1", "text": "a needle", "kind": "semantic", "tags": ["ops"], "importance": 0.5,
        "created_s": 1.0, "used_s": 2.0, "uses": 3, "provenance": [], "revision": 1,
    }  # fmt: skip

    async def work():
        storage.data["mem/first/r/m-1"] = (msgspec.msgpack.encode([1, fields, None, None, []]), 1)
        async with kernel(storage=storage, index=index) as ctx:
            (hit,) = await ctx.recall("needle")
            assert (hit.memory.text, hit.memory.tags, hit.memory.uses) == ("a needle", ("ops",), 3)
        storage.data["mem/first/r/m-1"] = (msgspec.msgpack.encode([99, "quite", "another"]), 99)
        async with kernel(storage=storage, index=index) as ctx:
            with pytest.raises(IntegrityError, match="newer lamina"):
                await ctx.recall("needle")

    run(work)


def test_a_dropped_index_is_filled_anew(kernel):
    storage = kernel.DictStorage()

    async def work():
        async with kernel(storage=storage, index=kernel.WordIndex("one")) as ctx:
            await (await ctx.session("s")).add(lamina.user("the needle"))
            await ctx.remember("another needle")
            assert len(await ctx.recall("needle")) == 2
        async with kernel(storage=storage, index=kernel.WordIndex("two")) as ctx:
            assert len(await ctx.recall("needle")) == 2

    run(work)


class Power(BaseException):
    """The process ends here."""


class FailingIndex:
    """Fails at its next update, for want of power unless told otherwise."""

    filters = frozenset()

    def __init__(self, index, fail=Power):
        self.index, self.generation, self.fail = index, index.generation, fail

    async def update(self, request):
        if self.fail:
            raise self.fail("no update")
        await self.index.update(request)

    async def search(self, request):
        return await self.index.search(request)


def test_a_crash_between_tier_and_index_is_made_good(kernel):
    storage, index = kernel.DictStorage(), kernel.WordIndex()

    async def work():
        async with kernel(storage=storage, index=FailingIndex(index)) as ctx:
            await (await ctx.session("s")).add(lamina.user("the needle"))
            with pytest.raises(Power):
                await ctx.recall("needle")
        async with kernel(storage=storage, index=index) as ctx:
            assert [h.page for h in await ctx.recall("needle")] == [1]

    run(work)


def test_what_was_remembered_while_the_index_was_held_is_answered_as_done_and_recalled_later(kernel, capsys):
    failing = FailingIndex(kernel.WordIndex(), OSError)

    async def work():
        async with kernel(index=failing) as ctx:
            s = await ctx.session("s")
            await s.add(lamina.user("said needle"))
            memory = await ctx.remember("a needle")
            assert await ctx.recall("needle") == []
            assert (await ctx.tier_counts())["first"] == 2
            failing.fail = None
            assert {h.memory.id for h in await ctx.recall("needle")} == {memory.id, "s#1"}
            assert (await ctx.tier_counts())["first"] == 2

    run(work)
    assert "the index 'plain' could not be updated" in capsys.readouterr().err


@pytest.mark.parametrize("refused", [StorageError("held by another process"), OSError("no space left")])
def test_a_recall_and_a_window_are_answered_where_uses_cannot_be_counted(kernel, capsys, refused):
    class Full(kernel.DictStorage):
        full = False

        async def commit(self, request):
            if self.full:
                raise refused
            return await super().commit(request)

    storage = Full()

    async def work():
        async with kernel({"window": {"recall_share": 0.5}}, storage=storage) as ctx:
            s = await ctx.session("s")
            await s.add(lamina.user("short"))
            await ctx.remember("a needle")
            await ctx.recall("short")
            storage.full = True
            assert [h.memory.text for h in await ctx.recall("needle")] == ["a needle"]
            assert "a needle" in (await s.window(200, query="needle")).tail[0].text
            storage.full = False
            assert await uses(ctx, "needle") == {(await ctx.recall("needle"))[0].memory.id: 0}

    run(work)
    assert "uses of memories could not be counted" in capsys.readouterr().err


def test_a_recall_is_answered_from_what_is_known_where_nothing_can_be_taken_in(kernel, capsys):
    class Locked(kernel.DictStorage):
        locked = False

        async def commit(self, request):
            if self.locked and any(key.startswith("mem/") for key in request.puts):
                raise StorageError("held by another process")
            return await super().commit(request)

    storage = Locked()

    async def work():
        async with kernel(storage=storage) as ctx:
            await ctx.remember("a needle")
            await ctx.recall("needle")
            storage.locked = True
            await (await ctx.session("s")).add(lamina.user("said needle"))
            assert len(await ctx.recall("needle")) == 1
            with pytest.raises(StorageError, match="held"):
                await ctx.remember("another needle")
            storage.locked = False
            assert len(await ctx.recall("needle")) == 2

    run(work)
    assert "what sessions said last is not recalled yet" in capsys.readouterr().err


def test_a_crash_and_a_demotion_by_another_process_are_made_good_in_the_shared_index(kernel):
    storage, index = kernel.DictStorage(), kernel.WordIndex()

    async def work():
        async with kernel(storage=storage, index=index) as other:
            await other.recall("anything")  # its indexes are in step: it reads no notes any more
            async with kernel(storage=storage, index=FailingIndex(index)) as ctx:
                with pytest.raises(Power):
                    await ctx.remember("a needle")
            for n in range(5):
                await other.remember(f"fact{n}")
            assert (await other.consolidate()).demoted
        for _ in range(2):
            async with kernel(storage=storage, index=index) as ctx:
                assert [h.tier for h in await ctx.recall("needle")] == ["second"]

    run(work)


def test_rolled_back_pages_are_not_recalled(kernel):
    async def work():
        async with kernel() as ctx:
            s = await ctx.session("s")
            await s.add(lamina.user("keep this needle"))
            await s.checkpoint("x")
            await s.add(lamina.user("void this needle"), lamina.user("more"))
            assert len(await ctx.recall("needle")) == 2
            await s.rollback("x")
            assert [h.page for h in await ctx.recall("needle")] == [1]
            await s.add(lamina.user("a new needle"))
            assert [h.page for h in await ctx.recall("needle")] == [1, 4]

    run(work)


def test_the_query_brings_what_is_not_resident_into_a_bounded_tail(kernel):
    async def work():
        async with kernel({"window": {"recall_share": 0.5}}) as ctx:
            s = await ctx.session("s")
            await s.add(lamina.user("the needle is in bay seven " + "hay " * 20))
            for i in range(8):
                await s.add(lamina.user(f"straw{i} " * 25))
            plain = await s.window(200)
            window = await s.window(200, query="needle")
            assert window.tokens <= 200
            assert window.prefix == plain.prefix
            (tail,) = window.tail
            assert tail.role == "user"
            assert "needle is in bay seven" in tail.text
            assert "s page 1" in tail.text
            assert "no instructions" in tail.text
            assert [(r.first, r.rendition) for r in window.ledger.rows if r.rendition == "recalled"] == [
                (1, "recalled")
            ]
            # What is recalled is never logged as something said.
            assert len(s.pages) == 9
            newest = await s.window(200, query="straw7")
            assert all("straw7" not in m.text for m in newest.tail)

    run(work)


class CharacterCounter:
    """A token is four characters, spaces too."""

    info = CounterInfo(exact=True, bound=1.0, fingerprint="characters")

    def count(self, request):
        return [(len(text) + 3) // 4 for text in request.texts]


def test_a_memory_of_many_lines_is_cut_to_the_room_and_not_left_out(kernel):
    async def work():
        async with kernel({"window": {"recall_share": 0.5}}, counter=CharacterCounter()) as ctx:
            await ctx.remember("needle\n" + "hay\n" * 500)
            s = await ctx.session("s")
            await s.add(lamina.user("which bay?"))
            window = await s.window(1000, query="needle")
            assert window.tokens <= 1000
            (tail,) = window.tail
            assert tail.text.count("\n hay") > 50

    run(work)


async def uses(ctx, query):
    """How often each memory that the query finds was used, by id; looking does not count."""
    return {hit.memory.id: hit.memory.uses for hit in await ctx.recall(query, limit=100, use=False)}


def test_a_page_that_grows_keeps_what_is_known_of_its_use(kernel):
    async def work():
        async with kernel() as ctx:
            s = await ctx.session("s")
            calls = [lamina.ToolCall(f"c{n}", "read", "{}") for n in range(3)]
            await s.add(lamina.user("go"), lamina.assistant("a needle", *calls))
            for n in range(3):
                assert len(await ctx.recall("needle")) == 1
                await s.add(lamina.tool_result(f"c{n}", f"result{n}"))
                assert await uses(ctx, "needle") == {"s#2": n + 1}
                assert await uses(ctx, f"result{n}") == {"s#2": n + 1}

    run(work)


def test_a_window_uses_what_stands_in_its_tail_and_nothing_else(kernel):
    async def work():
        async with kernel({"window": {"recall_share": 0.5, "recall_limit": 2}}) as ctx:
            s = await ctx.session("s")
            for n in range(8):
                await s.add(lamina.user(f"needle{n} needle " + "hay " * 25))
            window = await s.window(150, query="needle")
            shown = {f"s#{row.first}" for row in window.ledger.rows if row.rendition == "recalled"}
            assert 0 < len(shown) <= 2
            assert {id for id, n in (await uses(ctx, "needle")).items() if n} == shown
            await s.window(10_000, query="needle")  # all of it resident, so nothing is recalled
            assert sum((await uses(ctx, "needle")).values()) == len(shown)

    run(work)


def test_looking_is_not_using_until_it_is_said_to_be(kernel):
    async def work():
        async with kernel() as ctx:
            await ctx.remember("a needle")
            await ctx.remember("a second needle")
            hits = await ctx.recall("needle", use=False)
            assert set((await uses(ctx, "needle")).values()) == {0}
            await ctx.mark_used(hits[:1])
            assert await uses(ctx, "needle") == {hits[0].memory.id: 1, hits[1].memory.id: 0}

    run(work)


def test_without_tiers_the_log_alone_works(kernel):
    async def work():
        async with kernel({"memory": {"tiers": []}}) as ctx:
            await (await ctx.session("s")).add(lamina.user("x"))
            assert await ctx.recall("x") == []
            with pytest.raises(ConfigError, match=r"memory\.tiers: empty"):
                await ctx.remember("x")
            assert (await ctx.consolidate()).demoted == ()

    run(work)


def test_observers_are_told_and_a_broken_one_disturbs_nobody(kernel, capsys):
    told = []

    class Observer:
        @hookimpl
        def memory_written(self, memory, tier):
            told.append(("memory", memory.id, tier))

        @hookimpl
        def pages_paged_out(self, session, pages):
            told.append(("out", session, pages))

        @hookimpl
        def page_faulted(self, page):
            told.append(("fault", page))

        @hookimpl
        def window_compacted(self, window):
            raise RuntimeError("observer")

    async def work():
        async with kernel({}, Observer()) as ctx:
            s = await ctx.session("s")
            await s.add(*(lamina.user("word " * 30) for _ in range(5)))
            await s.window(100)
            await s.expand(1)
            await ctx.consolidate()

    run(work)
    assert ("out", "s", ((1, 4),)) in told
    assert ("fault", 1) in told
    assert ("memory", "s#1", "first") in told
    assert "observer failed" in capsys.readouterr().err


def test_what_another_process_said_is_recalled_too(kernel):
    from lamina.protocols import Capability

    storage, index = kernel.DictStorage(), kernel.WordIndex()
    storage.capabilities = frozenset({Capability.SHARED})

    async def work():
        async with kernel(storage=storage, index=index) as one, kernel(storage=storage, index=index) as two:
            mine = await one.session("s")
            await mine.add(lamina.user("first needle"))
            assert len(await two.recall("needle")) == 1
            await mine.add(lamina.user("second needle"))
            assert len(await two.recall("needle")) == 2
            await (await two.session("s")).add(lamina.user("third needle"))
            assert len(await one.recall("needle")) == 3

    run(work)
