"""Another process holds a file: what was done is answered as done, and what could not be told an index is told later."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import contextmanager

import pytest

import lamina
from lamina.errors import StorageError


@contextmanager
def held(file):
    """Another process that writes into the file and does not come to an end."""
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.close()


def opened(home):
    quick = {"busy_timeout_s": 0.05}
    return lamina.open(
        settings={"home": str(home), "storages": {"main": quick}, "indexes": {"main": quick}}, environ={}
    )


def test_what_is_remembered_while_the_index_is_locked_is_recalled_afterwards(tmp_path, capsys):
    async def work():
        async with opened(tmp_path) as ctx:
            await ctx.recall("anything")
            with held(tmp_path / "lexical.db"):
                memory = await ctx.remember("the deploy key lies in vault seven")
                assert await ctx.recall("vault") == []
            assert [hit.memory.id for hit in await ctx.recall("vault")] == [memory.id]
            assert sum((await ctx.tier_counts()).values()) == 1

    asyncio.run(work())
    assert "the index 'main' could not be updated" in capsys.readouterr().err


def test_a_recall_and_a_window_are_answered_while_the_store_is_locked(tmp_path, capsys):
    async def work():
        async with opened(tmp_path) as ctx:
            session = await ctx.session("talk")
            await session.add(lamina.user("where does the key lie?"))
            await ctx.remember("the deploy key lies in vault seven")
            await ctx.recall("anything")
            with held(tmp_path / "lamina.db"):
                assert len(await ctx.recall("vault")) == 1
                window = await session.window(2000, query="vault")
                assert "vault seven" in window.tail[0].text
                with pytest.raises(StorageError, match=r"lamina\.db stayed locked"):
                    await ctx.remember("this is not written")
            assert len(await ctx.recall("written")) == 0

    asyncio.run(work())
    assert "uses of memories could not be counted" in capsys.readouterr().err
