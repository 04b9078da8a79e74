"""Damage at any place is named or does no harm: bits, bytes and torn pages, for each durable storage.

``LAMINA_FLIPS`` says how many places there are of each kind (``nox -s crash``: 200).
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from lamina.errors import LaminaError
from lamina.protocols import Capability, CheckRequest, Commit, Get, Scan, Storage, offering

spec = importlib.util.spec_from_file_location("_stores", Path(__file__).with_name("_stores.py"))
stores = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stores)
STORES = stores.STORES

FLIPS = int(os.environ.get("LAMINA_FLIPS", "12"))
SEED = os.environ.get("LAMINA_CRASH_SEED", "1")
PAGE = 4096


def bit(data: bytearray, chance: random.Random) -> None:
    """One bit tips."""
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def byte(data: bytearray, chance: random.Random) -> None:
    """One byte is another."""
    at = chance.randrange(len(data))
    data[at] ^= chance.randrange(1, 256)


def torn(data: bytearray, chance: random.Random) -> None:
    """A page was written in part, or what follows is nothing."""
    page = chance.randrange(len(data) // PAGE) * PAGE
    at = page + chance.randrange(PAGE)
    data[at : page + PAGE] = bytes(page + PAGE - at) if chance.random() < 0.5 else chance.randbytes(page + PAGE - at)


def cut(data: bytearray, chance: random.Random) -> None:
    """The end is missing."""
    del data[chance.randrange(len(data)) :]


async def fill(storage: Storage) -> dict[str, bytes]:
    """Some hundred records, some replaced, one of many pages."""
    chance = random.Random(7)
    for n in range(20):
        await storage.commit(
            Commit(puts={f"log/{n % 3}/{n:03}/{i}": b"%d %d " % (n, i) * chance.randrange(1, 60) for i in range(8)})
        )
    puts = {"large": b"y" * 20_000, "log/0/000/2": b"replaced"}
    await storage.commit(Commit(puts=puts, deletes=frozenset({"log/0/000/1"})))
    return {record.key: record.value for record in await storage.scan(Scan())}


class Looked:
    """What reads of a damaged store gave."""

    def __init__(self, right: dict[str, bytes]) -> None:
        self.right = right
        self.named = 0
        self.silent: list[str] = []
        """Keys that a read left out without a word."""

    async def look(self, storage: Storage) -> None:
        """Get every key, and scan by prefixes, forwards and backwards, in batches."""
        keys = list(self.right)
        for start in range(0, len(keys), 20):
            asked = keys[start : start + 20]
            for key, record in zip(asked, await storage.get(Get(keys=asked, tolerant=True)), strict=True):
                self._take(key, record)
        for prefix in ("log/1/", ""):
            for reverse in (False, True):
                await self._scan(storage, prefix, reverse)

    async def _scan(self, storage: Storage, prefix: str, reverse: bool) -> None:
        found = {}
        after = None
        while True:
            batch = await storage.scan(Scan(prefix=prefix, after=after, limit=37, reverse=reverse, tolerant=True))
            found |= {record.key: record for record in batch}
            if len(batch) < 37:
                break
            assert after is None or (batch[-1].key < after if reverse else batch[-1].key > after)
            after = batch[-1].key
        some_may_miss = any(record.version == 0 for record in found.values())
        for key in self.right:
            if key.startswith(prefix) and not (some_may_miss and key not in found):
                self._take(key, found.get(key))
        for key, record in found.items():
            assert record.damaged or key in self.right, f"{key!r} was never written"

    def _take(self, key, record) -> None:
        if record is None:
            self.silent.append(key)
        elif record.damaged:
            self.named += 1
        else:
            assert record.value == self.right[key], f"a wrong value of {key!r}"


@pytest.mark.parametrize("damage", [bit, byte, torn, cut], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["sqlite", "diskcache"])
def test_damage_is_named_and_never_gives_a_wrong_answer(tmp_path, name, damage):
    store = STORES[name]

    async def filled():
        async with store.open(tmp_path / "whole") as storage:
            return await fill(storage)

    right = asyncio.run(filled())
    whole = (tmp_path / "whole" / store.file).read_bytes()
    outcomes = Counter()
    for n in range(FLIPS):
        home = tmp_path / "damaged"
        shutil.rmtree(home, ignore_errors=True)
        (home / store.file).parent.mkdir(parents=True)
        data = bytearray(whole)
        damage(data, random.Random(f"{SEED}/{n}"))
        (home / store.file).write_bytes(data)
        looked = Looked(right)

        async def look(home=home, looked=looked):
            async with store.open(home) as storage:
                await looked.look(storage)
                return await offering(storage, Capability.CHECK, name).check(CheckRequest())

        try:
            found = asyncio.run(look())
        except LaminaError as error:  # in one line, with the file
            assert store.file in str(error)
            outcomes["refused"] += 1
            continue
        if looked.silent:
            # Only where the structure of the index is damaged; then the check says so.
            assert found, f"place {n}: {looked.silent[:3]} are missing, and nothing says so"
        outcomes["fewer, and the check names it" if looked.silent else "named" if looked.named else "fine"] += 1
    # What a read leaves out without a word is rare: a byte of SQLite's structure, not of what was written.
    assert outcomes["fewer, and the check names it"] <= max(1, FLIPS // 20), outcomes


@pytest.mark.parametrize("name", ["sqlite", "diskcache"])
def test_a_damaged_log_is_named(tmp_path, name):
    """What a killed process left in its write-ahead log is damaged before anybody reads it."""
    store = STORES[name]

    async def filled():
        async with store.open(tmp_path / "whole") as storage:
            right = await fill(storage)
            shutil.copytree(tmp_path / "whole", tmp_path / "left")
            return right

    right = asyncio.run(filled())
    log = f"{store.file}-wal"
    whole = (tmp_path / "left" / log).read_bytes()
    for n in range(FLIPS):
        home = tmp_path / "damaged"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(tmp_path / "left", home)
        for side in home.rglob("*-shm"):
            side.unlink()
        data = bytearray(whole)
        bit(data, random.Random(f"{SEED}/{n}"))
        (home / log).write_bytes(data)

        async def look(home=home):
            async with store.open(home) as storage:
                found = {record.key: record.value for record in await storage.scan(Scan())}
                return found, await offering(storage, Capability.CHECK, name).check(CheckRequest())

        try:
            found, damages = asyncio.run(look())
        except LaminaError as error:
            assert store.file in str(error)
            continue
        assert found == right or damages, f"place {n}: commits are missing, and nothing says so"
