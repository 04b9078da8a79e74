"""The file: making it, opening it, bringing an older one up to date, and copying it; plain calls."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attrs import define, evolve, frozen

from lamina.errors import IntegrityError, StorageError
from lamina.kit import tables
from lamina_storage_sqlite import _careful, _rows

SCHEMA = 2
"""Version of the schema, kept in the file's ``user_version``. Version 1 had no checksums."""

APPLICATION = 0x6C616D69
"""The file's ``application_id``: "lami"."""


@frozen
class Opening:
    """How a file is to be opened."""

    path: Path
    synchronous: str
    timeout_s: float
    logger: Any


@define
class Opened:
    """The connections to a file."""

    path: Path
    reader: sqlite3.Connection
    writer: sqlite3.Connection | None
    """``None`` where the file can only be read."""
    copy: tempfile.TemporaryDirectory[str] | None = None
    """Where a copy lies that is read instead."""
    why: str = "its folder, the file or the disk takes nothing more"
    """Why it can only be read, where that is so."""

    def close(self) -> None:
        """Close what is open; the last one to close copies the log into the file."""
        self.reader.close()
        if self.writer is not None:
            self.writer.close()
        self.clean()

    def clean(self) -> None:
        """Remove the copy."""
        if self.copy is not None:
            self.copy.cleanup()


def open_file(opening: Opening) -> Opened:
    """Open the file for writing, or for reading where nothing can be written; make it where it is missing.

    Raises:
        sqlite3.Error: What SQLite says; see :func:`translated`.
        IntegrityError: The file is cut off, not lamina's, or of a newer release.
        OSError: The folder or the file cannot be made.
    """
    path = opening.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _make(opening)
        # A new file has its name only once it is a database, so a shorter one has lost what it held.
        tables.check_size(path)
        if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
            return _open_both(opening)
    except (sqlite3.OperationalError, OSError) as error:
        if not (path.is_file() and tables.is_unwritable(error)):
            raise
    except sqlite3.DatabaseError as error:
        missing = tables.is_damage(error) and tables.missing_bytes(path)
        if not missing:
            raise
        opening.logger.warning("the file is cut off: only read", path=str(path), missing_bytes=missing)
        return _open_copy(opening, f"it was cut off, {missing} bytes are missing; restore a backup")
    return _open_reading(opening)


# -------------------------------------------------------------------------------------------------------- making


def _make(opening: Opening) -> None:
    """Make a database under another name, and give it its own when it is whole.

    Raises:
        IntegrityError: A log with commits lies there, so the database was removed, not never made.
    """
    path = opening.path
    tables.check_missing(path)
    made = tables.new_file(path)
    try:
        connection = _connect(made, opening.timeout_s)
        try:
            _create(connection)
        finally:
            connection.close()
        tables.give_name(made, path)
    except FileExistsError:
        pass  # another process was first
    finally:
        made.unlink(missing_ok=True)


def _create(connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StorageError(f"SQLite cannot use a write-ahead log here (mode {mode!r}); choose a local disk")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_rows.CREATE)
    connection.execute(_rows.CREATE_COUNTERS)
    connection.execute("INSERT INTO counters VALUES ('deletes', 0), ('unclean', 0)")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
    connection.execute("COMMIT")


# ------------------------------------------------------------------------------------------------------- opening


def _open_both(opening: Opening) -> Opened:
    path = opening.path
    with contextlib.ExitStack() as opened:
        writer = _connect(path, opening.timeout_s)
        opened.callback(writer.close)
        _check_known(writer, path)
        _set_wal(writer, opening.timeout_s)
        writer.execute("PRAGMA secure_delete = ON")
        _migrate(writer, opening)
        _tell_lost(opening)
        writer.execute(f"PRAGMA synchronous = {opening.synchronous}")
        # The storage checkpoints on its thread; this is the net for what it estimated wrongly.
        writer.execute("PRAGMA wal_autocheckpoint = 20000")
        reader = _connect(path, opening.timeout_s)
        opened.callback(reader.close)
        reader.execute("PRAGMA query_only = 1")
        for connection in (writer, reader):
            # Calls on the event loop's thread must not wait.
            connection.execute("PRAGMA busy_timeout = 0")
        opened.pop_all()
    return Opened(path=path, reader=reader, writer=writer)


def open_reader(path: Path, timeout_s: float) -> sqlite3.Connection:
    """One more connection to a file that is open already, which only reads.

    Raises:
        sqlite3.Error: What SQLite says; see :func:`translated`.
    """
    connection = _connect(path, timeout_s)
    connection.execute("PRAGMA query_only = 1")
    return connection


def _connect(path: Path | str, timeout_s: float, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=timeout_s, isolation_level=None, check_same_thread=False, cached_statements=64, uri=uri
    )


def _check_known(connection: sqlite3.Connection, path: Path) -> int:
    """The file's schema."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION:
        raise IntegrityError(f"{path} is a database of another application; give the storage a path of its own")
    if schema > SCHEMA:
        raise IntegrityError(
            f"{path} has schema {schema}, written by a newer release; this one knows schema {SCHEMA}: update "
            "lamina-storage-sqlite"
        )
    if schema < 1 or tables == 0:
        raise IntegrityError(f"{path} has schema {schema}, which no release wrote; restore a copy of the file")
    return int(schema)


def _set_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Switch to WAL, which a copy of a file may not have; SQLite does not always wait for others here, so we do."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not tables.is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(0.005)
            continue
        if mode != "wal":
            raise StorageError(f"SQLite cannot use a write-ahead log here (mode {mode!r}); choose a local disk")
        return


def _tell_lost(opening: Opening) -> None:
    lost = tables.lost_commits(opening.path)
    if lost:
        kept = tables.keep_damaged(opening.path)
        opening.logger.warning("the write-ahead log is damaged: commits are lost", path=str(opening.path), commits=lost, log=str(kept))  # fmt: skip


# ------------------------------------------------------------------------------------------------------- reading


def _open_reading(opening: Opening) -> Opened:
    """Open a file where nothing can be written beside it.

    SQLite reads a file in WAL mode only if there are, or it can make, side files; without a log there is nothing in
    them, and with one a copy of both is read.
    """
    path, wal = opening.path, tables.side_file(opening.path, "-wal")
    with contextlib.suppress(sqlite3.OperationalError):
        return _opened_reading(f"file:{quote(str(path))}?mode=ro", opening)
    if not (wal.exists() and wal.stat().st_size > 0):
        with contextlib.suppress(_OlderError):
            return _opened_reading(f"file:{quote(str(path))}?mode=ro&immutable=1", opening)
    return _open_copy(opening)


def _open_copy(opening: Opening, why: str | None = None) -> Opened:
    """Read a copy of the file and its log, with zeros where its end is missing."""
    path = opening.path
    folder = tempfile.TemporaryDirectory(prefix="lamina-")
    try:
        copy = tables.copied(path, Path(folder.name))
        opened = _open_both(evolve(opening, path=copy))
    except BaseException:
        folder.cleanup()
        raise
    if opened.writer is not None:
        opened.writer.close()
    read = Opened(path=path, reader=opened.reader, writer=None, copy=folder)
    return read if why is None else evolve(read, why=why)


class _OlderError(sqlite3.OperationalError):
    """The file must be brought up to date, which needs a copy."""


def _opened_reading(uri: str, opening: Opening) -> Opened:
    reader = _connect(uri, opening.timeout_s, uri=True)
    try:
        if _check_known(reader, opening.path) < SCHEMA:
            raise _OlderError(f"{opening.path} is of an older release")
        reader.execute("SELECT count(*) FROM counters").fetchone()
        reader.execute("PRAGMA busy_timeout = 0")
    except BaseException:
        reader.close()
        raise
    return Opened(path=opening.path, reader=reader, writer=None)


# ----------------------------------------------------------------------------------------------------- migrating


def _migrate(connection: sqlite3.Connection, opening: Opening) -> None:
    """Bring an older file up to date in one transaction, with a copy of it made first."""
    path = opening.path
    if _check_known(connection, path) == SCHEMA:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been first.
        if _check_known(connection, path) < SCHEMA:
            kept = tables.side_file(path, ".schema-1.backup")
            with contextlib.suppress(FileExistsError):
                # Nobody else can write now, so the copy is what will be changed.
                copy_to(path, kept, opening.timeout_s)
            _add_checksums(connection)
            opening.logger.info("storage brought up to date", path=str(path), schema=SCHEMA, backup=str(kept))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _add_checksums(connection: sqlite3.Connection) -> None:
    spaces: dict[str, _rows.Space] = {}

    def checksum(namespace: str, key: str, value: bytes) -> int:
        space = spaces.get(namespace)
        if space is None:
            space = spaces[namespace] = _rows.Space(namespace)
        return space.checksum(key, value)

    connection.create_function("lamina_checksum", 3, checksum, deterministic=True)
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'records'").fetchone()
    connection.execute("ALTER TABLE records RENAME TO records_1")
    connection.execute(_rows.CREATE)
    connection.execute(
        "INSERT INTO records (version, namespace, key, checksum, value) "
        "SELECT version, namespace, key, lamina_checksum(namespace, key, value), value FROM records_1 ORDER BY version"
    )
    connection.execute("DROP TABLE records_1")
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'records'")
    connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('records', ?)", (last,))
    connection.execute(_rows.CREATE_COUNTERS)
    # Releases before this one did not overwrite what they deleted.
    connection.execute("INSERT INTO counters VALUES ('deletes', 0), ('unclean', 1)")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")


# ------------------------------------------------------------------------------------------------------- copying


def copy_to(path: Path, target: Path, timeout_s: float) -> None:
    """Write a whole copy of the file as of one moment, while others go on writing.

    Raises:
        FileExistsError: There is something at ``target``.
        IntegrityError: The file is damaged; there is no copy.
    """
    source = _connect(path, timeout_s)
    try:
        copy_from(source, path, target, timeout_s)
    finally:
        source.close()


def copy_from(source: sqlite3.Connection, path: Path, target: Path, timeout_s: float) -> None:
    """The same by a connection that is there."""

    def check(made: Path) -> None:
        copy = _connect(made, timeout_s)
        try:
            damages = _careful.check(copy, path, 1) if _check_known(copy, path) == SCHEMA else []
        finally:
            copy.close()
        if damages:
            raise IntegrityError(f"not copied: {damages[0].what}")

    tables.vacuum_into(source, target, check)


def scrub(connection: sqlite3.Connection) -> None:
    """Leave nothing of what was deleted: in freed pages SQLite overwrites it, and the log is cut to nothing.

    Raises:
        StorageError: Another process still reads what was.
    """
    (unclean,) = connection.execute("SELECT n FROM counters WHERE name = 'unclean'").fetchone()
    if unclean:
        connection.execute("VACUUM")
        connection.execute("UPDATE counters SET n = 0 WHERE name = 'unclean'")
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StorageError("what was deleted still stands in the write-ahead log, because another process reads it; ask again")  # fmt: skip


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the write-ahead log into the file as far as readers allow, so that it starts again from its beginning."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


# -------------------------------------------------------------------------------------------------------- errors


def translated(error: Exception, path: Path, timeout_s: float) -> StorageError:
    """The error of SQLite or the system, as lamina says it, with the remedy."""
    if isinstance(error, sqlite3.Error) and tables.is_damage(error):
        return IntegrityError(
            f"{path} is damaged ({error}); restore a copy, or save what can be read: "
            f"sqlite3 '{path}' .recover | sqlite3 recovered.db"
        )
    if isinstance(error, sqlite3.Error) and tables.is_busy(error):
        return StorageError(
            f"{path} stayed locked by another process for {timeout_s:g} s; nothing was written; end that process, "
            "or raise busy_timeout_s"
        )
    return StorageError(f"{path}: {error}")
