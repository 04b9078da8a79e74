"""Tiers together: each keeps its contract alone, and here several of them come to rest and lose nothing."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import lamina

CALLS = 5
"""After so many consolidations in a row nothing may move any more: one for each step, down and up again, and one more."""

WORDS = ("apples", "bridges", "copper", "deserts", "engines", "flutes", "gardens", "harbours")

few = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def configured(home, short, medium, storages=("memory", "memory", "memory")):
    tiers = dict(zip(("short", "medium", "long"), storages, strict=True))
    return {
        "home": str(home),
        "log": {"storage": "memory"},
        "storages": {"far": {"use": "memory"}},
        "tiers": {
            "short": {"capacity": short, "storage": tiers["short"]},
            "medium": {"capacity": medium, "storage": tiers["medium"]},
            "long": {"storage": tiers["long"]},
        },
    }


async def settle(ctx):
    """Consolidate until nothing moves; gives how often something did."""
    for call in range(CALLS):
        moved = await ctx.consolidate()
        if not moved.demoted and not moved.promoted:
            return call
    raise AssertionError(f"after {CALLS} calls {moved} still move")


async def held(ctx):
    """The texts of all memories."""
    return sorted(hit.memory.text for hit in await ctx.recall("fact", limit=100, use=False))


@few
@given(
    facts=st.integers(1, 8),
    short=st.integers(1, 4),
    medium=st.integers(1, 4),
    days=st.lists(st.lists(st.integers(0, 7), max_size=12), min_size=1, max_size=4),
    storages=st.tuples(*[st.sampled_from(["memory", "far"])] * 3),
)
@example(facts=6, short=1, medium=1, days=[[0, 1, 2, 3, 4, 5] * 5], storages=("memory", "memory", "memory"))
@example(facts=6, short=1, medium=1, days=[[0, 1, 2, 3, 4, 5] * 5], storages=("memory", "far", "memory"))
def test_after_any_use_tiers_come_to_rest_within_their_capacities(
    tmp_path_factory, facts, short, medium, days, storages
):
    async def work():
        home = tmp_path_factory.mktemp("home")
        async with lamina.open(settings=configured(home, short, medium, storages), environ={}) as ctx:
            for n in range(facts):
                await ctx.remember(f"fact of {WORDS[n]}")
            for day in days:
                for n in day:
                    await ctx.recall(WORDS[n])
                await settle(ctx)
                counts = await ctx.tier_counts()
                assert counts["short"] <= short
                assert counts["medium"] <= medium
                assert sum(counts.values()) == facts
                assert await held(ctx) == sorted(f"fact of {WORDS[n]}" for n in range(facts))

    asyncio.run(work())


def test_what_is_used_again_after_it_came_down_goes_up_again(tmp_path):
    async def tier(ctx, word):
        (hit,) = await ctx.recall(word, use=False)
        return hit.tier

    async def work():
        async with lamina.open(settings=configured(tmp_path, 1, 1), environ={}) as ctx:
            for n in range(3):
                await ctx.remember(f"fact of {WORDS[n]}")
            await settle(ctx)
            assert await tier(ctx, WORDS[0]) == "long"
            for _ in range(2):
                await ctx.recall(WORDS[0])
            await settle(ctx)
            for _ in range(3):
                await ctx.recall(WORDS[0])
            await settle(ctx)
            assert await tier(ctx, WORDS[0]) == "short"
            (hit,) = await ctx.recall(WORDS[0], use=False)
            assert hit.memory.uses == 5

    asyncio.run(work())
