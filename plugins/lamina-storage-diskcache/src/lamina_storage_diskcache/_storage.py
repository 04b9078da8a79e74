"""Records in diskcache's table, all calls on one thread."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import diskcache

from lamina.errors import ClosedError, ConflictError, IntegrityError, StorageError
from lamina.host import Host
from lamina.kit.keys import check_commit, check_keys, check_scan, check_text, prefix_end
from lamina.protocols import Capability, Commit, Get, Record, Scan, Size, SizeRequest
from lamina_storage_diskcache._disk import SafeDisk

T = TypeVar("T")

_COUNTER = "#version"
"""The key of the last version given; a record's key has a slash behind its namespace, and this has none."""
_VERSION = struct.Struct(">Q")
"""What stands before a record's value."""
_PURGED = 100
"""At most so many expired records are removed by one commit."""
_MOST = 2**62
"""More than any limit; SQLite's integers end at 2^63."""

_LIVE = "FROM Cache WHERE raw = 1 AND (tag IS NULL OR tag > ?)"
_COLUMNS = f"SELECT key, mode, filename, value, tag {_LIVE}"
_KEYS = f"SELECT key, mode, filename, substr(value, 1, {_VERSION.size}), tag {_LIVE}"
_SIZE = f"SELECT count(*), coalesce(sum(length(CAST(key AS BLOB)) + length(value)), 0) {_LIVE} AND key >= ? AND key < ?"
_GET = f"{_COLUMNS} AND key IN (SELECT value FROM json_each(?))"  # noqa: S608 - no value is in it
_EXPIRED = "SELECT key FROM Cache WHERE raw = 1 AND tag <= ? ORDER BY tag LIMIT ?"


class _Cache(diskcache.Cache):  # type: ignore[misc] # it has no types
    """A cache that closes its connection where it cannot be opened; diskcache's own leaves that to the collector."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        try:
            super().__init__(*args, **settings)
        except BaseException:
            if hasattr(self, "_local"):
                self.close()
            raise


class DiskcacheStorage:
    """Keeps the records of one namespace in a diskcache folder, which other namespaces and processes share.

    A record is a row: its key behind the namespace, its value behind the version, and as its *tag* the time when it
    expires by lamina's clock (diskcache's own expiry knows only the system's). Batches are diskcache transactions.

    diskcache has no ordered scan from a key, so reads are SQL on its table (``Cache``, as of 5.6), whose index over
    keys serves them: O(log n) and the records given. Every call costs a thread switch (0.1 ms), a commit also what
    diskcache takes (about 0.1 ms a record, several statements each): an import of 1,000 records about 0.1 s.

    Args:
        folder: Where diskcache keeps its database.
        timeout_s: How long to wait for another process that is writing.
        host: Gives name, namespace and clock.
    """

    capabilities: frozenset[Capability] = frozenset(
        {Capability.DURABLE, Capability.SHARED, Capability.TTL, Capability.SIZES}
    )

    def __init__(self, folder: Path, timeout_s: float, host: Host) -> None:
        check_text(host.namespace, "namespace")
        self._folder, self._timeout_s, self._name, self._clock = folder, timeout_s, host.name, host.clock
        # Quoted it has no slash, so no key and no prefix reaches over into another namespace.
        self._space = quote(host.namespace, safe="") + "/"
        # diskcache has a connection per thread; with one thread there is one, and calls come one after the other.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lamina-diskcache")
        self._cache: Any = None
        self._closed = False

    async def open(self) -> None:
        """Open the folder; see :func:`lamina_storage_diskcache.open_diskcache`."""
        await self._run(self._open)

    async def commit(self, request: Commit) -> Mapping[str, int]:
        """Write the batch whole; see :meth:`lamina.protocols.Storage.commit`.

        Raises:
            StorageError: The folder stayed locked, or the disk is full; nothing was written.
            IntegrityError: What is there is damaged, or not ours.
        """
        self._check_open()
        check_commit(request, self.capabilities, self._name)
        return await self._run(partial(self._commit, request, self._clock()))

    async def get(self, request: Get) -> Sequence[Record | None]:
        """The records in the order of the keys; ``None`` for absent and expired ones."""
        self._check_open()
        check_keys(request.keys)
        return await self._run(partial(self._get, request.keys, self._clock()))

    async def scan(self, request: Scan) -> Sequence[Record]:
        """One batch of records in order; fewer than ``limit`` means the end was reached."""
        self._check_open()
        check_scan(request)
        return await self._run(partial(self._scan, request, self._clock()))

    async def size(self, request: SizeRequest) -> Size:
        """How much is kept under the prefix; about 0.5 µs a record."""
        self._check_open()
        check_text(request.prefix, "prefix")
        return await self._run(partial(self._size, request.prefix, self._clock()))

    async def close(self) -> None:
        """Finish what was begun and close the database; any later call is refused."""
        self._closed = True
        future = self._thread.submit(self._close)
        self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(future))

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"storage {self._name!r} was used after it was closed")

    async def _run(self, work: Callable[[], T]) -> T:
        """Run ``work`` on the thread; once handed over it runs to its end, also when the call is cancelled."""
        return await asyncio.shield(asyncio.wrap_future(self._thread.submit(self._translated, work)))

    def _translated(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except diskcache.Timeout as error:
            raise self._locked() from error
        except (sqlite3.Error, OSError, OverflowError) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise self._locked() from error
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise IntegrityError(
                    f"{self._folder / 'cache.db'} is damaged ({error}); restore a copy, or delete the folder if what "
                    "it holds can be done without"
                ) from error
            raise StorageError(f"{self._folder}: {error}") from error

    def _locked(self) -> StorageError:
        return StorageError(
            f"{self._folder} stayed locked by another process for {self._timeout_s:g} s; nothing was written; end "
            "that process, or raise busy_timeout_s"
        )

    # ------------------------------------------------------------------------------------------ on the thread

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite would create it by the umask; its journal files take their mode from it.
        os.close(os.open(self._folder / diskcache.core.DBNAME, os.O_RDWR | os.O_CREAT, 0o600))
        try:
            self._cache = _Cache(
                str(self._folder),
                timeout=self._timeout_s,
                disk=SafeDisk,
                eviction_policy="none",
                size_limit=_MOST,
                cull_limit=0,
                statistics=0,
                tag_index=1,
            )
        except (TypeError, AttributeError, KeyError, ValueError) as error:
            # diskcache takes the names and values of its settings from the file as they are.
            raise IntegrityError(f"{self._folder} holds settings that diskcache cannot use ({error})") from error

    def _close(self) -> None:
        if self._cache is not None:
            self._cache.close()

    def _commit(self, request: Commit, now_s: float) -> dict[str, int]:
        cache = self._cache
        try:
            with cache.transact():
                self._check(request.expect, now_s)
                self._purge(now_s)
                for key in request.deletes:
                    cache.delete(self._space + key)
                expires_s = None if request.ttl_s is None else now_s + request.ttl_s
                return self._put(request.puts, expires_s)
        finally:
            # diskcache forgets a transaction whose COMMIT failed (disk full), but SQLite does not.
            if cache._con.in_transaction:
                cache._con.execute("ROLLBACK")

    def _check(self, expect: Mapping[str, int | None], now_s: float) -> None:
        found = self._get(tuple(expect), now_s)
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
        counted = self._cache.get(_COUNTER)
        last: int = 0 if counted is None else _VERSION.unpack(counted)[0]
        versions = {}
        for version, (key, value) in enumerate(puts.items(), last + 1):
            self._cache.set(self._space + key, _VERSION.pack(version) + value, tag=expires_s)
            versions[key] = version
        self._cache.set(_COUNTER, _VERSION.pack(last + len(puts)))
        return versions

    def _get(self, keys: Sequence[str], now_s: float) -> list[Record | None]:
        if not keys:
            return []
        # One statement reads one state of the database.
        asked = json.dumps([self._space + key for key in keys], ensure_ascii=False)
        found = {record.key: record for record in self._records(self._cache._sql(_GET, (now_s, asked)))}
        return [found.get(key) for key in keys]

    def _scan(self, request: Scan, now_s: float) -> list[Record]:
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
        order = "DESC" if request.reverse else "ASC"
        rows = self._cache._sql(
            f"{_KEYS if request.keys_only else _COLUMNS} AND key {low_is} ? AND key < ? ORDER BY key {order} LIMIT ?",
            (now_s, low, end, min(request.limit, _MOST)),
        )
        return list(self._records(rows))

    def _size(self, prefix: str, now_s: float) -> Size:
        low = self._space + prefix
        ((records, n_bytes),) = self._cache._sql(_SIZE, (now_s, low, prefix_end(low))).fetchall()
        return Size(records=records, bytes=n_bytes - records * (len(self._space.encode()) + _VERSION.size))

    def _records(self, rows: Iterable[tuple[Any, ...]]) -> Iterable[Record]:
        disk, skipped = self._cache.disk, len(self._space)
        for key, mode, filename, value, expires_s in rows:
            stored = disk.fetch(mode, filename, value, False)
            if len(stored) < _VERSION.size:
                raise IntegrityError(f"record {key!r} in {self._folder} is cut short; restore a copy of the folder")
            yield Record(
                disk.get(key, True)[skipped:], stored[_VERSION.size :], _VERSION.unpack_from(stored)[0], expires_s
            )
