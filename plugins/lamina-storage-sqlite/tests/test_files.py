"""What the SQLite storage does with files that are old, cut off, read-only, damaged, or copied."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from lamina.errors import IntegrityError, StorageError
from lamina.protocols import BackupRequest, CheckRequest, Commit, Get, Scan, ScrubRequest
from lamina.testing import LoneHost
from lamina_storage_sqlite import SqliteSettings, open_sqlite

STORES = Path(__file__).parent / "stores"


def run(folder, work, namespace="default", **settings):
    async def main():
        async with open_sqlite(SqliteSettings(**settings), LoneHost(folder, namespace=namespace)) as storage:
            return await work(storage)

    return asyncio.run(main())


def fill(folder, n_records=300):
    run(folder, lambda storage: storage.commit(Commit(puts={f"{n:05}": b"x" * 200 for n in range(n_records)})))


async def everything(storage):
    return {record.key: record.value for record in await storage.scan(Scan(limit=10**6))}


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


class TestAnOlderFile:
    """``stores/schema-1.db`` was written by the release before checksums."""

    def check(self, folder):
        for namespace, version in (("default", 43), ("another/one", 89)):
            found = run(folder, lambda storage: storage.scan(Scan()), namespace)
            names = [f"log/a/{n:05}" for n in range(40) if n != 7]
            assert [record.key for record in found] == ["head", "large", *names, "é😀"]
            assert found[0].value == b"3"
            assert found[0].version == version
            values = {record.key: record.value for record in found}
            assert values["large"] == bytes(range(256)) * 40
            assert all(values[f"log/a/{n:05}"] == f"{namespace} record {n} ".encode() * (1 + n % 7) for n in (0, 3, 39))

    def test_it_is_brought_up_to_date_and_a_copy_of_it_stays(self, tmp_path):
        shutil.copyfile(STORES / "schema-1.db", tmp_path / "lamina.db")
        self.check(tmp_path)
        backup = tmp_path / "lamina.db.schema-1.backup"
        with (
            contextlib.closing(sqlite3.connect(backup)) as old,
            contextlib.closing(sqlite3.connect(tmp_path / "lamina.db")) as new,
        ):
            assert old.execute("PRAGMA user_version").fetchone() == (1,)
            rows = "SELECT version, namespace, key, value FROM records ORDER BY version"
            assert old.execute(rows).fetchall() == new.execute(rows).fetchall()
            assert new.execute("PRAGMA user_version").fetchone() == (2,)
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600

    def test_no_version_is_used_again(self, tmp_path):
        shutil.copyfile(STORES / "schema-1.db", tmp_path / "lamina.db")
        with contextlib.closing(sqlite3.connect(tmp_path / "lamina.db")) as old:
            (last,) = old.execute("SELECT seq FROM sqlite_sequence").fetchone()
        assert run(tmp_path, lambda storage: storage.commit(Commit(puts={"new": b""})))["new"] > last

    def test_it_can_be_read_where_nothing_can_be_written(self, readable):
        shutil.copyfile(STORES / "schema-1.db", readable / "lamina.db")
        with as_nobody(readable):
            self.check(readable)
        assert {path.name for path in readable.iterdir()} == {"lamina.db"}

    def test_what_it_had_deleted_is_gone_after_a_scrub(self, tmp_path):
        with contextlib.closing(sqlite3.connect(tmp_path / "lamina.db")) as old:
            old.executescript(
                "PRAGMA secure_delete = OFF; PRAGMA application_id = 1818324329; PRAGMA user_version = 1;"
                "CREATE TABLE records (version INTEGER PRIMARY KEY AUTOINCREMENT, namespace TEXT NOT NULL, "
                "key TEXT NOT NULL, value BLOB NOT NULL, UNIQUE (namespace, key));"
                "INSERT INTO records (namespace, key, value) VALUES ('default', 'a', CAST('<secret>' AS BLOB)), "
                "('default', 'b', CAST('kept' AS BLOB)); DELETE FROM records WHERE key = 'a';"
            )
        assert b"<secret>" in (tmp_path / "lamina.db").read_bytes()
        run(tmp_path, lambda storage: storage.scrub(ScrubRequest()))
        assert b"<secret>" not in (tmp_path / "lamina.db").read_bytes()
        assert run(tmp_path, everything) == {"b": b"kept"}


class TestACutFile:
    @pytest.mark.parametrize("size", [0, 1, 100, 511])
    def test_it_is_no_new_store(self, tmp_path, size):
        fill(tmp_path)
        os.truncate(tmp_path / "lamina.db", size)
        with pytest.raises(IntegrityError, match=rf"lamina\.db has {size} bytes.*cut off.*restore a backup, or delete"):
            run(tmp_path, everything)
        assert (tmp_path / "lamina.db").stat().st_size == size

    def test_a_log_without_its_database_is_no_new_store(self, tmp_path):
        fill(tmp_path)
        (tmp_path / "lamina.db").unlink()
        (tmp_path / "lamina.db-wal").write_bytes(b"x" * 5000)
        with pytest.raises(IntegrityError, match=r"lamina\.db is missing, but lamina\.db-wal beside it"):
            run(tmp_path, everything)
        assert (tmp_path / "lamina.db-wal").stat().st_size == 5000

    def test_a_file_cut_in_its_middle_gives_what_it_still_holds(self, tmp_path):
        fill(tmp_path, 3000)
        size = (tmp_path / "lamina.db").stat().st_size
        os.truncate(tmp_path / "lamina.db", size // 2 // 4096 * 4096)
        with pytest.raises(IntegrityError, match="damaged"):
            run(tmp_path, everything)
        found = run(tmp_path, lambda storage: storage.scan(Scan(limit=10**6, tolerant=True)))
        whole = [record for record in found if not record.damaged]
        assert len(whole) > 500
        assert {record.value for record in whole} == {b"x" * 200}
        assert len(whole) < 3000
        assert any(record.damaged for record in found)

    def test_a_new_file_has_its_name_only_once_it_is_whole(self, tmp_path):
        fill(tmp_path, 1)
        assert {path.name for path in tmp_path.iterdir()} == {"lamina.db"}


@contextlib.contextmanager
def as_nobody(folder):
    """Act as a user who may read the folder and write nothing in it."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        before = folder.stat().st_mode
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(before)


@pytest.fixture
def readable():
    """A folder that everybody can reach, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="lamina-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def open_to_all(folder):
    for path in folder.iterdir():
        path.chmod(0o644)


class TestAReadOnlyFolder:
    def test_what_it_holds_is_read_and_writing_is_refused(self, readable):
        fill(readable)
        open_to_all(readable)

        async def work(storage):
            assert len(await everything(storage)) == 300
            assert (await storage.get(Get(keys=["00007"])))[0].value == b"x" * 200
            assert list(await storage.check(CheckRequest())) == []
            for call in (lambda: storage.commit(Commit(puts={"a": b""})), lambda: storage.scrub(ScrubRequest())):
                with pytest.raises(StorageError, match="can only be read"):
                    await call()

        with as_nobody(readable):
            run(readable, work)

    def test_the_log_of_a_killed_writer_is_read_too(self, readable, tmp_path):
        fill(tmp_path, 10)

        async def copy_while_open(storage):
            await storage.commit(Commit(puts={"late": b"in the log"}))
            for name in ("lamina.db", "lamina.db-wal"):
                shutil.copyfile(tmp_path / name, readable / name)

        run(tmp_path, copy_while_open)
        with as_nobody(readable):
            assert run(readable, everything)["late"] == b"in the log"
        assert {path.name for path in readable.iterdir()} == {"lamina.db", "lamina.db-wal"}

    def test_a_backup_can_be_made_of_it(self, readable, tmp_path):
        fill(readable)
        open_to_all(readable)
        target = Path(tempfile.mkdtemp(prefix="lamina-copy-"))
        try:
            target.chmod(0o777)
            with as_nobody(readable):
                run(readable, lambda storage: storage.backup(BackupRequest(path=target / "copy.db")))
            assert len(run(target, everything, path="copy.db")) == 300
        finally:
            shutil.rmtree(target)

    def test_where_there_is_nothing_yet_it_is_an_error(self, readable):
        with as_nobody(readable), pytest.raises(StorageError, match=r"lamina\.db"):
            run(readable, everything)


class TestAFullDisk:
    @pytest.fixture
    def small(self, tmp_path):
        """Two megabytes."""
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("may not mount a small file system")
        yield tmp_path
        subprocess.run(["umount", tmp_path], check=True)

    def test_a_commit_says_so_and_what_was_committed_stays(self, small):
        async def work(storage):
            n = 0
            with pytest.raises(StorageError, match="full"):
                while True:
                    await storage.commit(Commit(puts={f"{n:05}": b"x" * 10_000}))
                    n += 1
            assert len(await everything(storage)) == n
            return n

        n = run(small, work)
        (small / "filler").write_bytes(b"")
        with contextlib.suppress(OSError), (small / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 512)
        found = run(small, everything)
        assert len(found) == n
        assert set(found.values()) == {b"x" * 10_000}


class TestABackup:
    def test_only_its_owner_may_read_it(self, tmp_path):
        fill(tmp_path)
        path = tmp_path / "copies" / "a.db"
        run(tmp_path, lambda storage: storage.backup(BackupRequest(path=path)))
        assert modes(tmp_path / "copies") == {"a.db": 0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_what_is_damaged_is_not_copied(self, tmp_path):
        fill(tmp_path)
        with contextlib.closing(sqlite3.connect(tmp_path / "lamina.db", isolation_level=None)) as other:
            other.execute("UPDATE records SET value = x'00' WHERE key = '00007'")
        with pytest.raises(IntegrityError, match="not copied: .*'00007'"):
            run(tmp_path, lambda storage: storage.backup(BackupRequest(path=tmp_path / "copies" / "a.db")))
        assert list((tmp_path / "copies").iterdir()) == []


class TestADamagedLog:
    def write(self, folder, into):
        """A log with ten commits, as a killed process leaves it."""

        async def work(storage):
            for n in range(10):
                await storage.commit(Commit(puts={f"{n}": b"x" * 5000}))
            for name in ("lamina.db", "lamina.db-wal"):
                shutil.copyfile(folder / name, into / name)

        run(folder, work)

    def test_commits_that_it_cuts_off_are_told_and_its_copy_is_kept(self, tmp_path):
        (tmp_path / "torn").mkdir()
        self.write(tmp_path, tmp_path / "torn")
        wal = tmp_path / "torn" / "lamina.db-wal"
        data = bytearray(wal.read_bytes())
        data[len(data) // 2] ^= 1
        wal.write_bytes(data)
        host = LoneHost(tmp_path / "torn", namespace="default")

        async def main():
            async with open_sqlite(SqliteSettings(), host) as storage:
                return await everything(storage), await storage.check(CheckRequest())

        found, damages = asyncio.run(main())
        assert 0 < len(found) < 10
        assert sorted(found) == [f"{n}" for n in range(len(found))]
        assert ["lamina.db-wal.damaged-1" in damage.what for damage in damages] == [True]
        kept = tmp_path / "torn" / "lamina.db-wal.damaged-1"
        assert kept.read_bytes() == data
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert [event["commits"] for event in host.logged if "damaged" in event["event"]] == [10 - len(found)]

    def test_a_whole_log_and_a_torn_end_are_no_damage(self, tmp_path):
        for name, cut in (("whole", 0), ("torn", 3000)):
            (tmp_path / name).mkdir()
            self.write(tmp_path / f"of-{name}", tmp_path / name)
            wal = tmp_path / name / "lamina.db-wal"
            os.truncate(wal, wal.stat().st_size - cut)
            assert len(run(tmp_path / name, everything)) == (10 if not cut else 9)
            assert not list((tmp_path / name).glob("*damaged*"))
