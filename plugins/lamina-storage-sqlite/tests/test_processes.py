"""What the SQLite storage promises about processes, shown with real ones."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from lamina.protocols import Get, Scan
from lamina.testing import LoneHost
from lamina_storage_sqlite import SqliteSettings, open_sqlite

HERE = Path(__file__).parent
KILLS = 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forked")
@pytest.mark.parametrize("seed", [1])
def test_every_acknowledged_commit_survives_kill_9_whole(tmp_path, seed):
    path = tmp_path / "killed.db"
    run = subprocess.run(
        [sys.executable, HERE / "crash.py", path, str(seed), str(KILLS)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    acknowledged = {(int(r), int(n)): int(size) for r, n, size in map(str.split, run.stdout.splitlines())}
    assert len(acknowledged) > KILLS * 5

    async def everything():
        async with open_sqlite(SqliteSettings(path=path), LoneHost(tmp_path)) as storage:
            return await storage.scan(Scan(limit=10**6))

    batches = defaultdict(dict)
    for record in asyncio.run(everything()):
        if record.key != "head":
            round_, n, i = map(int, record.key.split("/"))
            batches[round_, n][i] = record.value
    for commit, size in acknowledged.items():
        assert sorted(batches[commit]) == list(range(size))
    for (round_, n), batch in batches.items():
        # Also what was written but not acknowledged in time is whole.
        assert len(batch) in (1, 7, 200)
        assert sorted(batch) == list(range(len(batch)))
        assert len(set(batch.values())) == 1
        assert batch[0].startswith(f"{round_} {n} ".encode())
    unacknowledged = batches.keys() - acknowledged.keys()
    assert len(unacknowledged) <= KILLS
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_processes_that_expect_versions_lose_no_update(tmp_path):
    path, times = tmp_path / "shared.db", 60
    workers = [
        subprocess.Popen(
            [sys.executable, HERE / "increment.py", path, str(times)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        said, _ = worker.communicate()
        assert worker.returncode == 0
        assert int(said.split()[0]) == times

    async def number():
        async with open_sqlite(SqliteSettings(path=path), LoneHost(tmp_path)) as storage:
            return (await storage.get(Get(keys=["n"])))[0]

    record = asyncio.run(number())
    assert int(record.value) == 3 * times
    # At least: an insert that lost against another process's first one has used a number up.
    assert record.version >= 3 * times
