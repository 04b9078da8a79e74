"""What consolidators say is written down, is taken back, survives a crash; what is known is not remembered again."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lamina
from lamina import Filter
from lamina.errors import ContractError, UnknownMemoryError
from lamina.hookspecs import hookimpl
from lamina.protocols import Superseded

few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def run(work):
    return asyncio.run(work())


class Power(BaseException):
    """The process ends here."""


class SameWord:
    """Of memories whose first word is the same the newest stands; ``again`` merges, ``now`` corrects."""

    def __init__(self):
        self.newest, self.shown, self.fail = {}, [], None

    async def consolidate(self, request):
        out = []
        for memory in request.memories:
            self.shown.append(memory.text)
            word = memory.text.split()[0]
            before = self.newest.get(word)
            if before in await request.read([before or ""]) and before != memory.id:
                out.append(Superseded(before, memory.id, f"newer {word}", merge="again" in memory.text))
            self.newest[word] = memory.id
        if self.fail:
            raise self.fail
        return out


class Tidied:
    def __init__(self, kernel, *parts):
        self.kernel, self.parts = kernel, parts
        self.stores = {"storage": kernel.DictStorage(), "index": kernel.WordIndex()}

    @hookimpl
    def register_consolidator(self, register):
        for n, part in enumerate(self.parts):
            register(f"c{n}", self._of(part), self.kernel.NoSettings)

    def _of(self, part):
        @asynccontextmanager
        async def opener(settings, host):
            yield part

        return opener

    def __call__(self):
        names = [f"c{n}" for n in range(len(self.parts))]
        return self.kernel({"memory": {"consolidators": names}}, self, **self.stores)


async def texts(ctx, **more):
    return {hit.memory.text async for hit in ctx.memories(**more)}


def test_what_is_superseded_is_recalled_no_more_and_stays_readable(kernel):
    async def work():
        async with Tidied(kernel, SameWord())() as ctx:
            old = await ctx.remember("city Berlin")
            new = await ctx.remember("city Hamburg now")
            moved = await ctx.consolidate()
            assert moved.superseded == ((old.id, new.id, "newer city"),)
            assert [h.memory.id for h in await ctx.recall("city")] == [new.id]
            assert await texts(ctx) == {"city Hamburg now"}
            assert await texts(ctx, superseded=True) == {"city Berlin", "city Hamburg now"}
            assert (await ctx.consolidate()).superseded == ()

    run(work)


def test_what_is_merged_gives_its_uses_and_provenance(kernel):
    async def work():
        async with Tidied(kernel, SameWord())() as ctx:
            old = await ctx.remember("city Berlin", provenance=["s#1"], importance=0.9)
            await ctx.recall("Berlin")
            new = await ctx.remember("city Berlin again")
            await ctx.consolidate()
            (hit,) = await ctx.recall("city", use=False)
            assert (hit.memory.id, hit.memory.uses, hit.memory.importance) == (new.id, 1, 0.9)
            assert hit.memory.provenance == (old.id, "s#1")

    run(work)


def test_a_consolidation_is_taken_back_whole(kernel):
    async def work():
        async with Tidied(kernel, SameWord())() as ctx:
            for text in ("city Berlin", "food rice", "city Berlin again", "food bread now"):
                await ctx.remember(text)
            before = await texts(ctx)
            first = await ctx.consolidate()
            await ctx.remember("city Hamburg now")
            second = await ctx.consolidate()
            assert (len(first.superseded), len(second.superseded)) == (2, 1)
            assert len(await ctx.undo()) == 1
            assert len(await ctx.undo(first.run)) == 2
            assert await texts(ctx) == before | {"city Hamburg now"}
            assert {h.memory.text for h in await ctx.recall("city", use=False)} == {
                "city Berlin",
                "city Berlin again",
                "city Hamburg now",
            }
            assert [hit.memory.provenance async for hit in ctx.memories()] == [()] * 5
            assert await ctx.undo() == []
            with pytest.raises(UnknownMemoryError, match="no consolidation to take back: 'gone'"):
                await ctx.undo("gone")

    run(work)


def test_each_memory_is_looked_at_once_and_again_after_it_changed(kernel):
    async def work():
        part = SameWord()
        async with Tidied(kernel, part)() as ctx:
            s = await ctx.session("s")
            await s.add(lamina.user("first of all"), lamina.assistant("go", lamina.ToolCall("c", "read", "{}")))
            await ctx.consolidate()
            await ctx.recall("first")
            await ctx.consolidate()
            assert sorted(part.shown) == ["first of all", "go\nread {}"]
            await s.add(lamina.tool_result("c", "late"))
            await ctx.consolidate()
            assert part.shown[2:] == ["go\nread {}\nlate"]

    run(work)


def test_a_crash_loses_nothing_and_the_next_call_goes_on(kernel):
    async def work():
        part = SameWord()
        tidied = Tidied(kernel, part)
        async with tidied() as ctx:
            await ctx.remember_many([{"text": f"w{n % 150} number {n}"} for n in range(300)])
            part.fail = Power()
            with pytest.raises(Power):
                await ctx.consolidate()
        part.fail = None
        async with tidied() as ctx:
            assert len(await texts(ctx)) == 300
            await ctx.consolidate()
            assert len(await texts(ctx)) == 150
            assert len(await texts(ctx, superseded=True)) == 300

    run(work)


def test_consolidators_follow_each_other(kernel):
    class Last:
        shown = ()

        async def consolidate(self, request):
            self.shown = [memory.text for memory in request.memories]
            return []

    async def work():
        last = Last()
        async with Tidied(kernel, SameWord(), last)() as ctx:
            await ctx.remember("city Berlin")
            await ctx.remember("city Hamburg now")
            await ctx.consolidate()
            assert last.shown == ["city Hamburg now"]

    run(work)


def test_a_memory_cannot_supersede_itself(kernel):
    class Selfish:
        async def consolidate(self, request):
            return [Superseded(request.memories[0].id, request.memories[0].id, "why not")]

    async def work():
        async with Tidied(kernel, Selfish())() as ctx:
            await ctx.remember("city Berlin")
            with pytest.raises(ContractError, match="c0"):
                await ctx.consolidate()
            assert await texts(ctx) == {"city Berlin"}

    run(work)


def test_what_is_forgotten_is_found_nowhere_and_can_be_remembered_anew(kernel):
    async def work():
        async with kernel() as ctx:
            memories = await ctx.remember_many([{"text": f"needle {n}"} for n in range(9)])
            await ctx.consolidate()
            gone = [memory.id for memory in memories[:7]]
            assert sorted(await ctx.forget(*gone, "never there")) == sorted(gone)
            assert {h.memory.id for h in await ctx.recall("needle")} == {memory.id for memory in memories[7:]}
            assert sum((await ctx.tier_counts()).values()) == 2
            assert await ctx.forget(*gone) == []
            assert (await ctx.remember("needle 0")).id != gone[0]

    run(work)


def test_what_is_forgotten_has_no_copy_that_could_come_back(kernel):
    """As a crash leaves one, in the lower of two tiers between which it was moved."""
    storage = kernel.DictStorage()

    async def work():
        async with kernel(storage=storage) as ctx:
            memory = await ctx.remember("a needle")
            storage.data[f"mem/second/r/{memory.id}"] = storage.data[f"mem/first/r/{memory.id}"]
            assert await ctx.forget(memory.id) == [memory.id]
        async with kernel(storage=storage, index=kernel.WordIndex("another")) as ctx:
            assert await ctx.recall("needle") == []

    run(work)


def test_what_was_recalled_is_no_news_from_the_same_mouth_only(kernel):
    async def work():
        async with kernel() as ctx:
            session = await ctx.session("s")
            await session.add(lamina.user("the needle is lost"))
            (hit,) = await ctx.recall("needle")
            assert (await ctx.remember(hit.memory.text)).id == hit.memory.id
            for facts in ({"author": "ann"}, {"thread": "t"}, {"slot": "needle"}):
                assert (await ctx.remember(hit.memory.text, **facts)).id != hit.memory.id

    run(work)


def test_what_is_remembered_already_is_given_and_not_written_again(kernel):
    async def work():
        async with kernel() as ctx:
            first = await ctx.remember("The port is 8417.")
            assert (await ctx.remember(" the PORT  is 8417.")).id == first.id
            assert (await ctx.remember("The port is 8417.", author="ann")).id != first.id
            both = await ctx.remember_many([{"text": "twice"}, {"text": "twice"}, {"text": "The port is 8417."}])
            assert both[0] == both[1]
            assert both[2] == first
            assert sum((await ctx.tier_counts()).values()) == 3

    run(work)


@few
@given(rounds=st.lists(st.tuples(st.sampled_from(["needle", "hay", "bay"]), st.integers(1, 3)), max_size=30))
def test_recalling_and_remembering_what_was_recalled_does_not_grow_the_store(kernel, rounds):
    async def work():
        async with kernel() as ctx:
            session = await ctx.session("s")
            await session.add(*(lamina.user(f"needle {n} in the hay") for n in range(4)))
            await ctx.remember_many([{"text": f"bay {n} has a needle"} for n in range(4)])
            before = sum((await ctx.tier_counts()).values())
            for query, limit in rounds:
                for hit in await ctx.recall(query, limit=limit):
                    assert (await ctx.remember(hit.memory.text)).id == hit.memory.id
            assert sum((await ctx.tier_counts()).values()) == before

    run(work)


def test_memories_are_browsed_by_filter_and_tier(kernel):
    async def work():
        async with kernel() as ctx:
            await ctx.remember_many([{"text": f"needle {n}", "tags": ["odd"] if n % 2 else []} for n in range(12)])
            await ctx.consolidate()
            assert len(await texts(ctx, filter=Filter(tags=frozenset({"odd"})))) == 6
            assert len(await texts(ctx, tiers=["first"])) == 5

    run(work)
