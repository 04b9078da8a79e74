"""The asynchronous face: small calls on the event loop's thread, large ones and waiting on others."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lamina.errors import ClosedError, StorageError
from lamina.kit.keys import check_commit, check_keys, check_scan, check_text
from lamina.protocols import Capability, Commit, Get, Record, Scan, Size, SizeRequest
from lamina_storage_sqlite import _database as database

if TYPE_CHECKING:
    from lamina_storage_sqlite import SqliteSettings

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_SMALL_RECORDS = 32
_SMALL_BYTES = 64 * 1024
"""A commit of at most so much takes well under a millisecond, less than handing it to a thread and back."""
_CHECKPOINT_PAGES = 4000
"""After about so many pages of 4 KiB the write-ahead log is copied into the file (tens of milliseconds)."""


class Lane:
    """One connection, used by one call at a time, first come, first served.

    A call runs on the event loop's thread if it is small and the lane is free. Else, or when another process holds
    the lock, it runs on the lane's own thread, and calls behind it queue there.

    Args:
        connection: With a busy time-out of 0.
        path: For messages.
        timeout_s: How long a call on the thread waits for the lock.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, timeout_s: float) -> None:
        self._connection, self._path, self._timeout_s = connection, path, timeout_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lamina-sqlite")
        self._last: Future[Any] | None = None

    async def run(self, work: Work[T], *, small: bool) -> T:
        """What ``work`` gives for the connection; once begun it runs to its end, also when the call is cancelled."""
        if small and (self._last is None or self._last.done()):
            try:
                return work(self._connection)
            except sqlite3.Error as error:
                if not database.is_busy(error):
                    raise database.translated(error, self._path, self._timeout_s) from error
        future = self._thread.submit(self._wait_and_run, work)
        self._last = future
        # Shielded, because a cancelled future would seem done while its thread still uses the connection.
        return await asyncio.shield(asyncio.wrap_future(future))

    def close(self) -> Future[None]:
        """Close the connection once all calls are done; the last one to close copies the log into the file."""
        future = self._thread.submit(self._connection.close)
        self._thread.shutdown(wait=False)
        return future

    def _wait_and_run(self, work: Work[T]) -> T:
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {int(self._timeout_s * 1000)}")
            try:
                return work(self._connection)
            finally:
                self._connection.execute("PRAGMA busy_timeout = 0")
        except (sqlite3.Error, OverflowError) as error:
            raise database.translated(error, self._path, self._timeout_s) from error


class SqliteStorage:
    """Keeps the records of one namespace in a SQLite file, which other namespaces and processes share.

    One connection writes and one reads, so reads go on while a large batch is written; each sees whole commits
    only. A small commit costs about 35 µs on the event loop's thread at ``synchronous = "normal"``, a get of one
    key 6 µs; large calls, and all commits at ``"full"``, cost a thread switch (0.1 ms) and leave the loop free.
    """

    capabilities: frozenset[Capability] = frozenset({Capability.DURABLE, Capability.SHARED, Capability.SIZES})

    def __init__(self, writer: Lane, reader: Lane, *, name: str, namespace: str, fsync: bool) -> None:
        self._writer, self._reader = writer, reader
        self._name, self._namespace, self._fsync = name, namespace, fsync
        self._pages = 0
        self._closed = False

    @classmethod
    async def open(cls, settings: SqliteSettings, path: Path, name: str, namespace: str) -> SqliteStorage:
        """Open the file on a thread, because that may wait for others and for the disk."""
        check_text(namespace, "namespace")
        timeout_s = settings.busy_timeout_s
        opening = partial(database.open_database, path, synchronous=settings.synchronous, timeout_s=timeout_s)
        opened = asyncio.get_running_loop().run_in_executor(None, opening)
        try:
            connections = await asyncio.shield(opened)
        except asyncio.CancelledError:
            opened.add_done_callback(_close_all)
            raise
        except (sqlite3.Error, OSError) as error:
            raise database.translated(error, path, timeout_s) from error
        writer, reader = (Lane(connection, path, timeout_s) for connection in connections)
        return cls(writer, reader, name=name, namespace=namespace, fsync=settings.synchronous == "full")

    async def commit(self, request: Commit) -> Mapping[str, int]:
        """Write the batch whole; see :meth:`lamina.protocols.Storage.commit`.

        Raises:
            StorageError: The file stayed locked, or the disk is full; nothing was written.
            IntegrityError: The file is damaged.
        """
        self._check_open()
        check_commit(request, self.capabilities, self._name)
        n_records = len(request.puts) + len(request.deletes) + len(request.expect)
        n_bytes = sum(map(len, request.puts.values()))
        small = not self._fsync and n_records <= _SMALL_RECORDS and n_bytes <= _SMALL_BYTES
        # A commit changes a page of the table and one of the index, and more by what it holds.
        self._pages += 2 + n_records // 16 + n_bytes // 4096
        work = partial(database.write, namespace=self._namespace, request=request)
        if self._pages < _CHECKPOINT_PAGES:
            return await self._writer.run(work, small=small)
        self._pages = 0
        return await self._writer.run(partial(_write_and_checkpoint, work=work), small=False)

    async def get(self, request: Get) -> Sequence[Record | None]:
        """The records in the order of the keys; ``None`` for absent ones."""
        self._check_open()
        check_keys(request.keys)
        if not request.keys:
            return []
        work = partial(database.read, namespace=self._namespace, keys=request.keys)
        return await self._reader.run(work, small=len(request.keys) <= _SMALL_RECORDS)

    async def scan(self, request: Scan) -> Sequence[Record]:
        """One batch of records in order; fewer than ``limit`` means the end was reached."""
        self._check_open()
        check_scan(request)
        work = partial(database.read_range, namespace=self._namespace, request=request)
        return await self._reader.run(work, small=request.limit <= _SMALL_RECORDS)

    async def size(self, request: SizeRequest) -> Size:
        """How much is kept under the prefix; about 0.3 µs a record, on a thread."""
        self._check_open()
        check_text(request.prefix, "prefix")
        work = partial(database.measure, namespace=self._namespace, prefix=request.prefix)
        return await self._reader.run(work, small=False)

    async def close(self) -> None:
        """Finish what was begun and close the file; any later call is refused."""
        self._closed = True
        closing = [asyncio.wrap_future(lane.close()) for lane in (self._reader, self._writer)]
        await asyncio.shield(asyncio.gather(*closing))

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"storage {self._name!r} was used after it was closed")


def _write_and_checkpoint(connection: sqlite3.Connection, work: Work[dict[str, int]]) -> dict[str, int]:
    versions = work(connection)
    try:
        database.checkpoint(connection)
    except sqlite3.OperationalError as error:
        # The commit stands; the log is copied another time.
        if not database.is_busy(error):
            raise StorageError(f"committed, but the write-ahead log cannot be copied into the file: {error}") from error
    return versions


def _close_all(opened: asyncio.Future[tuple[sqlite3.Connection, sqlite3.Connection]]) -> None:
    if not opened.cancelled() and opened.exception() is None:
        for connection in opened.result():
            connection.close()
