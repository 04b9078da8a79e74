"""What the SQLite storage does beyond the contract."""

import asyncio
import contextlib
import sqlite3
import stat

import pytest

from lamina.errors import IntegrityError, StorageError
from lamina.protocols import Commit, Get, Scan
from lamina.testing import LoneHost
from lamina_storage_sqlite import SqliteSettings, _lanes, open_sqlite


@pytest.fixture
def opened(tmp_path):
    return lambda **settings: open_sqlite(SqliteSettings(**settings), LoneHost(tmp_path / "home"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home" / "lamina.db"


@contextlib.contextmanager
def connected(path):
    """Another process, as far as SQLite can tell."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


async def fill(opened, n_records=300):
    async with opened() as storage:
        await storage.commit(Commit(puts={f"{n:05}": b"x" * 200 for n in range(n_records)}))


def test_only_the_owner_may_read_the_file_its_journals_and_its_folder(opened, path):
    async def main():
        async with opened() as storage:
            await storage.commit(Commit(puts={"a": b""}))
            return {file.name: stat.S_IMODE(file.stat().st_mode) for file in (path.parent, *path.parent.iterdir())}

    modes = asyncio.run(main())
    assert modes == {"home": 0o700, "lamina.db": 0o600, "lamina.db-wal": 0o600, "lamina.db-shm": 0o600}


def test_a_newer_schema_is_refused_with_both_versions(opened, path):
    asyncio.run(fill(opened))
    with connected(path) as other:
        other.execute("PRAGMA user_version = 7")
    with pytest.raises(IntegrityError, match=r"lamina\.db has schema 7, .* knows schema 2: update"):
        asyncio.run(fill(opened))
    with connected(path) as other:
        assert other.execute("SELECT count(*) FROM records").fetchone() == (300,)


def test_a_database_of_another_application_is_refused_and_left_alone(opened, path):
    path.parent.mkdir()
    with connected(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(IntegrityError, match="another application"):
        asyncio.run(fill(opened))
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_with_the_remedy(opened, path):
    path.parent.mkdir()
    path.write_bytes(b"no database at all " * 400)
    with pytest.raises(IntegrityError, match=r"lamina\.db is damaged .*restore a copy.*\.recover"):
        asyncio.run(fill(opened))


def test_damage_inside_is_found_when_it_is_read(opened, path):
    asyncio.run(fill(opened))
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = b"\xa5" * (len(data) - 4096 * 2)
    path.write_bytes(data)

    async def main():
        async with opened() as storage:
            await storage.scan(Scan())

    with pytest.raises(IntegrityError, match=r"lamina\.db is damaged"):
        asyncio.run(main())


def test_a_path_that_cannot_be_opened_is_an_error_with_the_path(tmp_path, opened, path):
    path.mkdir(parents=True)
    with pytest.raises(StorageError, match=r"lamina\.db"):
        asyncio.run(fill(opened))


def test_the_event_loop_goes_on_while_another_process_holds_the_lock(opened, path):
    async def main():
        async with opened(busy_timeout_s=3600) as storage:
            await storage.commit(Commit(puts={"a": b"1"}))
            with connected(path) as other:
                other.execute("BEGIN IMMEDIATE")
                first = asyncio.create_task(storage.commit(Commit(puts={"a": b"2"})))
                second = asyncio.create_task(storage.commit(Commit(puts={"b": b"2"}, expect={"b": None})))
                for _ in range(50):
                    (record,) = await storage.get(Get(keys=["a"]))
                    assert record.value == b"1"
                    await asyncio.sleep(0)
                assert not first.done()
                assert not second.done()
                other.execute("ROLLBACK")
            await first
            await second
            return [record.value for record in await storage.scan(Scan())]

    assert asyncio.run(main()) == [b"2", b"2"]


def test_waiting_for_the_lock_ends_with_an_error_that_says_so(opened, path):
    async def main():
        async with opened(busy_timeout_s=0.01) as storage:
            await storage.commit(Commit(puts={"a": b"1"}))
            with connected(path) as other:
                other.execute("BEGIN IMMEDIATE")
                for request in (Commit(puts={"a": b"2"}), Commit(puts={"a": b"2", "b": b""})):
                    with pytest.raises(StorageError, match=r"locked by another process for 0\.01 s"):
                        await storage.commit(request)
                other.execute("ROLLBACK")
            await storage.commit(Commit(puts={"c": b"3"}))
            return [record.key for record in await storage.scan(Scan())]

    assert asyncio.run(main()) == ["a", "c"]


def test_the_event_loop_goes_on_during_a_large_commit(opened):
    async def main():
        async with opened() as storage:
            puts = {f"{n:06}": b"x" * 100 for n in range(20_000)}
            task = asyncio.create_task(storage.commit(Commit(puts=puts)))
            turns = 0
            while not task.done():
                turns += 1
                await asyncio.sleep(0)
            # On the loop's thread it would be done after the first turn.
            return turns, len(await task)

    turns, n_written = asyncio.run(main())
    assert turns > 2
    assert n_written == 20_000


def test_the_write_ahead_log_does_not_grow_for_ever(opened, path, monkeypatch):
    monkeypatch.setattr(_lanes, "CHECKPOINT_PAGES", 50)

    async def main():
        async with opened() as storage:
            for n in range(1000):
                await storage.commit(Commit(puts={f"{n:05}": b"x" * 100}))
            return path.with_name("lamina.db-wal").stat().st_size

    assert asyncio.run(main()) < 100 * 4096


@pytest.mark.parametrize("synchronous", ["normal", "full"])
def test_what_is_asked_of_the_disk_is_what_sqlite_is_told(opened, synchronous):
    async def main():
        async with opened(synchronous=synchronous) as storage:
            await storage.commit(Commit(puts={"a": b"1"}))
            level = await storage._lane.run(lambda c: c.execute("PRAGMA synchronous").fetchone()[0], small=True)
            return level, [record.value for record in await storage.scan(Scan())]

    assert asyncio.run(main()) == ({"normal": 1, "full": 2}[synchronous], [b"1"])


def test_a_scan_walks_the_index_and_sorts_nothing(opened, path):
    asyncio.run(fill(opened, 1))
    with connected(path) as other:
        plan = other.execute(
            "EXPLAIN QUERY PLAN SELECT key, value, version FROM records WHERE namespace = ? AND key >= ? AND key < ? "
            "ORDER BY key DESC LIMIT ?",
            ("n", "a", "b", 10),
        ).fetchall()
    assert len(plan) == 1
    assert "USING INDEX" in plan[0][3]


def test_impossible_settings_are_refused():
    for wrong in ({"synchronous": "off"}, {"busy_timeout_s": -1}):
        with pytest.raises(ValueError):
            SqliteSettings(**wrong)
