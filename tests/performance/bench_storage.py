"""What the SQLite storage costs against SQLite itself: the same bytes in a table of the same shape, without lamina.

Run by ``nox -s bench``. Ratios within one run, by turns. What computes is timed by the processor's clock, of which the
least of some rounds counts, because what else a machine does only ever adds; what waits for the disk by the wall's, of
which the median counts, because a disk takes as long as it likes.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from lamina.protocols import Commit, Get, Storage
from lamina.testing import LoneHost
from lamina_storage_sqlite import SqliteSettings, open_sqlite

TABLE = """
CREATE TABLE records (version INTEGER PRIMARY KEY AUTOINCREMENT, namespace TEXT NOT NULL, key TEXT NOT NULL,
value BLOB NOT NULL, UNIQUE (namespace, key))
"""
PUT = "INSERT OR REPLACE INTO records (namespace, key, value) VALUES ('bench', ?, ?)"
GET = "SELECT value FROM records WHERE namespace = 'bench' AND key = ?"
VALUE = b"about as long as a message of a session is when it is encoded; " * 5


@frozen
class Row:
    """One line of the table."""

    what: str
    ours_s: float
    raw_s: float
    at_most: float
    """The ratio that is promised."""

    @property
    def ratio(self) -> float:
        """Ours for one of SQLite's."""
        return self.ours_s / self.raw_s


class Keys:
    """Keys that were never used."""

    def __init__(self) -> None:
        self.used = 0

    def new(self, n: int) -> list[str]:
        """``n`` more."""
        self.used += n
        return [f"log/session/{i:09}" for i in range(self.used - n, self.used)]


def raw(path: Path, synchronous: str) -> sqlite3.Connection:
    """SQLite, as lamina sets it up."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=64)
    for pragma in ("journal_mode = WAL", f"synchronous = {synchronous}", "wal_autocheckpoint = 20000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(TABLE)
    return connection


async def timed(rounds: int, works: Sequence[Callable[[], Awaitable[Any]]], *, disk: bool) -> tuple[float, ...]:
    """The time of each work, done by turns."""
    clock = time.perf_counter if disk else time.process_time
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for each, work in zip(times, works, strict=True):
            start_s = clock()
            await work()
            each.append(clock() - start_s)
    return tuple(statistics.median(each) if disk else min(each) for each in times)


async def compared(storage: Storage, connection: sqlite3.Connection, *, fsync: bool, rounds: int) -> list[Row]:
    """The lines of one synchronous level."""
    ours, theirs = Keys(), Keys()
    n, level = (16, "full") if fsync else (400, "normal")

    async def single() -> None:
        for key in ours.new(n):
            await storage.commit(Commit(puts={key: VALUE}, expect={key: None}))

    async def raw_single() -> None:
        for key in theirs.new(n):
            connection.execute(PUT, (key, VALUE))

    async def together() -> None:
        await asyncio.gather(*(storage.commit(Commit(puts={key: VALUE})) for key in ours.new(64)))

    async def raw_together() -> None:
        for key in theirs.new(64):
            connection.execute(PUT, (key, VALUE))

    async def batch() -> None:
        await storage.commit(Commit(puts=dict.fromkeys(ours.new(2000), VALUE)))

    async def raw_batch() -> None:
        connection.execute("BEGIN")
        connection.executemany(PUT, [(key, VALUE) for key in theirs.new(2000)])
        connection.execute("COMMIT")

    async def get() -> None:
        for i in range(0, 4000, 4):
            await storage.get(Get(keys=[f"log/session/{i % ours.used:09}"]))

    async def raw_get() -> None:
        for i in range(0, 4000, 4):
            connection.execute(GET, (f"log/session/{i % theirs.used:09}",)).fetchone()

    rows = []
    for what, ours_work, raw_work, at_most, few in (
        (f"one durable commit, {level}", single, raw_single, 2.0, False),
        (f"64 tasks at once, {level}", together, raw_together, 1 / 20 if fsync else 1.0, False),
        ("2,000 records in one batch", batch, raw_batch, 2.0, True),
        ("a get", get, raw_get, 5.0, True),
    ):
        if fsync and few:
            continue
        ours_s, raw_s = await timed(rounds, (ours_work, raw_work), disk=fsync)
        rows.append(Row(what, ours_s, raw_s, at_most))
    return rows


async def measured(rounds: int) -> list[Row]:
    """All lines."""
    rows = []
    for level in ("normal", "full"):
        with tempfile.TemporaryDirectory() as folder:
            connection = raw(Path(folder) / "raw.db", level)
            async with open_sqlite(SqliteSettings(synchronous=level), LoneHost(Path(folder))) as storage:
                rows += await compared(storage, connection, fsync=level == "full", rounds=rounds)
            connection.close()
    return rows


def main() -> int:
    """Print the lines; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    rows = asyncio.run(measured(parser.parse_args().rounds))
    out = [f"{'':32} {'lamina':>10} {'SQLite':>10} {'ratio':>7} {'promised':>9}"]
    for row in rows:
        kept = "" if row.ratio <= row.at_most else "  broken"
        out.append(
            f"{row.what:32} {row.ours_s * 1e3:8.2f}ms {row.raw_s * 1e3:8.2f}ms {row.ratio:7.3f} {row.at_most:9.3f}{kept}"
        )
    sys.stdout.write("\n".join(out) + "\n")
    return 0 if all(row.ratio <= row.at_most for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
