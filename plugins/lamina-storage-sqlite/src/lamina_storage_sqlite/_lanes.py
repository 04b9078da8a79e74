"""Connections and the order of calls on them: small calls on the event loop's thread, the others on their own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lamina.errors import StorageError
from lamina.kit import tables
from lamina.protocols import Commit
from lamina_storage_sqlite import _file, _rows

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
Outcomes = Sequence["dict[str, int] | Exception"]

SMALL_RECORDS = 32
SMALL_BYTES = 64 * 1024
"""A commit of at most so much takes well under a millisecond, less than handing it to a thread and back."""
CHECKPOINT_PAGES = 4000
"""After about so many pages of 4 KiB the write-ahead log is copied into the file (tens of milliseconds)."""
_GROUP_RECORDS = 256
"""Small commits that wait for one another are written on the loop's thread up to so many records."""


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

    @property
    def is_free(self) -> bool:
        """Whether nothing runs or waits on the thread."""
        return self._last is None or self._last.done()

    async def run(self, work: Work[T], *, small: bool) -> T:
        """What ``work`` gives for the connection; once begun it runs to its end, also when the call is cancelled."""
        if small and self.is_free:
            try:
                return work(self._connection)
            except sqlite3.Error as error:
                if not tables.is_busy(error):
                    raise self.translated(error) from error
        # Shielded, because a cancelled future would seem done while its thread still uses the connection.
        return await asyncio.shield(asyncio.wrap_future(self.submit(work)))

    def here(self, work: Work[T]) -> T:
        """What ``work`` gives, on this thread; the lane must be free.

        Raises:
            sqlite3.Error: As it is.
        """
        return work(self._connection)

    def submit(self, work: Work[T]) -> Future[T]:
        """Run ``work`` on the thread, behind what is there."""
        future = self._last = self._thread.submit(self._wait_and_run, work)
        return future

    def close(self) -> Future[None]:
        """Close the connection once all calls are done; the last one to close copies the log into the file."""
        future = self._thread.submit(self._connection.close)
        self._thread.shutdown(wait=False)
        return future

    def translated(self, error: Exception) -> Exception:
        """The error as lamina says it."""
        if isinstance(error, (sqlite3.Error, OverflowError)):
            return _file.translated(error, self._path, self._timeout_s)
        return error

    def _wait_and_run(self, work: Work[T]) -> T:
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {int(self._timeout_s * 1000)}")
            try:
                return work(self._connection)
            finally:
                self._connection.execute("PRAGMA busy_timeout = 0")
        except (sqlite3.Error, OverflowError) as error:
            raise self.translated(error) from error


class Writer:
    """Commits: what several tasks commit at once is written in one transaction, each batch as if it were alone.

    A small commit that comes alone is written at once. A second one of another task in the same turn of the loop
    waits for the end of the turn, and all that have come till then, or while the thread was busy, are a group: one
    transaction, and at ``synchronous = "full"`` one fsync.

    Args:
        lane: The connection that writes.
        space: The namespace.
        fsync: Whether a commit waits for the disk, so that it is never done on the loop's thread.
    """

    def __init__(self, lane: Lane, space: _rows.Space, *, fsync: bool) -> None:
        self._lane, self._space, self._fsync = lane, space, fsync
        self._queue: deque[tuple[Commit, int, int, bool, asyncio.Future[dict[str, int]]]] = deque()
        self._is_called = False
        self._is_writing = False
        """Whether a group is on the thread; the next one gathers until it is written."""
        self._drained: asyncio.Future[None] | None = None
        self._turn: object = None
        """The task that has committed at once in this turn of the loop."""
        self._pages = 0

    def begin(self, request: Commit) -> dict[str, int] | asyncio.Future[dict[str, int]]:
        """Write the batch, or put it in the queue; what is in the queue is written, whoever waits for it."""
        n_records = len(request.puts) + len(request.deletes) + len(request.expect)
        n_bytes = sum(map(len, request.puts.values()))
        small = n_records <= SMALL_RECORDS and n_bytes <= SMALL_BYTES and not request.delete_prefixes
        if small and not self._fsync and not self._queue and self._pages < CHECKPOINT_PAGES and self._is_alone():
            self._pages += _pages(n_records, n_bytes)
            try:
                (outcome,) = self._lane.here(partial(_rows.write, space=self._space, requests=(request,)))
            except sqlite3.Error as error:
                if not tables.is_busy(error):
                    raise self._lane.translated(error) from error
            else:
                if isinstance(outcome, Exception):
                    raise outcome
                return outcome
        loop = asyncio.get_running_loop()
        future: asyncio.Future[dict[str, int]] = loop.create_future()
        self._queue.append((request, n_records, n_bytes, small, future))
        if not self._is_called:
            self._is_called = True
            loop.call_soon(self._write)
        return future

    async def drained(self) -> None:
        """Wait until what was begun is written."""
        while self._queue or self._is_writing:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def _is_alone(self) -> bool:
        """Whether no other task has committed in this turn of the loop, on a lane that is free."""
        if not self._lane.is_free:
            return False
        task = asyncio.current_task()
        if self._turn is None:
            self._turn = task
            asyncio.get_running_loop().call_soon(self._end_turn)
            return True
        return self._turn is task

    def _end_turn(self) -> None:
        self._turn = None

    def _write(self) -> None:
        """Write all that waits, here where that is a matter of a moment, else on the thread."""
        self._is_called = False
        if not self._queue or self._is_writing:
            return
        group, self._queue = list(self._queue), deque()
        requests = [entry[0] for entry in group]
        n_records = sum(entry[1] for entry in group)
        self._pages += _pages(n_records, sum(entry[2] for entry in group))
        work: Work[Outcomes] = partial(_rows.write, space=self._space, requests=requests)
        if self._pages >= CHECKPOINT_PAGES:
            self._pages = 0
            work = partial(_write_and_checkpoint, work=work)
        elif (
            not self._fsync and self._lane.is_free and n_records <= _GROUP_RECORDS and all(entry[3] for entry in group)
        ):
            try:
                self._settle(group, self._lane.here(work))
                return
            except sqlite3.Error as error:
                if not tables.is_busy(error):
                    self._settle(group, [error] * len(group))
                    return
        self._is_writing = True
        done = asyncio.wrap_future(self._lane.submit(work))
        done.add_done_callback(partial(self._written, group))

    def _written(self, group: list[Any], done: asyncio.Future[Outcomes]) -> None:
        self._is_writing = False
        error = done.exception()
        self._settle(group, [error] * len(group) if error is not None else done.result())
        self._write()

    def _settle(self, group: list[Any], outcomes: Sequence[Any]) -> None:
        for (*_, future), outcome in zip(group, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(self._lane.translated(outcome) if isinstance(outcome, Exception) else outcome)
                future.exception()  # who was cancelled does not ask for it, which asyncio would complain about
            else:
                future.set_result(outcome)
        if self._drained is not None and not (self._queue or self._drained.done()):
            self._drained.set_result(None)


def _pages(n_records: int, n_bytes: int) -> int:
    """About how many pages a transaction changes: one of the table and one of the index, and more by what it holds."""
    return 2 + n_records // 16 + n_bytes // 4096


def _write_and_checkpoint(connection: sqlite3.Connection, work: Work[Outcomes]) -> Outcomes:
    outcomes = work(connection)
    try:
        _file.checkpoint(connection)
    except sqlite3.OperationalError as error:
        # The commits stand; the log is copied another time.
        if not tables.is_busy(error):
            raise StorageError(f"committed, but the write-ahead log cannot be copied into the file: {error}") from error
    return outcomes
