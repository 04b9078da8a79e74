"""Stores that earlier versions wrote open in this one: nothing is lost, windows stay what they were."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tarfile
from pathlib import Path

import pytest

import lamina

STORES = Path(__file__).parent / "stores"
SETTINGS = {"tiers": {"short": {"capacity": 6}, "medium": {"capacity": 8}}}

FIRST = json.loads((STORES / "first-2026-11.json").read_text("utf-8"))
"""What the version that wrote the store said of it."""


@pytest.fixture
def home(tmp_path):
    with tarfile.open(STORES / "first-2026-11.tar.xz") as store:
        store.extractall(tmp_path, filter="data")
    return tmp_path


def opened(home):
    return lamina.open(settings={"home": str(home), **SETTINGS}, environ={})


def digest(window):
    return hashlib.sha256(json.dumps([m.text for m in window.prefix], ensure_ascii=False).encode()).hexdigest()


def test_sessions_read_as_they_did_and_their_windows_stand(home):
    async def work():
        async with opened(home) as ctx:
            session = await ctx.session(FIRST["session"], create=False)
            assert (len(session.pages), session.tokens) == (FIRST["pages"], FIRST["tokens"])
            assert digest(await session.window(2000)) == FIRST["window"]
            fork = await ctx.session("forked", create=False)
            assert fork.pages[-1].text == "only in the fork: the anchor is heliotrope"
            assert len(fork.pages) == FIRST["pages"] + 1
            talk = await ctx.session("talk / with #odd% name", create=False)
            assert "obsidian" not in "".join(page.text for page in talk.pages)
            assert talk.pages[-1].text.endswith("a late result: marmalade")
            await session.add(lamina.user("and on it goes"))
            assert len(session.pages) == FIRST["pages"] + 1

    asyncio.run(work())


def test_memories_are_all_there_once_each_with_their_uses(home):
    async def work():
        for _ in range(2):
            async with opened(home) as ctx:
                assert await ctx.tier_counts() == FIRST["counts"]
                hits = await ctx.recall("quartz", limit=50, use=False)
                assert {h.memory.text: h.memory.uses for h in hits if h.page is None} == FIRST["uses"]
                assert [h.memory.text for h in await ctx.recall("marmalade", use=False)][:1] == FIRST["found"]
                assert (await ctx.recall("heliotrope", use=False))[0].session == "forked"
                assert [h for h in await ctx.recall("obsidian", use=False) if "obsidian" in h.memory.text] == []

    asyncio.run(work())


def test_tiers_go_on_where_they_were(home):
    async def work():
        async with opened(home) as ctx:
            moved = await ctx.consolidate()
            counts = await ctx.tier_counts()
            assert sum(counts.values()) == sum(FIRST["counts"].values())
            assert counts["short"] <= 6
            assert counts["medium"] <= 8
            await ctx.consolidate()
            assert (await ctx.consolidate()) == type(moved)()

    asyncio.run(work())


def test_a_page_of_then_is_known_by_its_session_and_author(home):
    async def work():
        async with opened(home) as ctx:
            (hit, *_) = await ctx.recall("marmalade", use=False)
            assert (hit.memory.thread, hit.memory.author, hit.memory.position) == (hit.session, "assistant", hit.page)

    asyncio.run(work())
