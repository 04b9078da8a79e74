"""The standard profile is complete, and every value of it can be replaced by one line."""

from __future__ import annotations

import asyncio

import lamina
from lamina import config


def test_it_is_the_default_and_valid_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = config.load(environ={}, settings={"home": str(tmp_path)})
    origins = {v.path: v.origin for v in made.values}
    assert origins["window.pager"] == "profile standard"
    assert origins["storages.main.use"] == "profile standard"


def test_every_part_that_it_names_opens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def go():
        async with lamina.open(environ={}, settings={"home": str(tmp_path)}) as ctx:
            assert {s.name for s in ctx.tools.specs()} == {"recall", "expand", "remember"}
            assert set(await ctx.tier_counts()) == {"short", "medium", "long"}

    asyncio.run(go())


def test_one_line_replaces_a_value(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lamina.toml").write_text('[log]\nstorage = "memory"\n', encoding="utf-8")
    assert config.load(environ={}).log.storage == "memory"
