"""Writers that are killed at any moment lose nothing that was acknowledged: real processes, for each durable storage.

``LAMINA_CRASHES`` says how many rounds there are for each (``nox -s crash``: 500).
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from lamina.protocols import Capability, CheckRequest, Scan, Storage, offering

spec = importlib.util.spec_from_file_location("_stores", Path(__file__).with_name("_stores.py"))
stores = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stores)
STORES = stores.STORES

ROUNDS = int(os.environ.get("LAMINA_CRASHES", "8"))
SEED = os.environ.get("LAMINA_CRASH_SEED", "1")
BATCH = 40
"""So many rounds on one home, then a new one: what was written is read as a whole each time."""


async def everything(storage: Storage) -> dict[str, bytes]:
    """All records, in batches."""
    found: dict[str, bytes] = {}
    after = None
    while True:
        batch = await storage.scan(Scan(after=after))
        found |= {record.key: record.value for record in batch}
        if len(batch) < 1000:
            return found
        after = batch[-1].key


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forked")
@pytest.mark.parametrize("name", STORES)
def test_what_was_acknowledged_survives_kill_9_whole(tmp_path, name):
    for start in range(0, ROUNDS, BATCH):
        home = tmp_path / f"{start}"
        rounds = min(BATCH, ROUNDS - start)
        run = subprocess.run(
            [sys.executable, Path(__file__).with_name("_store_writer.py"), name, home, f"{SEED}/{start}", str(rounds)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        acknowledged = [tuple(map(int, line.split())) for line in run.stdout.splitlines()]

        async def look(home: Path = home) -> tuple[dict[str, bytes], list[str]]:
            async with STORES[name].open(home) as storage:
                damages = await offering(storage, Capability.CHECK, name).check(CheckRequest())
                return await everything(storage), [damage.what for damage in damages]

        found, damages = asyncio.run(look())
        assert damages == []
        batches = defaultdict(dict)
        heads = {key: tuple(map(int, value.split())) for key, value in found.items() if key.startswith("head/")}
        for key, value in found.items():
            if not key.startswith("head/"):
                round_, task, n, i = map(int, key.split("/"))
                batches[round_, task, n][i] = value
        for round_, task, n, size in acknowledged:
            assert sorted(batches[round_, task, n]) == list(range(size))
            assert heads[f"head/{task}"] >= (round_, n)
        for (round_, task, n), batch in batches.items():
            # Also what was written but not acknowledged in time is whole, and says itself how large it is.
            (value,) = set(batch.values())
            assert value.startswith(f"{round_} {task} {n} {len(batch)} ".encode())
        unacknowledged = batches.keys() - {(r, t, n) for r, t, n, _ in acknowledged}
        assert len(unacknowledged) <= 4 * rounds
