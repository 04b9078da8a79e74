"""diskcache's table: what stands in it, and the statements that write and read it; plain calls on one connection."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from zlib import crc32

from attrs import evolve, frozen

from lamina.errors import ConflictError, IntegrityError
from lamina.kit.keys import prefix_end
from lamina.kit.tables import is_damage, readable_rows
from lamina.protocols import Commit, Damage, Get, Record, Scan, Size

COUNTER = "#version"
"""The key of the last version given; a record's key has a slash behind its namespace, and this has none."""
FORM_KEY = "#form"
FORM = 2
"""What stands before a record's value; a folder without :data:`FORM_KEY` has form 1, without checksums."""
NUMBER = struct.Struct(">Q")
_HEAD = struct.Struct(">QII")
"""Version, checksum of all but the value, checksum of all."""
_EXPIRY = struct.Struct(">d")
_PURGED = 100
"""At most so many expired records are removed by one commit."""
_MOST = 2**62
"""More than any limit; SQLite's integers end at 2^63."""

_LIVE = "FROM Cache WHERE raw = 1 AND (tag IS NULL OR tag > ?)"
_COLUMNS = f"SELECT key, mode, filename, value, tag {_LIVE}"
_KEYS = f"SELECT key, mode, filename, substr(value, 1, {_HEAD.size}), tag {_LIVE}"
_SIZE = f"SELECT count(*), coalesce(sum(length(CAST(key AS BLOB)) + length(value)), 0) {_LIVE} AND key >= ? AND key < ?"
_GET = f"{_COLUMNS} AND key IN (SELECT value FROM json_each(?))"  # noqa: S608 - no value is in it
_EXPIRED = "SELECT key FROM Cache WHERE raw = 1 AND tag <= ? ORDER BY tag LIMIT ?"
_ROWS = """
SELECT rowid, CAST(key AS BLOB), raw, mode, filename, value, tag FROM Cache NOT INDEXED
WHERE rowid > ? ORDER BY rowid LIMIT ?
"""
_ENTRIES = "SELECT key FROM Cache INDEXED BY Cache_key_raw WHERE raw = 1 AND key >= ? AND key < ? ORDER BY key {}"
# What the index says stands there, and what the row says that it leads to.
_NEIGHBOUR = """
SELECT i.key, t.key FROM (
    SELECT key, rowid AS place FROM Cache INDEXED BY Cache_key_raw WHERE key {} ? ORDER BY key {} LIMIT 1
) AS i LEFT JOIN Cache AS t ON t.rowid = i.place
"""
_BEFORE = _NEIGHBOUR.format("<", "DESC")
_UP_TO = _NEIGHBOUR.format("<=", "DESC")
_AT_OR_BEHIND = _NEIGHBOUR.format(">=", "ASC")
_BEHIND = _NEIGHBOUR.format(">", "ASC")
_BEYOND = "\U0010ffff" * 251
"""Beyond every key: a key has at most 1,000 bytes."""


class DamageError(Exception):
    """The fast way met something that cannot be; the careful one finds out what."""


@frozen
class Found:
    """What can be read of one namespace."""

    records: Mapping[str, Record]
    hole: bool
    """Whether there may be records that cannot even be named."""


def space_of(namespace: str) -> str:
    """What stands before the keys of a namespace. Quoted it has no slash, so no prefix reaches into another one."""
    return quote(namespace, safe="") + "/"


def encoded(key: str, version: int, expires_s: float | None, value: bytes) -> bytes:
    """A record as it stands in the table; the key with its namespace."""
    head = _head(key, version, expires_s)
    return _HEAD.pack(version, head, crc32(value, head)) + value


def _head(key: str, version: int, expires_s: float | None) -> int:
    expiry = b"" if expires_s is None else _EXPIRY.pack(expires_s)
    return crc32(expiry, crc32(NUMBER.pack(version), crc32(key.encode())))


class Table:
    """The records of one namespace.

    Args:
        cache: The open cache.
        space: What stands before the namespace's keys.
        path: The database, for messages.
    """

    def __init__(self, cache: Any, space: str, path: Path) -> None:
        self._cache, self._space, self._path = cache, space, path

    # ---------------------------------------------------------------------------------------------------- writing

    def commit(self, request: Commit, now_s: float) -> dict[str, int]:
        """Write the batch in one transaction."""
        cache = self._cache
        try:
            with cache.transact():
                self._check(request.expect, now_s)
                self._purge(now_s)
                for prefix in request.delete_prefixes:
                    low = self._space + prefix
                    cache._sql("DELETE FROM Cache WHERE raw = 1 AND key >= ? AND key < ?", (low, prefix_end(low)))
                for key in request.deletes:
                    cache.delete(self._space + key)
                expires_s = None if request.ttl_s is None else now_s + request.ttl_s
                return self._put(request.puts, expires_s)
        finally:
            # diskcache forgets a transaction whose COMMIT failed (disk full), but SQLite does not.
            if cache._con.in_transaction:
                cache._con.execute("ROLLBACK")

    def _check(self, expect: Mapping[str, int | None], now_s: float) -> None:
        found = self.get(Get(keys=tuple(expect)), now_s)
        present = [None if record is None else record.version for record in found]
        lost = [key for (key, version), now in zip(expect.items(), present, strict=True) if version != now]
        if lost:
            raise ConflictError(lost)

    def _purge(self, now_s: float) -> None:
        """Remove some of what has expired, of all namespaces, so that the table does not keep it for ever."""
        for (key,) in self._cache._sql(_EXPIRED, (now_s, _PURGED)).fetchall():
            self._cache.delete(key)

    def _put(self, puts: Mapping[str, bytes], expires_s: float | None) -> dict[str, int]:
        if not puts:
            return {}
        counted = self._cache.get(COUNTER)
        last: int = 0 if counted is None else NUMBER.unpack(counted)[0]
        versions = {}
        for version, (key, value) in enumerate(puts.items(), last + 1):
            name = self._space + key
            self._cache.set(name, encoded(name, version, expires_s, value), tag=expires_s)
            versions[key] = version
        self._cache.set(COUNTER, NUMBER.pack(last + len(puts)))
        return versions

    # ---------------------------------------------------------------------------------------------------- reading

    def get(self, request: Get, now_s: float) -> list[Record | None]:
        """The records of the keys in their order."""
        if not request.keys:
            return []
        # One statement reads one state of the database.
        asked = json.dumps([self._space + key for key in request.keys], ensure_ascii=False)
        try:
            found = {record.key: record for record in self._records(self._cache._sql(_GET, (now_s, asked)))}
            for key in request.keys:
                if key not in found:
                    self._check_gap((_BEFORE, _AT_OR_BEHIND), self._space + key)
            return [found.get(key) for key in request.keys]
        except (DamageError, IntegrityError, sqlite3.DatabaseError) as error:
            everything = self._carefully(error, now_s)
        records = [everything.records.get(key) for key in request.keys]
        if everything.hole:
            records = [
                record or Record(key, b"", 0, None, f"{key!r} may be missing: {self._path} is damaged; restore a copy")
                for key, record in zip(request.keys, records, strict=True)
            ]
        _refused([record for record in records if record is not None], request.tolerant)
        return records

    def scan(self, request: Scan, now_s: float) -> list[Record]:
        """The records of a range in order."""
        low, low_is, end = self._bounds(request)
        order = "DESC" if request.reverse else "ASC"
        try:
            rows = self._cache._sql(
                f"{_KEYS if request.keys_only else _COLUMNS} AND key {low_is} ? AND key < ? ORDER BY key {order} LIMIT ?",
                (now_s, low, end, min(request.limit, _MOST)),
            )
            records = list(self._records(rows, keys_only=request.keys_only))
            self._check_ends(request, records)
            return records
        except (DamageError, IntegrityError, sqlite3.DatabaseError) as error:
            everything = self._carefully(error, now_s)
        names = [self._space + key for key in everything.records]
        names = sorted(
            (n for n in names if (n > low if low_is == ">" else n >= low) and n < end), reverse=request.reverse
        )
        records = [everything.records[name[len(self._space) :]] for name in names]
        if request.keys_only:
            records = [Record(r.key, b"", r.version, r.expires_s, r.damaged) for r in records]
        if everything.hole and request.after is None:
            why = f"{self._path} is damaged: records under {request.prefix!r} may be missing; restore a copy"
            records.insert(0, Record(request.prefix, b"", 0, None, why))
        return _refused(records[: request.limit], request.tolerant)

    def size(self, prefix: str, now_s: float) -> Size:
        """How much is kept under the prefix."""
        low = self._space + prefix
        ((records, n_bytes),) = self._cache._sql(_SIZE, (now_s, low, prefix_end(low))).fetchall()
        return Size(records=records, bytes=n_bytes - records * (len(self._space.encode()) + _HEAD.size))

    def _bounds(self, request: Scan) -> tuple[str, str, str]:
        low, low_is = self._space + request.prefix, ">="
        end = prefix_end(low)
        # A namespace ends in a slash, so there always is one.
        assert end is not None
        if request.after is not None:
            after = self._space + request.after
            if request.reverse:
                end = min(end, after)
            elif after >= low:
                low, low_is = after, ">"
        return low, low_is, end

    def _records(self, rows: Iterable[tuple[Any, ...]], *, keys_only: bool = False) -> Iterable[Record]:
        for key, mode, filename, value, expires_s in rows:
            yield self._record(key, mode, filename, value, expires_s, keys_only=keys_only)

    def _record(
        self, key: Any, mode: Any, filename: Any, value: Any, expires_s: Any, *, keys_only: bool = False
    ) -> Record:
        disk = self._cache.disk
        stored = disk.fetch(mode, filename, value, False)
        name = disk.get(key, True)
        if len(stored) < _HEAD.size or not (expires_s is None or isinstance(expires_s, float)):
            raise DamageError
        version, head, whole = _HEAD.unpack_from(stored)
        if head != _head(name, version, expires_s):
            raise DamageError
        rest = b"" if keys_only else stored[_HEAD.size :]
        if not keys_only and crc32(rest, head) != whole:
            raise DamageError
        return Record(name[len(self._space) :], rest, version, expires_s)

    def _check_ends(self, request: Scan, records: Sequence[Record]) -> None:
        """Look at the neighbours of what was found: an entry of the index that is damaged stands where it stood."""
        low, low_is, end = self._bounds(request)
        short = len(records) < request.limit
        last = self._space + records[-1].key if records else None
        if request.reverse:
            self._check_gap((_AT_OR_BEHIND,), end)
            if short:
                self._check_gap((_BEFORE,), end if last is None else last)
        else:
            self._check_gap((_UP_TO if low_is == ">" else _BEFORE,), low)
            if short:
                self._check_gap((_BEHIND if last or low_is == ">" else _AT_OR_BEHIND,), low if last is None else last)

    def _check_gap(self, asked: Sequence[str], name: str) -> None:
        for statement in asked:
            for index_key, key in self._cache._sql(statement, (name,)):
                if index_key != key:
                    raise DamageError

    # ----------------------------------------------------------------------------------------------------- damage

    def _carefully(self, error: Exception, now_s: float) -> Found:
        """Everything of the namespace: by the table, and what that lacks by the index."""
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            raise error
        lost: list[int] = []
        found: dict[str, Record] = {}
        for _, raw_key, raw, mode, filename, value, expires_s in readable_rows(self._cache._con, _ROWS, lost.append):
            name = _text(raw_key)
            if raw != 1 or not name.startswith(self._space):
                continue
            key = name[len(self._space) :]
            record = self.row(name, mode, filename, value, expires_s)
            if record.expires_s is None or record.expires_s > now_s:
                found[key] = record
        index_is_whole = True
        for order in ("ASC", "DESC"):
            try:
                bounds = (self._space, prefix_end(self._space))
                for (name,) in self._cache._sql(_ENTRIES.format(order), bounds):
                    if isinstance(name, str) and lost:
                        found.setdefault(name[len(self._space) :], self._damaged(name[len(self._space) :]))
            except sqlite3.Error as broken:
                if not is_damage(broken):
                    raise
                index_is_whole = False
        return Found(records=found, hole=bool(lost) and not index_is_whole)

    def row(self, name: str, mode: Any, filename: Any, value: Any, expires_s: Any) -> Record:
        """The record of a row, or what is wrong with it."""
        key = name[len(self._space) :]
        try:
            return self._record(name, mode, filename, value, expires_s)
        except DamageError:
            version = _HEAD.unpack_from(value)[0] if isinstance(value, bytes) and len(value) >= _HEAD.size else 1
            return evolve(self._damaged(key), version=version or 1)
        except IntegrityError as error:
            return Record(key, b"", 1, None, f"record {key!r}: {error}")

    def _damaged(self, key: str) -> Record:
        return Record(key, b"", 1, None, f"{self._path}: record {key!r} is damaged; restore a copy, or write it anew")


def _refused(records: list[Record], tolerant: bool) -> list[Record]:
    damaged = [record.damaged for record in records if record.damaged]
    if damaged and not tolerant:
        more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
        raise IntegrityError(f"{damaged[0]}{more}")
    return records


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else repr(raw)


def namespaces(cache: Any, after: str | None, limit: int, now_s: float) -> list[str]:
    """The namespaces that have records; every key is read."""
    rows = cache._sql(f"SELECT DISTINCT substr(key, 1, instr(key, '/') - 1) {_LIVE} AND instr(key, '/') > 0", (now_s,))
    names = sorted(unquote(name) for (name,) in rows)
    return [name for name in names if after is None or name > after][:limit]


def check(cache: Any, path: Path, limit: int) -> list[Damage]:
    """What is damaged in all namespaces, by SQLite's own check and by every record's checksum."""
    damages = []
    try:
        for (text,) in cache._sql(f"PRAGMA integrity_check({limit})"):
            if text != "ok":
                damages.append(Damage(what=f"{path}: {text}; restore a copy"))
    except sqlite3.Error as error:
        damages.append(Damage(what=f"{path}: {error}; restore a copy"))
    lost: list[int] = []
    for _, raw_key, raw, mode, filename, value, expires_s in readable_rows(cache._con, _ROWS, lost.append):
        name = _text(raw_key)
        if raw == 1 and name in (COUNTER, FORM_KEY):
            continue
        space, _, key = name.partition("/")
        record = Table(cache, f"{space}/", path).row(name, mode, filename, value, expires_s)
        if record.damaged or raw != 1:
            what = f"namespace {unquote(space)!r}: {record.damaged or f'{path}: {name!r} is not ours'}"
            damages.append(Damage(what=what, namespace=unquote(space), key=key))
    if lost:
        damages.append(Damage(what=f"{path}: rows behind row {lost[0]} cannot be read; restore a copy"))
    return damages[:limit]


def add_checksums(cache: Any, path: Path) -> None:
    """Bring a folder of form 1 up to date, in the transaction that is open."""
    rows = cache._sql("SELECT rowid, key, mode, filename, value, tag FROM Cache WHERE raw = 1").fetchall()
    for rowid, key, mode, filename, value, expires_s in rows:
        if key == COUNTER:
            continue
        stored = cache.disk.fetch(mode, filename, value, False)
        if len(stored) < NUMBER.size:
            raise IntegrityError(f"record {key!r} in {path} is cut short; restore a copy of the folder")
        version = NUMBER.unpack_from(stored)[0]
        new = encoded(cache.disk.get(key, True), version, expires_s, stored[NUMBER.size :])
        cache._sql("UPDATE Cache SET value = ? WHERE rowid = ?", (sqlite3.Binary(new), rowid))


def form_of(cache: Any) -> int:
    """The form of an open folder. It is said twice: a folder whose mark is damaged must not be taken for one of form 1."""
    ((said,),) = cache._sql("PRAGMA user_version").fetchall()
    try:
        stored = cache.get(FORM_KEY)
        marked = 0 if stored is None else NUMBER.unpack(stored)[0]
    except (IntegrityError, struct.error):
        marked = 0
    if FORM in (said, marked):
        return FORM
    return int(max(said, marked)) or 1


def set_form(cache: Any) -> None:
    """Take note of the present form."""
    cache.set(FORM_KEY, NUMBER.pack(FORM))
    cache._sql(f"PRAGMA user_version = {FORM}")
