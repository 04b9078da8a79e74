"""The asynchronous face of a SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from lamina.errors import ClosedError, IntegrityError, StorageError
from lamina.host import Host
from lamina.kit import tables
from lamina.kit.keys import check_commit, check_keys, check_scan, check_text
from lamina.protocols import (
    BackupRequest,
    Capability,
    Change,
    CheckRequest,
    Commit,
    Damage,
    Get,
    NamespacesRequest,
    Record,
    Scan,
    ScrubRequest,
    Size,
    SizeRequest,
    WatchRequest,
)
from lamina_storage_sqlite import _careful, _file, _lanes, _rows
from lamina_storage_sqlite._glance import Glance

if TYPE_CHECKING:
    from lamina_storage_sqlite import SqliteSettings

_TOLD = 10_000
"""More keys than so many are told as "any"."""


class SqliteStorage:
    """Keeps the records of one namespace in a SQLite file, which other namespaces and processes share.

    One connection writes and one reads, so reads go on while a large batch is written; each sees whole commits
    only; a third one reads what must be there at once. A small commit costs about 35 µs on the event loop's thread at ``synchronous = "normal"``, a get of one
    key 7 µs; large calls, and all commits at ``"full"``, cost a thread switch (0.1 ms) and leave the loop free.
    What many tasks commit at once is one transaction.

    Every record has a checksum, which is looked at when it is read. A read that meets damage goes on carefully, on a
    thread: it reads the whole table.
    """

    capabilities: frozenset[Capability] = frozenset(Capability) - {Capability.TTL}

    def __init__(self, opened: _file.Opened, settings: SqliteSettings, host: Host) -> None:
        self._opened, self._path, self._timeout_s = opened, opened.path, settings.busy_timeout_s
        self._name, self._space, self._watch_s = host.name, _rows.Space(host.namespace), settings.watch_s
        self._reader = _lanes.Lane(opened.reader, self._path, self._timeout_s)
        self._lane = None if opened.writer is None else _lanes.Lane(opened.writer, self._path, self._timeout_s)
        self._writer: _lanes.Writer | None = None
        if self._lane is not None:
            self._writer = _lanes.Writer(self._lane, self._space, fsync=settings.synchronous == "full")
        self._glance = Glance(self._path, self._space, self._timeout_s)
        if self._writer is None:
            # What can only be read may be a copy, or open in a way of its own: everything is read at opening then.
            self.capabilities -= {Capability.INSTANT}
        self._closed = asyncio.Event()

    @classmethod
    async def open(cls, settings: SqliteSettings, host: Host) -> SqliteStorage:
        """Open the file on a thread, because that may wait for others and for the disk."""
        check_text(host.namespace, "namespace")
        path, timeout_s = host.path(settings.path), settings.busy_timeout_s
        opening = _file.Opening(path, settings.synchronous, timeout_s, host.logger)
        opened = asyncio.get_running_loop().run_in_executor(None, _file.open_file, opening)
        try:
            return cls(await asyncio.shield(opened), settings, host)
        except asyncio.CancelledError:
            opened.add_done_callback(_close_all)
            raise
        except (sqlite3.Error, OSError) as error:
            raise _file.translated(error, path, timeout_s) from error

    async def commit(self, request: Commit) -> Mapping[str, int]:
        """Write the batch whole; see :meth:`lamina.protocols.Storage.commit`.

        Raises:
            StorageError: The file stayed locked, can only be read, or the disk is full; nothing was written.
            IntegrityError: The file is damaged.
        """
        self._check_open()
        check_commit(request, self.capabilities, self._name)
        if self._writer is None:
            raise self._unwritable()
        begun = self._writer.begin(request)
        # Not shielded, which would cost as much as the write: what is begun is written, whoever waits for it.
        return begun if isinstance(begun, dict) else await begun

    async def get(self, request: Get) -> Sequence[Record | None]:
        """The records in the order of the keys; ``None`` for absent ones."""
        self._check_open()
        check_keys(request.keys)
        if not request.keys:
            return []
        work = partial(_rows.read, space=self._space, keys=request.keys)
        try:
            return await self._reader.run(work, small=len(request.keys) <= _lanes.SMALL_RECORDS)
        except (_rows.DamageError, IntegrityError):
            careful = partial(_careful.read, space=self._space, keys=request.keys, path=self._path)
            found = await self._reader.run(careful, small=False)
            _refuse_damaged(found, request.tolerant)
            return found

    def get_now(self, request: Get) -> Sequence[Record | None]:
        """As :meth:`get`, at once: 7 µs for one key."""
        self._check_open()
        check_keys(request.keys)
        found = self._glance.read(request.keys)
        _refuse_damaged(found, request.tolerant)
        return found

    async def scan(self, request: Scan) -> Sequence[Record]:
        """One batch of records in order; fewer than ``limit`` means the end was reached."""
        self._check_open()
        check_scan(request)
        work = partial(_rows.read_range, space=self._space, request=request)
        try:
            return await self._reader.run(work, small=request.limit <= _lanes.SMALL_RECORDS)
        except (_rows.DamageError, IntegrityError):
            careful = partial(_careful.read_range, space=self._space, request=request, path=self._path)
            found = await self._reader.run(careful, small=False)
            _refuse_damaged(found, request.tolerant)
            return found

    async def size(self, request: SizeRequest) -> Size:
        """How much is kept under the prefix; about 0.3 µs a record, on a thread."""
        self._check_open()
        check_text(request.prefix, "prefix")
        work = partial(_rows.measure, space=self._space, prefix=request.prefix)
        return await self._reader.run(work, small=False)

    @asynccontextmanager
    async def watch(self, request: WatchRequest) -> AsyncIterator[AsyncIterator[Change]]:
        """Tell what others change; they are looked for every ``watch_s`` seconds, which costs 3 µs where there is nothing.

        Keys are named where nothing was deleted, else any may be concerned.
        """
        self._check_open()
        check_text(request.prefix, "prefix")
        yield self._changes(request.prefix, await self._reader.run(_rows.seen_now, small=True))

    async def scrub(self, request: ScrubRequest) -> None:
        """Leave nothing of what was deleted or replaced; see :class:`lamina.protocols.ScrubbingStorage`."""
        self._check_open()
        if self._writer is None or self._lane is None:
            raise self._unwritable()
        await self._writer.drained()
        await self._lane.run(_file.scrub, small=False)

    async def backup(self, request: BackupRequest) -> None:
        """Write a copy, packed and checked, on a connection of its own; a second or two for a million records."""
        self._check_open()
        path, target, timeout_s = self._path, request.path, self._timeout_s
        try:
            if self._writer is None:
                copying = partial(_file.copy_from, path=path, target=target, timeout_s=timeout_s)
                await self._reader.run(copying, small=False)
            else:
                beside = partial(_file.copy_to, path, target, timeout_s)
                await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, beside))
        except (sqlite3.Error, OSError) as error:
            raise _file.translated(error, self._path, self._timeout_s) from error

    async def namespaces(self, request: NamespacesRequest) -> Sequence[str]:
        """The namespaces that have records; a seek for each."""
        self._check_open()
        if request.limit < 1:
            raise ValueError(f"a listing's limit is at least 1, not {request.limit}")
        work = partial(_rows.namespaces, after=request.after, limit=request.limit)
        return await self._reader.run(work, small=False)

    async def check(self, request: CheckRequest) -> Sequence[Damage]:
        """Read everything, on a thread, and name what is damaged."""
        self._check_open()
        kept = tables.kept_logs(self._path)
        found = [Damage(what=f"{log}: commits that were lost with a damaged write-ahead log; delete it once that is known") for log in kept]  # fmt: skip
        found += await self._reader.run(partial(_careful.check, path=self._path, limit=request.limit), small=False)
        return found[: request.limit]

    async def close(self) -> None:
        """Finish what was begun and close the file; any later call is refused."""
        self._closed.set()
        self._glance.close()
        if self._writer is not None:
            await self._writer.drained()
        await asyncio.shield(self._close_lanes())
        self._opened.clean()

    async def _close_lanes(self) -> None:
        # One after the other: of two that close at once each would take the other for one that stays, and none would copy
        # the log into the file.
        for lane in (self._reader, self._lane):
            if lane is not None:
                await asyncio.wrap_future(lane.close())

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise ClosedError(f"storage {self._name!r} was used after it was closed")

    def _unwritable(self) -> StorageError:
        return StorageError(f"{self._path} can only be read: {self._opened.why}")

    async def _changes(self, prefix: str, seen: _rows.Seen) -> AsyncIterator[Change]:
        data = -1
        while True:
            self._check_open()
            last, data = data, await self._reader.run(_data_version, small=True)
            if data != last:
                now = await self._reader.run(_rows.seen_now, small=True)
                keys: set[str] | None = None
                if now.deletes == seen.deletes:
                    changed = partial(_rows.changed_since, space=self._space, prefix=prefix, seen=seen, limit=_TOLD)
                    keys = await self._reader.run(changed, small=False) if now != seen else set()
                seen = now
                if keys is None or keys:
                    yield Change(keys=None if keys is None else frozenset(keys))
                    continue
            # Closing ends the wait.
            try:
                await asyncio.wait_for(self._closed.wait(), self._watch_s)
            except TimeoutError:
                continue


def _refuse_damaged(records: Sequence[Record | None], tolerant: bool) -> None:
    if tolerant:
        return
    damaged = [record.damaged for record in records if record is not None and record.damaged]
    if damaged:
        more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
        raise IntegrityError(f"{damaged[0]}{more}")


def _data_version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)


def _close_all(opened: asyncio.Future[_file.Opened]) -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()
