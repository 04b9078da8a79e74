"""The file: opening it, its schema, and the statements; plain calls on a connection."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from lamina.errors import ConflictError, IntegrityError, StorageError
from lamina.kit.keys import prefix_end
from lamina.protocols import Commit, Record, Scan, Size

SCHEMA = 1
"""Version of the schema, kept in the file's ``user_version``."""

APPLICATION = 0x6C616D69
"""The file's ``application_id``: "lami"."""

# AUTOINCREMENT keeps the highest version ever given, so none is given twice, also not after its record is gone.
# TEXT compares as its UTF-8 bytes (collation BINARY), which is the order of code points.
_CREATE = """
CREATE TABLE records (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL COLLATE BINARY,
    key TEXT NOT NULL COLLATE BINARY,
    value BLOB NOT NULL,
    UNIQUE (namespace, key)
)
"""
_INSERT = "INSERT INTO records (namespace, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_REPLACE = "INSERT OR REPLACE INTO records (namespace, key, value) VALUES (?, ?, ?)"
_REPLACE_NUMBERED = "INSERT OR REPLACE INTO records (version, namespace, key, value) VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM records WHERE namespace = ? AND key = ?"
_VERSION = "SELECT version FROM records WHERE namespace = ? AND key = ?"
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'records'"
_GET = "SELECT key, value, version FROM records WHERE namespace = ? AND key = ?"
# One statement reads one state of the database; a transaction would cost two more.
_GET_MANY = """
SELECT key, value, version FROM records WHERE namespace = ? AND key IN (SELECT value FROM json_each(?))
"""
_MOST = 2**62
"""More than any limit; SQLite's integers end at 2^63."""


def open_database(path: Path, *, synchronous: str, timeout_s: float) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """A connection that writes and one that only reads; the file and its schema exist afterwards.

    Raises:
        sqlite3.Error: What SQLite says; see :func:`translated`.
        IntegrityError: The file is not lamina's, or of a newer release.
        OSError: The folder or the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # SQLite would create it by the umask; its journal files take their mode from it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    writer = _connect(path, timeout_s)
    try:
        _prepare(writer, path, timeout_s)
        writer.execute(f"PRAGMA synchronous = {synchronous}")
        # The storage checkpoints on its thread; this is the net for what it estimated wrongly.
        writer.execute("PRAGMA wal_autocheckpoint = 20000")
        reader = _connect(path, timeout_s)
    except BaseException:
        writer.close()
        raise
    try:
        reader.execute("PRAGMA query_only = 1")
        for connection in (writer, reader):
            # Calls on the event loop's thread must not wait.
            connection.execute("PRAGMA busy_timeout = 0")
    except BaseException:
        reader.close()
        writer.close()
        raise
    return writer, reader


def _connect(path: Path, timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False, cached_statements=64)


def _prepare(connection: sqlite3.Connection, path: Path, timeout_s: float) -> None:
    """Make the file a database of ours in WAL mode, or refuse it."""
    if not _known(connection, path):
        _set_wal(connection, timeout_s)
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been first.
            if not _known(connection, path):
                connection.execute(_CREATE)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    else:
        _set_wal(connection, timeout_s)


def _known(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file has our schema; false for an empty one."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and schema == 0 and tables == 0:
        return False
    if application != APPLICATION:
        raise IntegrityError(f"{path} is a database of another application; give the storage a path of its own")
    if schema > SCHEMA:
        raise IntegrityError(
            f"{path} has schema {schema}, written by a newer release; this one knows schema {SCHEMA}: update "
            "lamina-storage-sqlite"
        )
    if schema < SCHEMA or tables == 0:
        raise IntegrityError(f"{path} has schema {schema}, which no release wrote; restore a copy of the file")
    return True


def _set_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Switch to WAL; SQLite does not always wait for others here, so we do."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(0.005)
            continue
        if mode != "wal":
            raise StorageError(f"SQLite cannot use a write-ahead log here (mode {mode!r}); choose a local disk")
        return


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds the lock."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def translated(error: Exception, path: Path, timeout_s: float) -> StorageError:
    """The error of SQLite or the system, as lamina says it, with the remedy."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return IntegrityError(
            f"{path} is damaged ({error}); restore a copy, or save what can be read: "
            f"sqlite3 '{path}' .recover | sqlite3 recovered.db"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageError(
            f"{path} stayed locked by another process for {timeout_s:g} s; nothing was written; end that process, "
            "or raise busy_timeout_s"
        )
    return StorageError(f"{path}: {error}")


_FEW = 4
"""Puts that are written one by one; more are cheaper at once."""


def write(connection: sqlite3.Connection, namespace: str, request: Commit) -> dict[str, int]:
    """Write the batch in one transaction; give the versions of the puts."""
    puts, expect = request.puts, request.expect
    few = len(puts) <= _FEW and not request.deletes and all(key in puts and expect[key] is None for key in expect)
    if few and len(puts) == 1:
        return _write_few(connection, namespace, request)  # a single statement is a transaction by itself
    connection.execute("BEGIN IMMEDIATE")
    try:
        versions = (_write_few if few else _write_batch)(connection, namespace, request)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return versions


def _write_batch(connection: sqlite3.Connection, namespace: str, request: Commit) -> dict[str, int]:
    lost = []
    for key, version in request.expect.items():
        row = connection.execute(_VERSION, (namespace, key)).fetchone()
        if (None if row is None else row[0]) != version:
            lost.append(key)
    if lost:
        raise ConflictError(lost)
    if request.deletes:
        connection.executemany(_DELETE, [(namespace, key) for key in request.deletes])
    if not request.puts:
        return {}
    # Numbered here, because executemany tells no row ids; AUTOINCREMENT takes note of the highest.
    row = connection.execute(_LAST).fetchone()
    first = (0 if row is None else row[0]) + 1
    rows = [(version, namespace, key, value) for version, (key, value) in enumerate(request.puts.items(), first)]
    connection.executemany(_REPLACE_NUMBERED, rows)
    return {key: version for version, _, key, _ in rows}


def _write_few(connection: sqlite3.Connection, namespace: str, request: Commit) -> dict[str, int]:
    """New keys and keys that nothing is expected of: each statement checks for itself, so that nothing is read before."""
    versions, lost = {}, []
    for key, value in request.puts.items():
        cursor = connection.execute(_INSERT if key in request.expect else _REPLACE, (namespace, key, value))
        if key in request.expect and cursor.rowcount == 0:
            lost.append(key)
        versions[key] = cursor.lastrowid or 0
    if lost:
        raise ConflictError(lost)
    return versions


def read(connection: sqlite3.Connection, namespace: str, keys: Sequence[str]) -> list[Record | None]:
    """The records of the keys in their order, all of one state of the database."""
    if len(keys) == 1:
        row = connection.execute(_GET, (namespace, keys[0])).fetchone()
        return [None if row is None else Record(*row)]
    asked = json.dumps(list(keys), ensure_ascii=False)
    found = {row[0]: Record(*row) for row in connection.execute(_GET_MANY, (namespace, asked))}
    return [found.get(key) for key in keys]


def read_range(connection: sqlite3.Connection, namespace: str, request: Scan) -> list[Record]:
    """The records of a range of keys, by one walk along the index, which has all but the values."""
    after, end = request.after, prefix_end(request.prefix)
    low, low_is = request.prefix, ">="
    if after is not None:
        if request.reverse:
            end = after if end is None else min(after, end)
        elif after >= low:
            low, low_is = after, ">"
    bounds: list[str | int] = [namespace, low]
    until = ""
    if end is not None:
        until = "AND key < ?"
        bounds.append(end)
    bounds.append(min(request.limit, _MOST))
    order = "DESC" if request.reverse else "ASC"
    value = "x''" if request.keys_only else "value"
    rows = connection.execute(
        f"SELECT key, {value}, version FROM records WHERE namespace = ? AND key {low_is} ? {until} "  # noqa: S608
        f"ORDER BY key {order} LIMIT ?",
        bounds,
    )
    return [Record(*row) for row in rows]


def measure(connection: sqlite3.Connection, namespace: str, prefix: str) -> Size:
    """How much is kept under the prefix; the lengths of values stand at the beginning of their rows."""
    end = prefix_end(prefix)
    until, bounds = ("", [namespace, prefix]) if end is None else ("AND key < ?", [namespace, prefix, end])
    row = connection.execute(
        "SELECT count(*), coalesce(sum(length(CAST(key AS BLOB)) + length(value)), 0) "  # noqa: S608
        f"FROM records WHERE namespace = ? AND key >= ? {until}",
        bounds,
    ).fetchone()
    return Size(records=row[0], bytes=row[1])


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the write-ahead log into the file as far as readers allow, so that it starts again from its beginning."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
