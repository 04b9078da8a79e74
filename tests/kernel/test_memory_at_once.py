"""Memories that others change, delete and move at the same moment: nothing comes back, nothing is lost."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

import lamina
from lamina.hookspecs import hookimpl


def run(work):
    return asyncio.run(work())


def storages(kernel, count):
    """Storages that share one counter of commits and do something before one of them."""

    class Meddled(kernel.DictStorage):
        meddle, before, commits = None, None, 0

        async def commit(self, request):
            Meddled.commits += 1
            if Meddled.commits == Meddled.before:
                await Meddled.meddle()
            return await super().commit(request)

    return Meddled, [Meddled() for _ in range(count)]


class LowTiers:
    """Offers two tiers below the first: one that shares its storage or not."""

    def __init__(self, kernel, storage):
        self.kernel, self.storage = kernel, storage

    @hookimpl
    def register_tier(self, register):
        def opener(rank):
            @asynccontextmanager
            async def opened(settings, host):
                yield self.kernel.SmallTier(rank, self.storage or await host.open("storage", "plain"), capacity=3)

            return opened

        register("low", opener(7), self.kernel.NoSettings)
        register("lower", opener(8), self.kernel.NoSettings)


LAYOUTS = pytest.mark.parametrize("own_storage", [False, True])
TIERS = {"memory": {"tiers": ["first", "low", "lower"]}}


def world(kernel, own_storage):
    """A meddled class of storages, and something that opens contexts over the same data."""
    meddled, (near, far) = storages(kernel, 2)
    index = kernel.WordIndex()
    low = LowTiers(kernel, far if own_storage else None)

    def opened():
        return kernel(TIERS, low, storage=near, index=index)

    return meddled, (near, far), opened


def places(stores, id):
    """The tiers that hold a memory."""
    return [key.split("/")[1] for store in stores for key in store.data if key.endswith(f"/r/{id}")]


async def scenario(ctx):
    """Talk, recall, consolidate, until memories have sunk and come up; gives how often something was committed."""
    for n in range(9):
        await ctx.remember(f"fact{n} of many")
    await ctx.consolidate()
    for n in (0, 1, 2):
        await ctx.recall(f"fact{n}")
        await ctx.recall(f"fact{n}")
    await ctx.consolidate()
    await ctx.consolidate()


async def length(opened, meddled):
    async with opened() as ctx:
        await scenario(ctx)
    return meddled.commits


@LAYOUTS
def test_a_deleted_memory_stays_deleted_whatever_is_done_at_that_moment(kernel, own_storage):
    async def at(before, fact):
        meddled, stores, opened = world(kernel, own_storage)
        victims = []

        async def delete():
            async with opened() as looking:
                victims.extend(h.memory.id for h in await looking.recall(fact, use=False))
            for store in stores:
                for key in [k for k in store.data if k.rpartition("/r/")[2] in victims]:
                    del store.data[key]

        meddled.meddle, meddled.before = delete, before
        async with opened() as ctx:
            await scenario(ctx)
            assert {h.memory.id for h in await ctx.recall("many", limit=50)}.isdisjoint(victims)
        assert [places(stores, victim) for victim in victims] == [[] for _ in victims]
        return bool(victims)

    async def work():
        meddled, _, opened = world(kernel, own_storage)
        commits = await length(opened, meddled)
        struck = [await at(before, fact) for before in range(1, commits + 1) for fact in ("fact0", "fact8")]
        assert sum(struck) > commits

    run(work)


@LAYOUTS
def test_nothing_is_lost_where_two_consolidate_and_recall_at_once(kernel, own_storage):
    async def at(before):
        meddled, stores, opened = world(kernel, own_storage)
        async with opened() as one, opened() as two:

            async def other():
                await two.recall("fact1")
                await two.recall("fact8")
                await two.consolidate()

            meddled.meddle, meddled.before = other, before
            await scenario(one)
            hits = await one.recall("many", limit=50, use=False)
            assert sorted(h.memory.text for h in hits) == [f"fact{n} of many" for n in range(9)]
            assert all(len(places(stores, h.memory.id)) == 1 for h in hits)

    async def work():
        meddled, _, opened = world(kernel, own_storage)
        for before in range(1, await length(opened, meddled) + 1):
            await at(before)

    run(work)


def test_uses_that_are_counted_at_once_are_all_counted(kernel):
    meddled, (storage,) = storages(kernel, 1)
    index = kernel.WordIndex()

    async def work():
        async with kernel(storage=storage, index=index) as one, kernel(storage=storage, index=index) as two:
            await (await one.session("s")).add(lamina.user("the needle"))
            await one.recall("needle", use=False)

            async def other():
                await two.recall("needle")

            meddled.meddle, meddled.before = other, meddled.commits + 1
            await one.recall("needle")
            assert [h.memory.uses for h in await one.recall("needle", use=False)] == [2]

    run(work)
