"""One line of TOML changes a part: the main job runs over every combination of what is installed."""

from __future__ import annotations

import asyncio
import itertools

import attrs
import pytest

import lamina
from lamina import plugins

CATALOGUE = plugins.discover()
SWAPPED = {
    "storage": ("log", "storage"),
    "pager": ("window", "pager"),
    "counter": ("window", "counter"),
    "scorer": ("window", "scorer"),
    "compressor": ("window", "compressors"),
}
"""Kind to the section and key that choose it."""


def needs_a_server(name):
    return name in {"llm"}


def needs_settings(kind, name):
    """Whether it cannot be chosen by its name alone, because a setting has no default."""
    return any(a.default is attrs.NOTHING for a in attrs.fields(CATALOGUE.find(kind, name).settings))


def names(kind):
    return [n for n in CATALOGUE.names(kind) if not needs_a_server(n) and not needs_settings(kind, n)]


COMBINATIONS = list(itertools.product(names("pager"), names("compressor"), names("counter")))


def pack(tmp_path, sample, toml, budget=4000):
    (tmp_path / "lamina.toml").write_text(toml, encoding="utf-8")

    async def go():
        async with lamina.open(tmp_path / "lamina.toml", settings={"home": str(tmp_path)}, environ={}) as ctx:
            (imported,) = await ctx.import_data(sample.read_bytes(), "sample.jsonl")
            session = await ctx.session(imported.session)
            window = await session.window(budget)
            assert window.tokens <= budget
            assert window.ledger.repairs == ()
            assert (await ctx.format("anthropic")).check(window.messages("anthropic")) == []
            assert (await session.expand(1))[0].text
            return window, await ctx.recall("port")

    return asyncio.run(go())


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in SWAPPED for n in names(k)])
def test_one_line_swaps_a_part(tmp_path, sample, kind, name):
    section, key = SWAPPED[kind]
    value = f'["{name}"]' if kind == "compressor" else f'"{name}"'
    window, hits = pack(tmp_path, sample, f"[{section}]\n{key} = {value}\n")
    assert window.messages()
    assert hits


@pytest.fixture(scope="session")
def part(sample, tmp_path_factory):
    """The sample's first lines: enough to compact, short enough for every combination."""
    path = tmp_path_factory.mktemp("part") / "part.jsonl"
    path.write_bytes(b"".join(sample.read_bytes().splitlines(keepends=True)[:60]))
    return path


@pytest.mark.parametrize("combination", COMBINATIONS, ids="-".join)
def test_every_combination_packs(tmp_path, part, combination):
    pager, compressor, counter = combination
    toml = f'[window]\npager = "{pager}"\ncompressors = ["{compressor}"]\ncounter = "{counter}"\n'
    for storage in names("storage"):
        home = tmp_path / storage
        home.mkdir()
        pack(home, part, f'{toml}[log]\nstorage = "{storage}"\n', 2500)


def test_another_budget_is_another_window(tmp_path, sample):
    for budget in (1000, 2000, 30_000):
        window, _ = pack(tmp_path, sample, "", budget)
        assert budget // 5 < window.tokens <= budget
