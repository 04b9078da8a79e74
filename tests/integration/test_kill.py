"""Nothing acknowledged is lost when the process is killed at any moment: real processes, SIGKILL."""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lamina

KILLS = int(os.environ.get("LAMINA_KILLS", "6"))
"""How often a process is killed; ``nox -s chaos`` asks for 100."""
PER_STORE = 10


def murder(home, sample, rng):
    """Run the victim, kill it at a random moment, give what it said was durable."""
    victim = Path(__file__).with_name("_victim.py")
    process = subprocess.Popen(
        [sys.executable, str(victim), str(home), str(sample)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        said = process.stdout.readline()
        assert said == b"open\n"
        deadline = time.monotonic() + rng.uniform(0.0, 1.5)
        while (left := deadline - time.monotonic()) > 0:
            if select.select([process.stdout], [], [], left)[0]:
                said += os.read(process.stdout.fileno(), 65536)
    finally:
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
        process.wait()
        process.stdout.close()
    return said.decode().splitlines()


async def examine(home, sample, said):
    """Everything acknowledged is there, whole; what was not is there whole or not at all."""
    original = sample.read_bytes()
    lines = original.splitlines()
    async with lamina.open(settings={"home": str(home)}) as ctx:
        infos = {info.id: info for info in await ctx.sessions()}
        for line in said:
            verb, _, name = line.partition(" ")
            if verb == "imported":
                assert name in infos
            if verb == "packed":
                assert (await ctx.session(name)).pages[-1].text.startswith("after")
        for name in infos:
            session = await ctx.session(name)
            exported = (await session.export()).splitlines()
            assert exported[: len(lines)] == lines
            for page in session.pages[:: max(1, len(session.pages) // 10)]:
                assert all(raw in original or b"after" in raw for raw in await session.raw(page.id))
            window = await session.window(3000)
            assert window.tokens <= 3000
        if infos:
            assert await ctx.recall("port", limit=3)


def integrity(home):
    for file in home.glob("*.db"):
        with sqlite3.connect(file) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("store", range(max(1, (KILLS + PER_STORE - 1) // PER_STORE)))
def test_nothing_acknowledged_is_lost_to_sigkill(tmp_path, sample, store):
    rng = random.Random(store)
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(sample.read_bytes())
    said = []
    home = tmp_path / "home"
    kills = min(PER_STORE, KILLS - store * PER_STORE)
    for number in range(kills):
        # Each victim begins its own numbering anew: names that are there already are imported again, to no effect.
        lines = murder(home, copy, rng)
        said += lines
        integrity(home)
        if number == kills - 1:
            copy.unlink()
        asyncio.run(examine(home, sample, said))
