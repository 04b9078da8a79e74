"""Documents of one namespace in an SQLite file that several processes may use: what indexes that keep one share."""

# Table names hold a number that this module drew, never anything that came from outside.
# ruff: noqa: S608

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from lamina.errors import ClosedError, IntegrityError, StorageError
from lamina.kit.sqlitefile import connect, empty_log, faults, transaction, wait
from lamina.protocols import Document, Filter, IndexUpdate

T = TypeVar("T")

SCHEMA = 1
"""Of the tables; a file of a newer one is refused."""

READERS_S = 0.2
"""So long a change waits for those who read, to empty the write-ahead log."""

FILTERS = frozenset({"threads", "authors", "kinds", "tags", "since_s", "until_s"})
"""What :meth:`IndexFile.passing` applies: all there is."""


class IndexFile:
    """Keeps documents with what an index wants to know of each, and applies filters.

    Documents stand in ``docs_N`` (``number``, ``id``, ``thread``, ``author``, ``kind``, ``created_s``, ``data``); a number is
    never used twice, and a document that is replaced gets a new one. ``keys_N`` (``key``, ``number``) has by what else an
    index finds it. Numbers of those that are gone stand in ``gone_N`` under stamps without gaps, for those who follow. All work is done on threads, one at a time for each opened file;
    processes exclude each other only while they write. What is removed is overwritten.

    Args:
        path: The file; it is created, and only its owner may read it.
        space: Whose documents; each has tables of its own.
        rules: By what ``data`` is made; where the file's was made by others, the space is emptied.
        timeout_s: Seconds to wait for another process.

    Raises:
        StorageError: It cannot be opened or stays locked.
        IntegrityError: It is no such file, is damaged, or was written by a newer release.
    """

    def __init__(self, path: Path, space: str, rules: str, timeout_s: float) -> None:
        self.path, self._timeout_s = path, timeout_s
        self._space, self._rules = blob(space), rules
        self._lock = threading.Lock()
        self._unclean = False
        """Whether the write-ahead log still holds what was removed."""
        self._db: sqlite3.Connection | None = None
        with faults(path, timeout_s):
            self._db = connect(path, timeout_s)
            try:
                self._prepare(self._db)
            except BaseException:
                self._db.close()
                raise

    @classmethod
    async def open(cls, path: Path, space: str, rules: str, timeout_s: float) -> IndexFile:
        """Open the file on a thread, because that may wait for others and for the disk; errors as for the class."""
        opening = asyncio.ensure_future(asyncio.to_thread(cls, path, space, rules, timeout_s))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_opened)
            raise

    def _prepare(self, db: sqlite3.Connection) -> None:
        with transaction(db, write=True):
            (schema,) = db.execute("PRAGMA user_version").fetchone()
            if schema > SCHEMA:
                raise IntegrityError(
                    f"{self.path}: written by a newer release (schema {schema}, this one knows {SCHEMA}); upgrade "
                    "lamina, or delete the file: it is rebuilt"
                )
            db.execute(f"PRAGMA user_version = {SCHEMA}")
            db.execute(
                "CREATE TABLE IF NOT EXISTS spaces (number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, "
                "generation TEXT NOT NULL, rules TEXT NOT NULL)"
            )
            row = db.execute("SELECT number, generation, rules FROM spaces WHERE name = ?", (self._space,)).fetchone()
            if row is None:
                cursor = db.execute("INSERT INTO spaces (name, generation, rules) VALUES (?, '', '')", (self._space,))
                row = (cursor.lastrowid, "", None)
            self._number, self.generation, rules = row
            self.docs, self.gone, self.keys, self._tags = (
                f"{name}_{self._number}" for name in ("docs", "gone", "keys", "tags")
            )
            if rules != self._rules:
                self._create(db)
                self._unclean = rules is not None

    def _create(self, db: sqlite3.Connection) -> None:
        """Make the space's tables anew, empty, and draw a generation."""
        for table in (self.docs, self.gone, self.keys, self._tags):
            db.execute(f"DROP TABLE IF EXISTS {table}")
        db.execute(
            f"CREATE TABLE {self.docs} (number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, "
            "thread BLOB NOT NULL, author BLOB NOT NULL, kind TEXT NOT NULL, created_s REAL NOT NULL, data BLOB NOT NULL)"
        )
        db.execute(f"CREATE INDEX thread_{self._number} ON {self.docs} (thread)")
        db.execute(f"CREATE INDEX created_{self._number} ON {self.docs} (created_s)")
        db.execute(f"CREATE TABLE {self.gone} (stamp INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL)")
        for table, key in ((self.keys, "key"), (self._tags, "tag")):
            db.execute(
                f"CREATE TABLE {table} ({key} BLOB NOT NULL, number INTEGER NOT NULL, PRIMARY KEY ({key}, number)) "
                "WITHOUT ROWID"
            )
            db.execute(f"CREATE INDEX of_{table} ON {table} (number)")
        self.generation = secrets.token_hex(8)
        db.execute(
            "UPDATE spaces SET generation = ?, rules = ? WHERE number = ?", (self.generation, self._rules, self._number)
        )

    # ------------------------------------------------------------- using it

    def check_open(self) -> None:
        """Raise ClosedError after close."""
        if self._db is None:
            raise ClosedError(f"index {self.path} is closed")

    async def read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Do something, on a thread, that sees one state of the file.

        Raises:
            StorageError: It cannot be read, or another process fills it by other rules.
            ClosedError: After close.
        """
        self.check_open()
        return await asyncio.to_thread(self._read, act)

    def _read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock, faults(self.path, self._timeout_s):
            db = self._opened()
            with transaction(db, write=False):
                self._follow(db)
                return act(db)

    async def update(
        self, request: IndexUpdate, data: Sequence[bytes], keys: Sequence[Iterable[int | bytes]] | None = None
    ) -> None:
        """Apply changes, whole or not at all, on a thread.

        Args:
            request: The changes.
            data: What is kept of each added document, in their order.
            keys: By what else each is to be found, in ``keys_N``.

        Raises:
            StorageError: They could not be written, or another process fills the file by other rules.
            ClosedError: After close.
        """
        self.check_open()
        await asyncio.to_thread(self._update, request, data, keys or [()] * len(data))

    def _update(self, request: IndexUpdate, data: Sequence[bytes], keys: Sequence[Iterable[int | bytes]]) -> None:
        gone = dict.fromkeys([*map(blob, request.remove), *(blob(document.id) for document in request.add)])
        with self._lock, faults(self.path, self._timeout_s):
            db = self._opened()
            with transaction(db, write=True):
                self._follow(db)
                for key in gone:
                    for (number,) in db.execute(f"SELECT number FROM {self.docs} WHERE id = ?", (key,)).fetchall():
                        self._forget(db, number)
                for document, kept, its in zip(request.add, data, keys, strict=True):
                    number = self._put(db, document, kept)
                    db.executemany(f"INSERT OR IGNORE INTO {self.keys} VALUES (?, ?)", [(key, number) for key in its])
                self._shorten(db)
            if self._unclean:
                self._empty_log(db)

    def _forget(self, db: sqlite3.Connection, number: int) -> None:
        db.execute(f"DELETE FROM {self.docs} WHERE number = ?", (number,))
        db.execute(f"DELETE FROM {self.keys} WHERE number = ?", (number,))
        db.execute(f"DELETE FROM {self._tags} WHERE number = ?", (number,))
        db.execute(f"INSERT INTO {self.gone} (number) VALUES (?)", (number,))
        self._unclean = True

    def _put(self, db: sqlite3.Connection, document: Document, kept: bytes) -> int:
        facts = (blob(document.thread), blob(document.author), document.kind, document.created_s)
        number = db.execute(
            f"INSERT INTO {self.docs} (id, thread, author, kind, created_s, data) VALUES (?, ?, ?, ?, ?, ?)",
            (blob(document.id), *facts, kept),
        ).lastrowid
        db.executemany(f"INSERT OR IGNORE INTO {self._tags} VALUES (?, ?)", [(blob(t), number) for t in document.tags])
        return int(number or 0)

    def _shorten(self, db: sqlite3.Connection) -> None:
        """Forget what is gone for long; who has not followed by then reads everything anew."""
        (most,) = db.execute(f"SELECT max(stamp) FROM {self.gone}").fetchone()
        (held,) = db.execute(f"SELECT max(number) - min(number) FROM {self.docs}").fetchone()
        db.execute(f"DELETE FROM {self.gone} WHERE stamp <= ?", ((most or 0) - max(1000, held or 0),))

    def _follow(self, db: sqlite3.Connection) -> None:
        """See what another process made of the space."""
        row = db.execute("SELECT generation, rules FROM spaces WHERE number = ?", (self._number,)).fetchone()
        if row is None or row[1] != self._rules:
            raise StorageError(
                f"{self.path}: another process fills it by other rules ({row[1] if row else 'none'}, here "
                f"{self._rules}); configure both alike, or give each a path of its own"
            )
        self.generation = row[0]

    async def clear(self) -> None:
        """Forget everything in this space, and draw a new generation."""
        self.check_open()
        await asyncio.to_thread(self._clear)

    def _clear(self) -> None:
        with self._lock, faults(self.path, self._timeout_s):
            db = self._opened()
            with transaction(db, write=True):
                self._create(db)
            self._empty_log(db)

    def _empty_log(self, db: sqlite3.Connection) -> None:
        # Searches of other processes are short. One that is not holds nobody up: the next change tries again.
        wait(db, min(READERS_S, self._timeout_s))
        self._unclean = not empty_log(db)

    def _opened(self) -> sqlite3.Connection:
        self.check_open()
        assert self._db is not None
        wait(self._db, self._timeout_s)
        return self._db

    def passing(self, filter: Filter) -> tuple[str, list[object]]:
        """The condition, on ``docs_N``, that a document passes a filter, and the values that it is bound to."""
        conditions = ["1"]
        values: list[object] = []
        sets = (("thread", filter.threads), ("author", filter.authors), ("kind", filter.kinds))
        for column, wanted in sets:
            if wanted is not None:
                conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                values += [one if column == "kind" else blob(one) for one in sorted(wanted)]
        for tag in sorted(filter.tags or ()):
            conditions.append(f"number IN (SELECT number FROM {self._tags} WHERE tag = ?)")
            values.append(blob(tag))
        for comparison, bound in ((">=", filter.since_s), ("<", filter.until_s)):
            if bound is not None:
                conditions.append(f"created_s > 0 AND created_s {comparison} ?")
                values.append(bound)
        return " AND ".join(conditions), values

    async def close(self) -> None:
        """Close the file, on a thread; whatever is called afterwards raises :class:`lamina.errors.ClosedError`."""
        # Shielded, so that the file is closed also where its user is cancelled meanwhile.
        await asyncio.shield(asyncio.to_thread(self.close_now))

    def close_now(self) -> None:
        """Close the file on this thread."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None


def _close_opened(opening: asyncio.Future[IndexFile]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close_now()


def blob(text: str) -> bytes:
    """A text as it is kept: SQLite's own takes no lone surrogates, and bytes order as code points do."""
    return text.encode("utf-8", "surrogatepass")


def unblob(kept: bytes) -> str:
    """The text that was kept."""
    return kept.decode("utf-8", "surrogatepass")
