"""What the diskcache storage does with folders that are old, cut off, read-only, or damaged."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path

import pytest

from lamina.errors import IntegrityError, StorageError
from lamina.protocols import BackupRequest, CheckRequest, Commit, Get, Scan
from lamina.testing import LoneHost
from lamina.testing.storage import Clock
from lamina_storage_diskcache import DiskcacheSettings, open_diskcache

STORES = Path(__file__).parent / "stores"


def run(home, work, namespace="default", **settings):
    async def main():
        host = LoneHost(home, namespace=namespace, clock=Clock())
        async with open_diskcache(DiskcacheSettings(**settings), host) as storage:
            return await work(storage)

    return asyncio.run(main())


def fill(home, n_records=100):
    run(home, lambda storage: storage.commit(Commit(puts={f"{n:05}": b"x" * 200 for n in range(n_records)})))


async def everything(storage):
    return {record.key: record.value for record in await storage.scan(Scan(limit=10**6))}


@pytest.fixture
def old(tmp_path):
    """A folder as the release before checksums wrote it."""
    (tmp_path / "cache").mkdir()
    shutil.copyfile(STORES / "form-1.db", tmp_path / "cache" / "cache.db")
    return tmp_path


def test_an_older_folder_is_brought_up_to_date_and_a_copy_of_it_stays(old):
    for namespace in ("default", "another/one"):
        found = {record.key: record for record in run(old, lambda storage: storage.scan(Scan()), namespace)}
        names = [f"log/a/{n:05}" for n in range(40) if n != 7]
        assert found.keys() - {"lives"} == {"head", "large", "é😀", *names}
        assert found["head"].value == b"3"
        assert found["head"].version == {"default": 43, "another/one": 89}[namespace]
        assert all(found[f"log/a/{n:05}"].value == f"{namespace} record {n} ".encode() * (1 + n % 7) for n in (0, 9))
    assert run(old, lambda storage: storage.get(Get(keys=["lives"])))[0].expires_s == 1_700_000_000.0 + 86400
    backup = old / "cache" / "cache.db.form-1.backup"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    rows = "SELECT rowid, key, value FROM Cache ORDER BY rowid"
    with (
        contextlib.closing(sqlite3.connect(backup)) as kept,
        contextlib.closing(sqlite3.connect(STORES / "form-1.db")) as was,
    ):
        assert kept.execute(rows).fetchall() == was.execute(rows).fetchall()
    assert list(run(old, lambda storage: storage.check(CheckRequest()))) == []


def test_a_newer_folder_is_refused_with_both_numbers(tmp_path):
    fill(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "cache" / "cache.db", isolation_level=None)) as other:
        other.execute("UPDATE Cache SET value = x'0000000000000009' WHERE key = '#form'")
        other.execute("PRAGMA user_version = 9")
    with pytest.raises(IntegrityError, match="has form 9; this release knows form 2: update"):
        run(tmp_path, everything)


@pytest.mark.parametrize("size", [0, 1, 511])
def test_a_cut_file_is_no_new_store(tmp_path, size):
    fill(tmp_path)
    os.truncate(tmp_path / "cache" / "cache.db", size)
    with pytest.raises(IntegrityError, match=rf"cache\.db has {size} bytes"):
        run(tmp_path, everything)


def test_a_file_cut_in_its_middle_gives_what_it_still_holds(tmp_path):
    fill(tmp_path, 1000)
    path = tmp_path / "cache" / "cache.db"
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)
    with pytest.raises(IntegrityError, match="damaged"):
        run(tmp_path, everything)
    found = run(tmp_path, lambda storage: storage.scan(Scan(limit=10**6, tolerant=True)))
    whole = [record for record in found if not record.damaged]
    assert 100 < len(whole) < 1000
    assert {record.value for record in whole} == {b"x" * 200}
    assert any(record.damaged for record in found)


def test_a_folder_where_nothing_can_be_written_is_read():
    home = Path(tempfile.mkdtemp(prefix="lamina-test-"))
    root = os.geteuid() == 0
    try:
        fill(home)
        for path in (home, home / "cache"):
            path.chmod(0o755 if root else 0o500)
        (home / "cache" / "cache.db").chmod(0o644 if root else 0o400)

        async def work(storage):
            assert len(await everything(storage)) == 100
            with pytest.raises(StorageError, match="can only be read"):
                await storage.commit(Commit(puts={"a": b""}))

        if root:
            os.seteuid(65534)
        try:
            run(home, work)
        finally:
            if root:
                os.seteuid(0)
        assert {path.name for path in (home / "cache").iterdir()} == {"cache.db"}
    finally:
        (home / "cache").chmod(0o700)
        shutil.rmtree(home)


def test_a_planted_row_is_named_beside_the_rest(tmp_path):
    fill(tmp_path, 3)
    with contextlib.closing(sqlite3.connect(tmp_path / "cache" / "cache.db", isolation_level=None)) as other:
        other.execute("UPDATE Cache SET mode = 4 WHERE key = 'default/00001'")
    found = run(tmp_path, lambda storage: storage.scan(Scan(tolerant=True)))
    assert [bool(record.damaged) for record in found] == [False, True, False]
    assert "refused unread" in found[1].damaged


def test_what_is_damaged_is_not_copied(tmp_path):
    fill(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "cache" / "cache.db", isolation_level=None)) as other:
        other.execute("UPDATE Cache SET value = CAST(value || x'00' AS BLOB) WHERE key = 'default/00007'")
    with pytest.raises(IntegrityError, match="not copied: .*'00007'"):
        run(tmp_path, lambda storage: storage.backup(BackupRequest(path=tmp_path / "copy")))
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("spoil", ["DELETE FROM Cache WHERE key = '#form'", "PRAGMA user_version = 0"])
def test_a_folder_that_has_lost_its_mark_is_not_taken_for_an_older_one(tmp_path, spoil):
    fill(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "cache" / "cache.db", isolation_level=None)) as other:
        other.execute(spoil)
    assert set(run(tmp_path, everything).values()) == {b"x" * 200}
