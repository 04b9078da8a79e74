"""A consolidation reads what leaves and nothing else, and what a tier holds is known without reading it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.errors import ConflictError
from lamina.hookspecs import hookimpl
from lamina.protocols import Capacity, Placement

few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def run(work):
    return asyncio.run(work())


class Tiers:
    """Offers tiers by name, whose capacity and policy are given."""

    def __init__(self, kernel, **tiers):
        self.kernel, self.tiers = kernel, tiers

    @hookimpl
    def register_tier(self, register):
        for rank, (name, facts) in enumerate(self.tiers.items()):
            register(name, self._opener(rank, facts), self.kernel.NoSettings)

    def _opener(self, rank, facts):
        class Tier:
            policy = facts.get("policy", "last use")
            capacity = Capacity(facts.get("records"), facts.get("tokens"))

            def place(self, request):
                memory = request.memory
                key = memory.used_s if self.policy == "last use" else -memory.used_s
                due_s = facts["due_s"] if "due_s" in facts and "due" in memory.tags else None
                return Placement(key, due_s, request.uses >= facts.get("rise", 99))

        tier = Tier()
        tier.rank = rank

        @asynccontextmanager
        async def opened(settings, host):
            tier.storage = facts.get("storage") or await host.open("storage", "plain")
            yield tier

        return opened

    def __call__(self, **parts):
        return self.kernel({"memory": {"tiers": list(self.tiers)}}, self, **parts)


class Watched:
    """A class of storages that count the records that they give."""

    @staticmethod
    def of(kernel):
        class WatchedStorage(kernel.DictStorage):
            given = 0

            async def get(self, request):
                found = await super().get(request)
                self.given += sum(record is not None for record in found)
                return found

            async def scan(self, request):
                found = await super().scan(request)
                self.given += len(found)
                return found

        return WatchedStorage()


async def filled(ctx, many, **facts):
    await ctx.remember_many([{"text": f"fact{n} about things", **facts} for n in range(many)])


def test_what_stays_is_not_read(kernel):
    async def given(many):
        storage = Watched.of(kernel)
        async with Tiers(kernel, low={"records": many}, high={})(storage=storage) as ctx:
            await filled(ctx, many + 7)
            storage.given = 0
            assert len((await ctx.consolidate()).demoted) == 7
            return storage.given

    async def work():
        # The lowest are looked at a batch at a time, so the batch is the bound.
        assert await given(6000) - await given(600) <= 2 * 500

    run(work)


def test_each_memory_sinks_by_one_move_to_the_tier_that_keeps_it(kernel):
    async def work():
        async with Tiers(kernel, a={"records": 5}, b={"records": 10}, c={"records": 20}, d={})() as ctx:
            await filled(ctx, 1200)
            moved = await ctx.consolidate()
            assert len({id for id, _, _ in moved.demoted}) == len(moved.demoted) == 1195
            assert await ctx.tier_counts() == {"a": 5, "b": 10, "c": 20, "d": 1165}
            assert (await ctx.consolidate()).demoted == ()

    run(work)


def test_a_capacity_in_tokens_is_kept(kernel):
    async def work():
        async with Tiers(kernel, a={"tokens": 50}, b={})() as ctx:
            await ctx.remember_many([{"text": "word " * n} for n in range(1, 30)])
            await ctx.consolidate()
            hits = await ctx.recall("word", limit=99, tiers=["a"])
            assert 20 < sum(len(hit.memory.text.split()) for hit in hits) <= 50

    run(work)


def test_what_is_due_goes_down_whatever_room_there_is(kernel):
    async def work():
        async with Tiers(kernel, a={"due_s": 1.0}, b={"due_s": 1.0}, c={"due_s": 1.0})() as ctx:
            await filled(ctx, 3)
            due = await ctx.remember("fact that is due", tags=["due"])
            assert (await ctx.consolidate()).demoted == ((due.id, "a", "c"),)

    run(work)


def test_what_is_used_often_goes_up_one_tier_at_a_time(kernel):
    async def work():
        async with Tiers(kernel, a={"records": 9}, b={"rise": 1, "records": 1}, c={"rise": 2})() as ctx:
            for n in range(20):
                await ctx.remember(f"fact{n} about things")
            await ctx.consolidate()
            lowest = await ctx.recall("fact0", limit=1)
            assert lowest[0].tier == "c"
            await ctx.recall("fact0", limit=1)
            (up,) = (await ctx.consolidate()).promoted
            assert up == (lowest[0].memory.id, "c", "b")
            assert (await ctx.recall("fact0", limit=1))[0].tier == "b"
            assert (lowest[0].memory.id, "b", "a") in (await ctx.consolidate()).promoted

    run(work)


def test_another_policy_places_everything_anew(kernel):
    storage, index = kernel.DictStorage(), kernel.WordIndex()

    async def lowest(policy):
        async with Tiers(kernel, a={"records": 1100, "policy": policy}, b={})(storage=storage, index=index) as ctx:
            before = (await ctx.tier_counts())["b"]
            for n in range(1100 if before == 0 else 1):
                await ctx.remember(f"fact{before}{n:04} about things")
            await ctx.remember(f"fact{before}last about things")
            gone = {id for id, _, _ in (await ctx.consolidate()).demoted}
            hits = await ctx.recall("about", limit=2000, use=False)
            return {hit.memory.text.split()[0] for hit in hits if hit.memory.id in gone}

    async def work():
        assert await lowest("last use") == {"fact00000"}
        assert await lowest("first use, last out") == {"fact10000", "fact1last"}

    run(work)


STEPS = st.lists(st.sampled_from(["remember", "remember", "recall", "consolidate", "two", "reopen"]), max_size=14)


@few
@given(steps=STEPS, far=st.booleans())
def test_what_the_tiers_hold_is_always_what_is_counted(kernel, steps, far):
    async def work():
        near, index = kernel.DictStorage(), kernel.WordIndex()
        other = kernel.DictStorage() if far else None
        tiers = Tiers(kernel, a={"records": 2}, b={"records": 2, "rise": 1, "storage": other}, c={"rise": 2})

        def opened():
            return tiers(storage=near, index=index)

        async def act(ctx, step, n):
            match step:
                case "remember" | "two":
                    await ctx.remember_many([{"text": f"fact{n}"}, {"text": f"fact{n} again"}][: 1 + (step == "two")])
                case "recall":
                    await ctx.recall("fact1", limit=2)
                case "consolidate":
                    await ctx.consolidate()

        async with opened() as one, opened() as two:
            for n, step in enumerate(steps):
                if step == "reopen":
                    async with opened() as third:
                        await act(third, "remember", n)
                else:
                    await act((one, two)[n % 2], step, n)
            counted = {}
            for name, storage in (("a", near), ("b", other or near), ("c", near)):
                keys = [key for key in storage.data if key.startswith(f"mem/{name}/")]
                counted[name] = sum(key.startswith(f"mem/{name}/r/") for key in keys)
                assert sum(key.startswith(f"mem/{name}/o/") for key in keys) == counted[name]
            assert await one.tier_counts() == await two.tier_counts() == counted

    run(work)


def test_writers_at_once_neither_wait_for_each_other_nor_miscount(kernel):
    class Slow(kernel.DictStorage):
        writers, most = 0, 0

        async def commit(self, request):
            Slow.writers += 1
            Slow.most = max(Slow.most, Slow.writers)
            await asyncio.sleep(0.001)
            try:
                return await super().commit(request)
            finally:
                Slow.writers -= 1

    async def work():
        async with kernel(storage=Slow()) as ctx:
            await ctx.remember("first")
            await asyncio.gather(*(ctx.remember(f"fact{n}") for n in range(40)))
            assert Slow.most == 40
            assert (await ctx.tier_counts())["first"] == 41

    run(work)


def test_a_conflict_over_a_record_is_told_and_nothing_is_counted(kernel):
    class Refusing(kernel.DictStorage):
        refuse = False

        async def commit(self, request):
            if self.refuse and any("/r/" in key for key in request.puts):
                raise ConflictError([key for key in request.puts if "/r/" in key])
            return await super().commit(request)

    storage = Refusing()

    async def work():
        async with kernel(storage=storage) as ctx:
            await ctx.remember("first")
            storage.refuse = True
            with pytest.raises(ConflictError):
                await ctx.remember("second")
            storage.refuse = False
            await ctx.remember("third")
            assert (await ctx.tier_counts())["first"] == 2

    run(work)
