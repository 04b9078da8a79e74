"""What the diskcache storage does beyond the contract: it is safe, whole, and culls nothing."""

import asyncio
import contextlib
import pickle
import random
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import diskcache
import pytest

from lamina.errors import ConflictError, IntegrityError, StorageError
from lamina.protocols import Commit, Get, Scan
from lamina.testing import LoneHost
from lamina.testing.storage import Clock
from lamina_storage_diskcache import DiskcacheSettings, open_diskcache
from lamina_storage_diskcache._disk import SafeDisk

HERE = Path(__file__).parent


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened(tmp_path, clock):
    def opened(**settings):
        return open_diskcache(DiskcacheSettings(**settings), LoneHost(tmp_path / "home", clock=clock))

    return opened


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "home" / "cache"


@contextlib.contextmanager
def connected(folder):
    """Another process, as far as SQLite can tell."""
    connection = sqlite3.connect(folder / "cache.db", isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def run(opened, work):
    async def main():
        async with opened() as storage:
            return await work(storage)

    return asyncio.run(main())


def write_some(opened):
    run(opened, lambda storage: storage.commit(Commit(puts={"a": b"1", "victim": b"2", "z": b"3"})))


READS = (
    lambda storage: storage.get(Get(keys=["victim"])),
    lambda storage: storage.get(Get(keys=["a", "victim"])),
    lambda storage: storage.scan(Scan()),
    lambda storage: storage.scan(Scan(prefix="v", reverse=True)),
    lambda storage: storage.commit(Commit(puts={"b": b""}, expect={"victim": 2})),
)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    ("mode", "in_file"),
    [(4, False), (4, True), (3, True), (2, True), (1, True), (0, False), ("4", False), (4.0, False), (None, False)],
)
def test_a_planted_row_is_refused_and_nothing_is_run(opened, folder, tmp_path, read, mode, in_file):
    write_some(opened)
    mark = tmp_path / "executed"
    payload = pickle.dumps(Bomb(mark))
    (tmp_path / "outside").write_bytes(payload)
    with connected(folder) as other:
        filename = "../../outside" if in_file else None
        changed = other.execute(
            "UPDATE Cache SET mode = ?, filename = ?, value = ? WHERE key = 'test/victim'",
            (mode, filename, None if in_file else payload),
        )
        assert changed.rowcount == 1
    with pytest.raises(IntegrityError, match="refused unread"):
        run(opened, read)
    assert not mark.exists()
    # It is a pickle that works, so the test would notice.
    pickle.loads(payload)
    assert mark.exists()


def test_a_planted_counter_is_refused_and_nothing_is_run(opened, folder, tmp_path):
    write_some(opened)
    mark = tmp_path / "executed"
    with connected(folder) as other:
        other.execute("UPDATE Cache SET mode = 4, value = ? WHERE key = '#version'", (pickle.dumps(Bomb(mark)),))
    with pytest.raises(IntegrityError, match="refused unread"):
        write_some(opened)
    assert not mark.exists()


def test_a_planted_pickled_key_is_never_read(opened, folder, tmp_path):
    write_some(opened)
    mark = tmp_path / "executed"
    with connected(folder) as other:
        other.execute(
            "INSERT INTO Cache (key, raw, mode, value) VALUES (?, 0, 1, ?)", (pickle.dumps(Bomb(mark)), b"\0" * 9)
        )
    assert [r.key for r in run(opened, lambda storage: storage.scan(Scan()))] == ["a", "victim", "z"]
    assert not mark.exists()


def test_a_file_that_a_planted_row_names_is_not_removed(opened, folder, tmp_path):
    write_some(opened)
    (tmp_path / "outside").write_bytes(b"precious")
    with connected(folder) as other:
        other.execute("UPDATE Cache SET filename = '../../outside' WHERE key = 'test/victim'")
    run(opened, lambda storage: storage.commit(Commit(deletes=frozenset({"victim"}))))
    assert (tmp_path / "outside").read_bytes() == b"precious"


def test_pickle_is_never_reached(opened, clock, monkeypatch):
    def reached(*args, **kwargs):
        raise AssertionError("pickle was reached")

    for name in ("load", "loads", "dump", "dumps", "Unpickler", "Pickler"):
        monkeypatch.setattr(pickle, name, reached)

    async def work(storage):
        for n in range(3):
            await storage.commit(Commit(puts={"a": b"x" * 10**5, "b": b"", f"{n}": b"1"}, ttl_s=10 if n == 1 else None))
            await storage.get(Get(keys=["a", "b", "x"]))
            await storage.scan(Scan(reverse=True))
            with pytest.raises(ConflictError):
                await storage.commit(Commit(puts={"a": b""}, expect={"a": None}))
            clock.advance(20)
        await storage.commit(Commit(deletes=frozenset({"a"})))

    run(opened, work)
    run(opened, work)


def test_the_disk_takes_text_and_bytes_only(tmp_path):
    disk = SafeDisk(str(tmp_path))
    for key in (b"a", 1, 1.0, ("a",), None):
        with pytest.raises(TypeError):
            disk.put(key)
    for value in ("a", 1, None, [b"a"], bytearray(b"a")):
        with pytest.raises(TypeError):
            disk.store(value, False)
    for key, raw in ((b"a", True), (pickle.dumps("a"), False), ("a", False)):
        with pytest.raises(IntegrityError):
            disk.get(key, raw)


def test_a_large_value_is_in_the_database_and_not_in_a_file(opened, folder):
    run(opened, lambda storage: storage.commit(Commit(puts={"a": bytes(3 * 2**20)})))
    assert {file.name for file in folder.iterdir()} <= {"cache.db", "cache.db-wal", "cache.db-shm"}


def test_only_the_owner_may_read_the_folder_and_its_files(opened, folder):
    async def work(storage):
        await storage.commit(Commit(puts={"a": b""}))
        return {file.name: stat.S_IMODE(file.stat().st_mode) for file in (folder, *folder.iterdir())}

    modes = run(opened, work)
    assert modes == {"cache": 0o700, "cache.db": 0o600, "cache.db-wal": 0o600, "cache.db-shm": 0o600}


def test_nothing_is_culled_and_nothing_evicted(opened, folder):
    async def work(storage):
        await storage.commit(Commit(puts={f"{n:04}": bytes(2000) for n in range(2000)}))
        return len(await storage.scan(Scan(limit=10**6)))

    assert run(opened, work) == 2000
    with connected(folder) as other:
        kept = dict(other.execute("SELECT key, value FROM Settings"))
    assert (kept["eviction_policy"], kept["cull_limit"]) == ("none", 0)
    assert kept["size_limit"] > 2**60


def test_expired_records_leave_the_table(opened, folder, clock):
    async def work(storage):
        await storage.commit(Commit(puts={f"{n:04}": b"x" for n in range(150)}, ttl_s=5))
        clock.advance(10)
        for _ in range(2):
            await storage.commit(Commit(puts={"last": b""}))

    run(opened, work)
    with connected(folder) as other:
        assert {key for (key,) in other.execute("SELECT key FROM Cache")} == {"test/last", "#version", "#form"}


def test_a_scan_and_a_get_use_the_index_over_keys(opened, folder):
    write_some(opened)
    with connected(folder) as other:
        for where in ("key >= ? AND key < ? ORDER BY key DESC", "key IN (SELECT value FROM json_each(?)) AND tag > ?"):
            plan = other.execute(f"EXPLAIN QUERY PLAN SELECT value FROM Cache WHERE raw = 1 AND {where}", ("a", "[]"))
            assert any("USING INDEX Cache_key_raw" in row[3] for row in plan), where


def test_the_event_loop_goes_on_while_another_process_holds_the_lock(opened, folder):
    async def main():
        async with opened(busy_timeout_s=3600) as storage:
            with connected(folder) as other:
                other.execute("BEGIN IMMEDIATE")
                task = asyncio.create_task(storage.commit(Commit(puts={"a": b"2"})))
                for _ in range(50):
                    await asyncio.sleep(0)
                assert not task.done()
                other.execute("ROLLBACK")
            await task
            return [record.value for record in await storage.scan(Scan())]

    assert asyncio.run(main()) == [b"2"]


def test_waiting_for_the_lock_ends_with_an_error_that_says_so(opened, folder):
    async def main():
        async with opened(busy_timeout_s=0.01) as storage:
            with connected(folder) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(StorageError, match=r"locked by another process for 0\.01 s"):
                    await storage.commit(Commit(puts={"a": b"2"}))
            return await storage.scan(Scan())

    assert asyncio.run(main()) == []


def test_a_file_that_is_no_database_is_refused_with_the_remedy(opened, folder):
    folder.mkdir(parents=True)
    (folder / "cache.db").write_bytes(b"no database at all " * 400)
    with pytest.raises(IntegrityError, match=r"cache\.db is damaged .*restore a copy"):
        write_some(opened)


def test_settings_that_diskcache_cannot_use_are_damage(opened, folder):
    write_some(opened)
    with connected(folder) as other:
        other.execute("INSERT INTO Settings VALUES ('disk_fetch', 'x')")
    with pytest.raises(IntegrityError, match="settings"):
        write_some(opened)


def test_the_stock_cache_would_have_run_the_planted_row(folder, tmp_path):
    # Shows that the danger is real, so that the tests above mean something.
    mark = tmp_path / "executed"
    with diskcache.Cache(str(folder)) as cache:
        cache.set("victim", "x")
    with connected(folder) as other:
        other.execute("UPDATE Cache SET mode = 4, value = ?", (pickle.dumps(Bomb(mark)),))
    with diskcache.Cache(str(folder)) as cache:
        cache.get("victim")
    assert mark.exists()


def test_every_acknowledged_commit_survives_kill_9_whole(opened, folder):
    chance = random.Random(1)
    for round_ in range(3):
        writer = subprocess.Popen([sys.executable, HERE / "write.py", folder, str(round_)], stdout=subprocess.PIPE)
        said = [writer.stdout.readline() for _ in range(chance.randrange(1, 12))]
        writer.kill()
        said += writer.communicate()[0].splitlines()
        acknowledged = int(said[-1].split()[1])
        records = run(opened, lambda storage: storage.scan(Scan()))
        assert len(records) == 5
        (value,) = {record.value for record in records}
        # The last one acknowledged, or the one after it, of which there was no time to tell.
        assert value in {f"{round_} {n}".encode() * 20_000 for n in (acknowledged, acknowledged + 1)}
    with connected(folder) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
