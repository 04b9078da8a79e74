"""What storages share about SQLite files: rows behind damage, lost commits, names and copies."""

import contextlib
import os
import shutil
import sqlite3
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import IntegrityError
from lamina.kit import tables

ROWS = "SELECT id, text FROM t NOT INDEXED WHERE id > ? ORDER BY id LIMIT ?"


@contextlib.contextmanager
def connected(path):
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def made(path, n_rows=2000, step=1):
    with connected(path) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n * step, "x" * 100) for n in range(1, n_rows + 1)])
        connection.execute("COMMIT")
    return path


@settings(max_examples=20, deadline=None)
@given(step=st.sampled_from([1, 7, 1000]), bad=st.sets(st.integers(2, 50), min_size=1, max_size=3))
def test_rows_before_and_behind_damaged_pages_are_read(tmp_path_factory, step, bad):
    path = made(tmp_path_factory.mktemp("rows") / "t.db", step=step)
    data = bytearray(path.read_bytes())
    for page in bad:
        data[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    path.write_bytes(data)
    lost = []
    with connected(path) as connection:
        found = [row[0] for row in tables.readable_rows(connection, ROWS, lost.append)]
        with pytest.raises(sqlite3.DatabaseError) as damage:
            connection.execute("SELECT sum(length(text)) FROM t").fetchone()
    assert tables.is_damage(damage.value)
    assert lost
    assert found == sorted(set(found))
    # A page of the table holds about 37 such rows; all others are there.
    assert len(found) >= 2000 - len(bad) * 45


def test_every_row_of_a_whole_table_is_read(tmp_path):
    with connected(made(tmp_path / "t.db")) as connection:
        lost = []
        assert [row[0] for row in tables.readable_rows(connection, ROWS, lost.append)] == list(range(1, 2001))
        assert lost == []


def test_what_is_no_damage_goes_through(tmp_path):
    with connected(made(tmp_path / "t.db")) as connection, pytest.raises(sqlite3.OperationalError, match="no such"):
        list(tables.readable_rows(connection, ROWS.replace("FROM t", "FROM u"), print))


class TestALog:
    @pytest.fixture
    def left(self, tmp_path):
        """A database with eight commits in its log, as a killed process leaves it."""
        (tmp_path / "left").mkdir()
        with connected(tmp_path / "t.db") as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
            for n in range(8):
                connection.execute("INSERT INTO t VALUES (?, ?)", (n, "x" * 3000))
            for ending in ("", "-wal"):
                shutil.copyfile(tmp_path / f"t.db{ending}", tmp_path / "left" / f"t.db{ending}")
        return tmp_path / "left" / "t.db"

    def test_a_whole_one_has_lost_nothing(self, left):
        with connected(left) as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (8,)
            assert tables.lost_commits(left) == 0
        assert tables.lost_commits(left) == 0  # and one that is not there

    def test_commits_behind_a_damaged_frame_are_counted(self, left):
        log = tables.side_file(left, "-wal")
        data = bytearray(log.read_bytes())
        data[len(data) // 2] ^= 1
        log.write_bytes(data)
        with connected(left) as connection:
            (found,) = connection.execute("SELECT count(*) FROM t").fetchone()
            assert 0 < found < 8
            assert tables.lost_commits(left) == 8 - found
            kept = tables.keep_damaged(left)
        assert kept.read_bytes() == data
        assert tables.kept_logs(left) == [kept]
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    @pytest.mark.parametrize("place", [0, 3, 5, 10, 17, 30])
    def test_a_log_whose_head_is_damaged_has_lost_all(self, left, place):
        log = tables.side_file(left, "-wal")
        data = bytearray(log.read_bytes())
        data[place] ^= 64
        log.write_bytes(data)
        with connected(left) as connection:
            assert connection.execute("PRAGMA schema_version").fetchone() == (0,)
            assert tables.lost_commits(left) == 9  # the table was made by one

    def test_a_database_is_not_made_anew_beside_one(self, left):
        left.unlink()
        with pytest.raises(IntegrityError, match=r"t\.db is missing, but t\.db-wal beside it holds commits"):
            tables.check_missing(left)


def test_a_file_gets_a_name_that_is_free_and_no_other(tmp_path):
    path = tmp_path / "a.db"
    new = tables.new_file(path)
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    tables.give_name(new, path)
    with pytest.raises(FileExistsError):
        tables.give_name(tables.new_file(path), path)


def test_a_file_system_without_links_gives_names_too(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(95, "not supported")))
    test_a_file_gets_a_name_that_is_free_and_no_other(tmp_path)


def test_a_file_that_is_cut_off_is_padded_in_its_copy(tmp_path):
    path = made(tmp_path / "t.db")
    whole = path.stat().st_size
    assert tables.missing_bytes(path) == 0
    os.truncate(path, whole - 5000)
    assert tables.missing_bytes(path) == 5000
    (tmp_path / "copy").mkdir()
    copy = tables.copied(path, tmp_path / "copy")
    assert copy.stat().st_size == whole
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    os.truncate(path, 100)
    with pytest.raises(IntegrityError, match="100 bytes"):
        tables.check_size(path)


def test_a_copy_that_does_not_pass_its_check_is_not_left(tmp_path):
    path = made(tmp_path / "t.db")

    def refuse(copy):
        raise IntegrityError(f"{copy.name} is not good enough")

    with connected(path) as connection:
        with pytest.raises(IntegrityError):
            tables.vacuum_into(connection, tmp_path / "copies" / "t.db", refuse)
        assert list((tmp_path / "copies").iterdir()) == []
        tables.vacuum_into(connection, tmp_path / "copies" / "t.db", lambda copy: None)
        with pytest.raises(FileExistsError):
            tables.vacuum_into(connection, tmp_path / "copies" / "t.db", lambda copy: None)
    with connected(tmp_path / "copies" / "t.db") as copy:
        assert copy.execute("SELECT count(*) FROM t").fetchone() == (2000,)


def test_errors_are_told_apart(tmp_path):
    path = made(tmp_path / "t.db", 1)
    with connected(path) as one, sqlite3.connect(path, isolation_level=None, timeout=0) as two:
        one.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as busy:
            two.execute("BEGIN IMMEDIATE")
    two.close()
    assert tables.is_busy(busy.value)
    assert not tables.is_damage(busy.value)
    assert not tables.is_unwritable(busy.value)
    assert tables.is_unwritable(PermissionError(13, "no"))
    with connected(f"file:{path}") as nowhere, pytest.raises(sqlite3.OperationalError) as missing:
        nowhere.execute("SELECT * FROM nothing")
    assert not tables.is_unwritable(missing.value)
