"""An SQLite file that several processes use: how it is opened, who may read it, transactions, what SQLite says in our words.

For what is derived: a damaged file may be deleted.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lamina.errors import IntegrityError, StorageError

SIDES = ("", "-wal", "-shm")
"""What the names of the file and of those beside it end with."""


def connect(path: Path, timeout_s: float) -> sqlite3.Connection:
    """A connection in WAL mode; the file, which only its owner may read, and its folder exist afterwards.

    Raises:
        sqlite3.Error: What SQLite says; see :func:`faults`.
        OSError: The folder or the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # SQLite would create it by the umask; the files beside it take their mode from it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    # Isolation level None: transactions are begun and ended here, not by the sqlite3 module.
    db = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    try:
        _set_wal(db, timeout_s)
        # What a power cut takes from a derived index is brought back by the kernel's cursor.
        db.execute("PRAGMA synchronous = NORMAL")
        # What is removed is overwritten, not only marked as free.
        db.execute("PRAGMA secure_delete = ON")
    except BaseException:
        db.close()
        raise
    return db


def _set_wal(db: sqlite3.Connection, timeout_s: float) -> None:
    """Switch to WAL; SQLite does not always wait for others here, so we do."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(0.005)
        else:
            return


@contextmanager
def transaction(db: sqlite3.Connection, *, write: bool) -> Iterator[None]:
    """All statements inside see one state of the file, and are written whole or not at all."""
    db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # SQLite ends it itself where the disk is full
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def wait(db: sqlite3.Connection, seconds: float) -> None:
    """From now on statements wait so long for another process."""
    db.execute(f"PRAGMA busy_timeout = {min(int(seconds * 1000), 2**31 - 1)}")


def empty_log(db: sqlite3.Connection) -> bool:
    """Copy the write-ahead log into the file and empty it; false where another process reads it just now."""
    (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def restrict(path: Path) -> None:
    """Let only the owner read the file and those beside it, as files that are made today are."""
    for side in SIDES:
        try:
            Path(f"{path}{side}").chmod(0o600)
        except OSError:  # it is not there, or is not ours to change
            continue


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds the lock."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@contextmanager
def faults(path: Path, timeout_s: float) -> Iterator[None]:
    """What SQLite or the system raises inside, as lamina's errors with the remedy."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if is_busy(error):
            raise StorageError(
                f"{path} stayed locked by another process for {timeout_s:g} s; nothing was written; end that process, "
                "or raise busy_timeout_s"
            ) from error
        raise StorageError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise IntegrityError(f"{path}: {error}; delete the file: it is rebuilt") from error
    except OSError as error:
        raise StorageError(f"{path}: {error}") from error
