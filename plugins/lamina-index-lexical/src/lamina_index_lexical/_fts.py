"""The index: one SQLite file, two tables for each namespace."""

# Table names hold a number that this module drew, never anything that came from outside.
# ruff: noqa: S608

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from lamina.errors import ClosedError, IntegrityError
from lamina.kit.sqlitefile import connect, empty_log, faults, is_busy, restrict, transaction, wait
from lamina.protocols import Document, Filter, IndexHit, IndexUpdate, SearchRequest
from lamina_index_lexical import _words
from lamina_index_lexical._words import STOP, words

T = TypeVar("T")

SCHEMA = 2
"""Of the tables; a file of a newer one is refused. In files of schema 1 what was removed may still be readable."""

INLINE = 2_000
"""Up to so many records a search costs less than handing it to a thread."""

POSTINGS = 1_000
"""Records with a query's rarest words that are scored before common words alone may bring more in."""

MOST_TERMS = 64
"""Of a query; the rarest stay. Whole pages may be queries."""


READERS_S = 0.2
"""So long a change waits for those who read, to empty the write-ahead log."""


class LexicalIndex:
    """Finds texts by their words, ranked by BM25.

    One connection, guarded by a lock, because a search and an update of one process gain nothing from two; other
    processes may use the file at once (WAL).
    """

    filters = frozenset({"threads", "authors", "kinds", "since_s", "until_s"})

    def __init__(self, path: Path, namespace: str, busy_timeout_s: float) -> None:
        self._path, self._name, self._timeout_s = path, namespace.encode("utf-8", "surrogatepass"), busy_timeout_s
        self._lock = threading.Lock()
        self._unclean = False
        """Whether the write-ahead log still holds what was removed."""
        self._db: sqlite3.Connection | None = None
        with faults(path, busy_timeout_s):
            self._db = connect(path, busy_timeout_s)
            try:
                self._prepare(self._db)
            except BaseException:
                self._db.close()
                raise

    @classmethod
    async def open(cls, path: Path, namespace: str, busy_timeout_s: float) -> LexicalIndex:
        """Open the file on a thread, because that may wait for others and for the disk.

        Raises:
            StorageError: It cannot be opened or stays locked.
            IntegrityError: It is no index, is damaged, or was written by a newer release.
        """
        opening = asyncio.ensure_future(asyncio.to_thread(cls, path, namespace, busy_timeout_s))
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
                    f"{self._path}: written by a newer release (schema {schema}, this one knows {SCHEMA}); upgrade "
                    "lamina-index-lexical, or delete the file: it is rebuilt"
                )
            db.execute(
                "CREATE TABLE IF NOT EXISTS spaces "
                "(number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, "
                "generation TEXT NOT NULL, rules INTEGER NOT NULL)"
            )
            if schema == 0:
                db.execute(f"PRAGMA user_version = {SCHEMA}")
        if schema == 1:
            self._upgrade(db)
        with transaction(db, write=True):
            row = db.execute("SELECT number, generation, rules FROM spaces WHERE name = ?", (self._name,)).fetchone()
            if row is None:
                cursor = db.execute(
                    "INSERT INTO spaces (name, generation, rules) VALUES (?, '', ?)", (self._name, _words.VERSION)
                )
                row = (cursor.lastrowid, "", None)
            self._number, self.generation, rules = row
            self._docs, self._fts, self._vocab = (f"{t}_{self._number}" for t in ("docs", "words", "vocab"))
            if rules != _words.VERSION:
                self._create(db)
        db.execute(f"CREATE VIRTUAL TABLE temp.{self._vocab} USING fts5vocab(main, {self._fts}, row)")

    def _upgrade(self, db: sqlite3.Connection) -> None:
        """Overwrite what an earlier release removed and left readable, and close the file to others."""
        with transaction(db, write=True):
            for (number,) in db.execute("SELECT number FROM spaces").fetchall():
                db.execute(f"INSERT INTO words_{number} (words_{number}) VALUES ('optimize')")
        db.execute("VACUUM")
        empty_log(db)
        restrict(self._path)
        db.execute(f"PRAGMA user_version = {SCHEMA}")

    def _create(self, db: sqlite3.Connection) -> None:
        """Make the namespace's tables anew, empty, and draw a generation."""
        db.execute(f"DROP TABLE IF EXISTS {self._fts}")
        db.execute(f"DROP TABLE IF EXISTS {self._docs}")  # and its index with it
        # FTS5 forgets a record only when told its words, unless SQLite is 3.43 or newer; so they are kept, and the
        # table of FTS5 keeps no second copy.
        db.execute(
            f"CREATE TABLE {self._docs} (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, words TEXT NOT NULL, "
            "thread BLOB NOT NULL, author BLOB NOT NULL, kind TEXT NOT NULL, created_s REAL NOT NULL)"
        )
        db.execute(f"CREATE INDEX thread_{self._number} ON {self._docs} (thread)")
        db.execute(f"CREATE VIRTUAL TABLE {self._fts} USING fts5(words, content = '', tokenize = 'ascii')")
        self.generation = secrets.token_hex(8)
        db.execute(
            "UPDATE spaces SET generation = ?, rules = ? WHERE number = ?",
            (self.generation, _words.VERSION, self._number),
        )

    async def close(self) -> None:
        """Close the file, on a thread; whatever is called afterwards raises :class:`lamina.errors.ClosedError`."""
        # Shielded, so that the file is closed also where its user is cancelled meanwhile.
        await asyncio.shield(asyncio.to_thread(self.close_now))

    def close_now(self) -> None:
        """Close the file on this thread; where it is the last to use it, its log is copied into it and removed."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _with(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Do something on a thread, where it may wait."""
        with self._lock, faults(self._path, self._timeout_s):
            db = self._open()
            wait(db, self._timeout_s)
            return act(db)

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            raise ClosedError(f"index {self._path} is closed")
        return self._db

    async def update(self, request: IndexUpdate) -> None:
        """Apply the changes in one transaction, in a thread.

        Where words are removed, none of them is left in the file: that costs about 10 ms for each megabyte of it.
        """
        self._open()
        await asyncio.to_thread(self._update, request)

    def _update(self, request: IndexUpdate) -> None:
        added = {_blob(document.id): _row(document) for document in request.add}
        # Each once: FTS5 takes a second removal for that of another record, and is damaged.
        gone = list(dict.fromkeys([*map(_blob, request.remove), *added]))

        def apply(db: sqlite3.Connection) -> None:
            with transaction(db, write=True):
                old = [
                    (*row, key)
                    for key in gone
                    for row in db.execute(f"SELECT number, words FROM {self._docs} WHERE id = ?", (key,))
                ]
                db.executemany(
                    f"INSERT INTO {self._fts} ({self._fts}, rowid, words) VALUES ('delete', ?, ?)",
                    [(number, text) for number, text, _ in old],
                )
                db.executemany(f"DELETE FROM {self._docs} WHERE id = ?", [(key,) for key in gone])
                for key, row in added.items():
                    number = db.execute(
                        f"INSERT INTO {self._docs} (id, words, thread, author, kind, created_s) VALUES (?, ?, ?, ?, ?, ?)",
                        (key, *row),
                    ).lastrowid
                    db.execute(f"INSERT INTO {self._fts} (rowid, words) VALUES (?, ?)", (number, row[0]))
                if any(set(text.split()) - set(added[key][0].split() if key in added else ()) for _, text, key in old):
                    # FTS5 only notes what was removed, and keeps it until its pieces are merged: all are, now. A
                    # record that only grew, as the newest pages do, is left to FTS5's own merging.
                    db.execute(f"INSERT INTO {self._fts} ({self._fts}) VALUES ('optimize')")
                    self._unclean = True
            if self._unclean:
                self._empty_log(db)

        self._with(apply)

    def _empty_log(self, db: sqlite3.Connection) -> None:
        # Searches of other processes are short. One that is not holds nobody up: the next change tries again.
        wait(db, min(READERS_S, self._timeout_s))
        self._unclean = not empty_log(db)

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        """Hits by BM25 over the words of the query, any of which suffices.

        Common words alone bring a record in only where fewer than ``limit`` have one of the rarest.
        """
        db = self._open()
        asked = list(dict.fromkeys(words(request.query, query=True)))
        terms = [term for term in asked if term not in STOP] or asked
        if not terms or request.limit < 1:
            return []
        # Nobody waits for a lock on the loop: a search that finds an update at work goes to a thread.
        if self._lock.acquire(blocking=False):
            try:
                found = self._read_at_once(db, terms, request)
            finally:
                self._lock.release()
            if found is not None:
                return found
        return await asyncio.to_thread(self._with, lambda db: self._read(db, terms, request))

    def _read_at_once(self, db: sqlite3.Connection, terms: list[str], request: SearchRequest) -> list[IndexHit] | None:
        """The hits, where a search costs less than handing it to a thread and nobody is in its way."""
        with faults(self._path, self._timeout_s):
            wait(db, 0)
            try:
                return self._read(db, terms, request) if self._size(db) <= INLINE else None
            except sqlite3.OperationalError as error:
                if is_busy(error):
                    return None
                raise

    def _size(self, db: sqlite3.Connection) -> int:
        # The highest number, at most: counting rows would read them all.
        return int(db.execute(f"SELECT max(number) FROM {self._docs}").fetchone()[0] or 0)

    def _read(self, db: sqlite3.Connection, terms: list[str], request: SearchRequest) -> list[IndexHit]:
        """Search in one transaction: what another process removes between two statements would be found half."""
        with transaction(db, write=False):
            return self._search(db, terms, request)

    def _search(self, db: sqlite3.Connection, terms: list[str], request: SearchRequest) -> list[IndexHit]:
        held = {t: self._frequency(db, t) for t in terms}
        rare = sorted((t for t in terms if held[t]), key=lambda t: (held[t], t))[:MOST_TERMS]
        if not rare:
            return []
        everything = " OR ".join(f'"{t}"' for t in rare)
        few: list[str] = []
        postings = 0
        for term in rare:
            if len(few) >= 2 and postings + held[term] > POSTINGS:
                break
            few.append(term)
            postings += held[term]
        if len(few) < len(rare):
            rarest = " OR ".join(f'"{t}"' for t in few)
            hits = self._ranked(db, f"({rarest}) AND ({everything})", request)
            if len(hits) >= request.limit:
                return hits
        return self._ranked(db, everything, request)

    def _frequency(self, db: sqlite3.Connection, term: str) -> int:
        row = db.execute(f"SELECT doc FROM temp.{self._vocab} WHERE term = ?", (term,)).fetchone()
        return int(row[0]) if row else 0

    def _ranked(self, db: sqlite3.Connection, match: str, request: SearchRequest) -> list[IndexHit]:
        where, bound = f"{self._fts} MATCH ?", [match]
        values: list[object] = [*bound]
        if request.filter.given:
            # The plus keeps SQLite from asking FTS5 for one record after another.
            passing, bounds = _passing(request.filter)
            where += f" AND +rowid IN (SELECT number FROM {self._docs} WHERE {passing})"
            values += bounds
        rows = db.execute(
            f"SELECT rowid, rank FROM {self._fts} WHERE {where} ORDER BY rank LIMIT ?", (*values, request.limit + 1)
        ).fetchall()
        if len(rows) > request.limit and rows[-1][1] == rows[-2][1]:
            # Equals are cut apart; all of them must be seen to order them by id.
            rows = db.execute(
                f"SELECT rowid, rank FROM {self._fts} WHERE {where} AND rank <= ?", (*values, rows[-1][1])
            ).fetchall()
        else:
            rows = rows[: request.limit]
        ids = {n: self._id(db, n) for n, _ in rows}
        ranked = sorted(((-rank, ids[n]) for n, rank in rows), key=lambda hit: (-hit[0], hit[1]))
        return [IndexHit(name, score) for score, name in ranked[: request.limit]]

    def _id(self, db: sqlite3.Connection, number: int) -> str:
        (blob,) = db.execute(f"SELECT id FROM {self._docs} WHERE number = ?", (number,)).fetchone()
        return bytes(blob).decode("utf-8", "surrogatepass")

    async def clear(self) -> None:
        """Forget everything in this namespace, and draw a new generation."""
        self._open()

        def apply(db: sqlite3.Connection) -> None:
            db.execute(f"DROP TABLE IF EXISTS temp.{self._vocab}")
            try:
                with transaction(db, write=True):
                    self._create(db)
            finally:
                db.execute(f"CREATE VIRTUAL TABLE temp.{self._vocab} USING fts5vocab(main, {self._fts}, row)")
            self._empty_log(db)

        await asyncio.to_thread(self._with, apply)


def _close_opened(opening: asyncio.Future[LexicalIndex]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close_now()


def _row(document: Document) -> tuple[str, bytes, bytes, str, float]:
    """What is kept of a document beside its id."""
    said = " ".join(words(document.text))
    return said, _blob(document.thread), _blob(document.author), document.kind, document.created_s


def _passing(filter: Filter) -> tuple[str, list[object]]:
    """The condition that a document passes a filter, and the values that it is bound to."""
    conditions: list[str] = []
    values: list[object] = []
    sets = (("thread", filter.threads, _blob), ("author", filter.authors, _blob), ("kind", filter.kinds, str))
    for column, wanted, stored in sets:
        if wanted is not None:
            conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values += [stored(one) for one in sorted(wanted)]
    for comparison, bound in ((">=", filter.since_s), ("<", filter.until_s)):
        if bound is not None:
            conditions.append(f"created_s > 0 AND created_s {comparison} ?")
            values.append(bound)
    return " AND ".join(conditions), values


def _blob(id: str) -> bytes:
    # As bytes: SQLite's text takes no lone surrogates, and bytes order as code points do.
    return id.encode("utf-8", "surrogatepass")
