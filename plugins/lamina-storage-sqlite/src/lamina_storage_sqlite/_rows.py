"""The records: their table, their checksums, and the statements that write and read them; plain calls."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any
from zlib import crc32

from attrs import field, frozen

from lamina.errors import ConflictError
from lamina.kit.keys import prefix_end
from lamina.protocols import Commit, Record, Scan, Size

# AUTOINCREMENT keeps the highest version ever given, so none is given twice, also not after its record is gone.
# TEXT compares as its UTF-8 bytes (collation BINARY), which is the order of code points.
# The checksum stands before the value, so that it is read without the pages of a long one.
CREATE = """
CREATE TABLE records (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL COLLATE BINARY,
    key TEXT NOT NULL COLLATE BINARY,
    checksum INTEGER NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (namespace, key)
)
"""
CREATE_COUNTERS = "CREATE TABLE counters (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID"
"""``deletes``: how many commits deleted something; ``unclean``: 1 where freed pages may hold what was deleted."""

_INSERT = "INSERT INTO records (namespace, key, checksum, value) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_REPLACE = "INSERT OR REPLACE INTO records (namespace, key, checksum, value) VALUES (?, ?, ?, ?)"
_REPLACE_NUMBERED = "INSERT OR REPLACE INTO records (version, namespace, key, checksum, value) VALUES (?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM records WHERE namespace = ? AND key = ?"
_COUNT_DELETE = "UPDATE counters SET n = n + 1 WHERE name = 'deletes'"
_VERSION = "SELECT version FROM records WHERE namespace = ? AND key = ?"
# Also by what is there: a number given twice would replace another record.
_LAST = """
SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'records'), 0),
           coalesce((SELECT max(version) FROM records), 0))
"""
_COLUMNS = "SELECT key, value, version, checksum FROM records WHERE namespace = ?"
_GET = f"{_COLUMNS} AND key = ?"
# One statement reads one state of the database; a transaction would cost two more.
_GET_MANY = f"{_COLUMNS} AND key IN (SELECT value FROM json_each(?))"  # noqa: S608 - no value is in it
_PRESENT = "SELECT key FROM records WHERE namespace = ? AND key IN (SELECT value FROM json_each(?))"
_MOST = 2**62
"""More than any limit; SQLite's integers end at 2^63."""
_FEW = 4
"""Puts that are written one by one; more are cheaper at once."""

# What the index says stands there, and what the row says that it leads to.
_NEIGHBOUR = """
SELECT i.namespace, i.key, t.namespace, t.key FROM (
    SELECT namespace, key, version FROM records WHERE (namespace, key) {} (?, ?)
    ORDER BY namespace {}, key {} LIMIT 1
) AS i LEFT JOIN records AS t ON t.version = i.version
"""
_BEFORE = _NEIGHBOUR.format("<", "DESC", "DESC")
_UP_TO = _NEIGHBOUR.format("<=", "DESC", "DESC")
_FROM = _NEIGHBOUR.format(">=", "ASC", "ASC")
_BEHIND = _NEIGHBOUR.format(">", "ASC", "ASC")
_AROUND = {
    (one, two): f"{one} UNION ALL {two}" for one in (_BEFORE, _UP_TO, _FROM) for two in (_FROM, _BEHIND, _BEFORE)
}
"""Two of them at once."""
_BEYOND = "\U0010ffff" * 251
"""Beyond every key: a key has at most 1,000 bytes."""


class DamageError(Exception):
    """The fast way met something that cannot be; the careful one finds out what."""


@frozen
class Space:
    """One namespace, and how its checksums begin."""

    name: str
    seed: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        # A key has no U+0000, so no two pairs of namespace and key give the same bytes.
        object.__setattr__(self, "seed", crc32(f"{self.name}\0".encode()))

    def head(self, key: str) -> int:
        """The checksum of namespace and key."""
        return crc32(key.encode(), self.seed)

    def checksum(self, key: str, value: bytes) -> int:
        """The checksum of a record: of its place in the upper half, of its place and value in the lower one."""
        head = crc32(key.encode(), self.seed)
        return (head & 0x7FFFFFFF) << 32 | crc32(value, head)


def write(connection: sqlite3.Connection, space: Space, requests: Sequence[Commit]) -> list[dict[str, int] | Exception]:
    """Write the batches in one transaction, each as if it were alone; give each its versions, or why it was refused.

    Raises:
        sqlite3.Error: There was one batch, and it could not be written.
    """
    if len(requests) == 1 and _is_simple(requests[0]):
        return [_put_simply(connection, space, requests[0])]  # a single statement is a transaction by itself
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes: list[dict[str, int] | Exception] = []
        for simple, run in groupby(requests, _is_simple):
            if simple:
                outcomes += _put_many_simply(connection, space, list(run))
                continue
            for request in run:
                lost = _lost(connection, space, request)
                outcomes.append(ConflictError(lost) if lost else _apply(connection, space, request))
        connection.execute("COMMIT")
        return outcomes
    except sqlite3.Error:
        if len(requests) == 1:
            raise
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    # One of them is at fault, or all together are too large for the disk.
    return [_write_alone(connection, space, request) for request in requests]


def _write_alone(connection: sqlite3.Connection, space: Space, request: Commit) -> dict[str, int] | Exception:
    try:
        return write(connection, space, [request])[0]
    except sqlite3.Error as error:
        return error


def _is_simple(request: Commit) -> bool:
    """Whether one statement does it: one put that is new, or of which nothing is expected."""
    if len(request.puts) != 1 or request.deletes or request.delete_prefixes:
        return False
    return not request.expect or all(version is None and key in request.puts for key, version in request.expect.items())


def _put_simply(connection: sqlite3.Connection, space: Space, request: Commit) -> dict[str, int] | Exception:
    ((key, value),) = request.puts.items()
    row = (space.name, key, space.checksum(key, value), value)
    cursor = connection.execute(_INSERT if request.expect else _REPLACE, row)
    if request.expect and cursor.rowcount == 0:
        return ConflictError([key])
    return {key: cursor.lastrowid or 0}


def _put_many_simply(
    connection: sqlite3.Connection, space: Space, requests: Sequence[Commit]
) -> list[dict[str, int] | Exception]:
    """The same for many, by one statement where no two are of one key."""
    puts = {key: value for request in requests for key, value in request.puts.items()}
    if len(requests) <= _FEW or len(puts) < len(requests):
        return [_put_simply(connection, space, request) for request in requests]
    new = [key for request in requests for key in request.expect]
    taken = set()
    if new:
        asked = json.dumps(new, ensure_ascii=False)
        taken = {key for (key,) in connection.execute(_PRESENT, (space.name, asked))}
        for key in taken:
            del puts[key]
    versions = _put_numbered(connection, space, puts)
    return [
        ConflictError([key]) if key in taken else {key: versions[key]} for request in requests for key in request.puts
    ]


def _lost(connection: sqlite3.Connection, space: Space, request: Commit) -> list[str]:
    lost = []
    for key, version in request.expect.items():
        row = connection.execute(_VERSION, (space.name, key)).fetchone()
        if (None if row is None else row[0]) != version:
            lost.append(key)
    return lost


def _apply(connection: sqlite3.Connection, space: Space, request: Commit) -> dict[str, int]:
    gone = 0
    for prefix in request.delete_prefixes:
        until, bounds = _under(space, prefix)
        gone += connection.execute(f"DELETE FROM records WHERE {until}", bounds).rowcount  # noqa: S608
    if request.deletes:
        gone += connection.executemany(_DELETE, [(space.name, key) for key in request.deletes]).rowcount
    if gone:
        connection.execute(_COUNT_DELETE)
    if len(request.puts) <= _FEW:
        rows = [(space.name, key, space.checksum(key, value), value) for key, value in request.puts.items()]
        return {row[1]: connection.execute(_REPLACE, row).lastrowid or 0 for row in rows}
    return _put_numbered(connection, space, request.puts)


def _put_numbered(connection: sqlite3.Connection, space: Space, puts: Mapping[str, bytes]) -> dict[str, int]:
    """Many puts; numbered here, because executemany tells no row ids. AUTOINCREMENT takes note of the highest."""
    first = connection.execute(_LAST).fetchone()[0] + 1
    name, seed = space.name, space.seed
    numbered = []
    for version, (key, value) in enumerate(puts.items(), first):
        head = crc32(key.encode(), seed)  # as Space.checksum, without a call for each of thousands
        numbered.append((version, name, key, (head & 0x7FFFFFFF) << 32 | crc32(value, head), value))
    connection.executemany(_REPLACE_NUMBERED, numbered)
    return dict(zip(puts, range(first, first + len(numbered)), strict=True))


def _under(space: Space, prefix: str) -> tuple[str, list[str]]:
    end = prefix_end(prefix)
    if end is None:
        return "namespace = ? AND key >= ?", [space.name, prefix]
    return "namespace = ? AND key >= ? AND key < ?", [space.name, prefix, end]


def read(connection: sqlite3.Connection, space: Space, keys: Sequence[str]) -> list[Record | None]:
    """The records of the keys in their order, all of one state of the database.

    Raises:
        DamageError: One of them is damaged, or may be there and cannot be found.
    """
    if len(keys) == 1:
        rows: Iterable[Any] = connection.execute(_GET, (space.name, keys[0]))
    else:
        rows = connection.execute(_GET_MANY, (space.name, json.dumps(list(keys), ensure_ascii=False)))
    found = {}
    for key, value, version, checksum in rows:
        if type(value) is not bytes or space.checksum(key, value) != checksum:
            raise DamageError
        found[key] = Record(key, value, version)
    for key in keys:
        if key not in found:
            _check_gap(connection, _AROUND[_BEFORE, _FROM], (space.name, key, space.name, key))
    return [found.get(key) for key in keys]


def read_range(connection: sqlite3.Connection, space: Space, request: Scan) -> list[Record]:
    """The records of a range of keys, by one walk along the index.

    Raises:
        DamageError: One of them is damaged, or may be there and cannot be found.
    """
    low, low_is, end = bounds_of(request)
    bounds: list[str | int] = [space.name, low]
    until = ""
    if end is not None:
        until = "AND key < ?"
        bounds.append(end)
    bounds.append(min(request.limit, _MOST))
    value = "x''" if request.keys_only else "value"
    order = "DESC" if request.reverse else "ASC"
    rows = connection.execute(
        f"SELECT key, {value}, version, checksum FROM records WHERE namespace = ? AND key {low_is} ? {until} "  # noqa: S608
        f"ORDER BY key {order} LIMIT ?",
        bounds,
    )
    records = []
    seed, keys_only, last = space.seed, request.keys_only, None
    try:
        for key, got, version, checksum in rows:
            head = crc32(key.encode(), seed)  # as Space.checksum, without a call for each of thousands
            right = checksum >> 32 if keys_only else checksum
            if right != (head & 0x7FFFFFFF if keys_only else (head & 0x7FFFFFFF) << 32 | crc32(got, head)):
                raise DamageError
            if last is not None and (key >= last if request.reverse else key <= last):
                raise DamageError  # pages that lead to one another's rows
            last = key
            records.append(Record(key, got, version))
    except (AttributeError, TypeError) as error:
        raise DamageError from error  # what should be text, bytes or a number is none
    _check_ends(connection, space, request, records)
    return records


def bounds_of(request: Scan) -> tuple[str, str, str | None]:
    """Where a scan begins, by which comparison, and before which key it ends."""
    after, end = request.after, prefix_end(request.prefix)
    low, low_is = request.prefix, ">="
    if after is not None:
        if request.reverse:
            end = after if end is None else min(after, end)
        elif after >= low:
            low, low_is = after, ">"
    return low, low_is, end


def _check_ends(connection: sqlite3.Connection, space: Space, request: Scan, records: Sequence[Record]) -> None:
    """Look at the neighbours of what was found.

    An entry of the index whose key is damaged stands where it stood, so a walk that should meet it may end there, or
    begin behind it. Its row says what it is.
    """
    low, low_is, end = bounds_of(request)
    if request.reverse:
        first, begun = _FROM, _BEYOND if end is None else end
        second = _BEFORE
    else:
        first, begun = (_UP_TO if low_is == ">" else _BEFORE), low
        second = _BEHIND if records or low_is == ">" else _FROM
    if len(records) == request.limit:
        _check_gap(connection, first, (space.name, begun))
    else:
        ended = records[-1].key if records else begun
        _check_gap(connection, _AROUND[first, second], (space.name, begun, space.name, ended))


def _check_gap(connection: sqlite3.Connection, statement: str, bounds: Sequence[str]) -> None:
    for index_namespace, index_key, namespace, key in connection.execute(statement, bounds):
        if index_key != key or index_namespace != namespace:
            raise DamageError


def measure(connection: sqlite3.Connection, space: Space, prefix: str) -> Size:
    """How much is kept under the prefix; the lengths of values stand at the beginning of their rows."""
    until, bounds = _under(space, prefix)
    row = connection.execute(
        f"SELECT count(*), coalesce(sum(length(CAST(key AS BLOB)) + length(value)), 0) FROM records WHERE {until}",  # noqa: S608
        bounds,
    ).fetchone()
    return Size(records=row[0], bytes=row[1])


def namespaces(connection: sqlite3.Connection, after: str | None, limit: int) -> list[str]:
    """The namespaces that have records, each found by one seek in the index."""
    found: list[str] = []
    statement = "SELECT min(namespace) FROM records"
    while len(found) < limit:
        last = found[-1] if found else after
        asked = (statement, ()) if last is None else (f"{statement} WHERE namespace > ?", (last,))
        ((name,),) = connection.execute(*asked)
        if name is None:
            break
        found.append(name)
    return found


@frozen
class Seen:
    """Up to where someone has looked for changes."""

    version: int
    deletes: int


def seen_now(connection: sqlite3.Connection) -> Seen:
    """Where the database stands."""
    (version,) = connection.execute(_LAST).fetchone()
    (deletes,) = connection.execute("SELECT n FROM counters WHERE name = 'deletes'").fetchone()
    return Seen(version=version, deletes=deletes)


def changed_since(connection: sqlite3.Connection, space: Space, prefix: str, seen: Seen, limit: int) -> set[str] | None:
    """The keys under the prefix that were put since, ``None`` for more than ``limit``; deletes leave no trace."""
    rows = connection.execute(
        "SELECT namespace, key FROM records WHERE version > ? LIMIT ?", (seen.version, limit + 1)
    ).fetchall()
    if len(rows) > limit:
        return None
    return {key for namespace, key in rows if namespace == space.name and key.startswith(prefix)}
