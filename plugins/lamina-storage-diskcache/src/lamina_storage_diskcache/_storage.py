"""The asynchronous face of diskcache's table, all calls on one thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import diskcache

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
from lamina_storage_diskcache import _table
from lamina_storage_diskcache._disk import SafeDisk

if TYPE_CHECKING:
    from lamina_storage_diskcache import DiskcacheSettings

T = TypeVar("T")

_MOST = 2**62
"""More than any limit; SQLite's integers end at 2^63."""


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

    A record is a row: its key behind the namespace, its value behind version and checksums, and as its *tag* the time
    when it expires by lamina's clock (diskcache's own expiry knows only the system's). Batches are diskcache
    transactions.

    diskcache has no ordered scan from a key, so reads are SQL on its table (``Cache``, as of 5.6), whose index over
    keys serves them: O(log n) and the records given. Every call costs a thread switch (0.1 ms), a commit also what
    diskcache takes (about 0.1 ms a record, several statements each): an import of 1,000 records about 0.1 s. A read
    that meets damage reads the whole table.

    Args:
        settings: As configured.
        host: Gives folder, name, namespace and clock.
    """

    capabilities: frozenset[Capability] = frozenset(Capability) - {Capability.INSTANT}

    def __init__(self, settings: DiskcacheSettings, host: Host) -> None:
        check_text(host.namespace, "namespace")
        self._folder, self._timeout_s, self._watch_s = (
            host.path(settings.path),
            settings.busy_timeout_s,
            settings.watch_s,
        )
        self._name, self._clock, self._logger = host.name, host.clock, host.logger
        self._path = self._folder / diskcache.core.DBNAME
        self._space = _table.space_of(host.namespace)
        # diskcache has a connection per thread; with one thread there is one, and calls come one after the other.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lamina-diskcache")
        self._cache: Any = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._why = ""
        """Why it can only be read, where that is so."""
        self._closed = asyncio.Event()

    async def open(self) -> None:
        """Open the folder; see :func:`lamina_storage_diskcache.open_diskcache`."""
        await self._run(self._open)

    async def commit(self, request: Commit) -> Mapping[str, int]:
        """Write the batch whole; see :meth:`lamina.protocols.Storage.commit`.

        Raises:
            StorageError: The folder stayed locked, can only be read, or the disk is full; nothing was written.
            IntegrityError: What is there is damaged, or not ours.
        """
        self._check_open()
        check_commit(request, self.capabilities, self._name)
        self._check_writable()
        return await self._run(partial(self._table.commit, request, self._clock()))

    async def get(self, request: Get) -> Sequence[Record | None]:
        """The records in the order of the keys; ``None`` for absent and expired ones."""
        self._check_open()
        check_keys(request.keys)
        return await self._run(partial(self._table.get, request, self._clock()))

    async def scan(self, request: Scan) -> Sequence[Record]:
        """One batch of records in order; fewer than ``limit`` means the end was reached."""
        self._check_open()
        check_scan(request)
        return await self._run(partial(self._table.scan, request, self._clock()))

    async def size(self, request: SizeRequest) -> Size:
        """How much is kept under the prefix; about 0.5 µs a record."""
        self._check_open()
        check_text(request.prefix, "prefix")
        return await self._run(partial(self._table.size, request.prefix, self._clock()))

    @asynccontextmanager
    async def watch(self, request: WatchRequest) -> AsyncIterator[AsyncIterator[Change]]:
        """Tell that others changed something, looked for every ``watch_s`` seconds; never which keys."""
        self._check_open()
        check_text(request.prefix, "prefix")
        yield self._changes(await self._run(self._data_version))

    async def scrub(self, request: ScrubRequest) -> None:
        """Leave nothing of what was deleted or replaced; see :class:`lamina.protocols.ScrubbingStorage`."""
        self._check_open()
        self._check_writable()
        await self._run(self._scrub)

    async def backup(self, request: BackupRequest) -> None:
        """Write a folder with a copy, packed and checked; other calls wait meanwhile."""
        self._check_open()
        await self._run(partial(self._backup, request.path))

    async def namespaces(self, request: NamespacesRequest) -> Sequence[str]:
        """The namespaces that have records; every key is read."""
        self._check_open()
        if request.limit < 1:
            raise ValueError(f"a listing's limit is at least 1, not {request.limit}")
        return await self._run(lambda: _table.namespaces(self._cache, request.after, request.limit, self._clock()))

    async def check(self, request: CheckRequest) -> Sequence[Damage]:
        """Read everything and name what is damaged."""
        self._check_open()
        kept = [Damage(what=f"{log}: a damaged write-ahead log; delete it once that is known") for log in tables.kept_logs(self._path)]  # fmt: skip
        found = await self._run(lambda: _table.check(self._cache, self._path, request.limit))
        return [*kept, *found][: request.limit]

    async def close(self) -> None:
        """Finish what was begun and close the database; any later call is refused."""
        self._closed.set()
        future = self._thread.submit(self._close)
        self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(future))

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise ClosedError(f"storage {self._name!r} was used after it was closed")

    def _check_writable(self) -> None:
        if self._why:
            raise StorageError(f"{self._folder} can only be read: {self._why}")

    async def _changes(self, seen: int) -> AsyncIterator[Change]:
        while True:
            self._check_open()
            now = await self._run(self._data_version)
            if now != seen:
                seen = now
                yield Change(keys=None)
                continue
            # Closing ends the wait.
            try:
                await asyncio.wait_for(self._closed.wait(), self._watch_s)
            except TimeoutError:
                continue

    async def _run(self, work: Callable[[], T]) -> T:
        """Run ``work`` on the thread; once handed over it runs to its end, also when the call is cancelled."""
        return await asyncio.shield(asyncio.wrap_future(self._thread.submit(self._translated, work)))

    def _translated(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except diskcache.Timeout as error:
            raise self._locked() from error
        except (sqlite3.Error, OSError, OverflowError) as error:
            if isinstance(error, sqlite3.Error) and tables.is_busy(error):
                raise self._locked() from error
            if isinstance(error, sqlite3.Error) and tables.is_damage(error):
                raise IntegrityError(
                    f"{self._path} is damaged ({error}); restore a copy, or delete the folder if what "
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
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self._path.exists():
                self._make()
            tables.check_size(self._path)
            if os.access(self._path, os.W_OK) and os.access(self._folder, os.W_OK):
                self._tell_lost()
                self._connect(self._folder)
                return
            why = "its folder or file takes nothing more"
        except (sqlite3.DatabaseError, OSError) as error:
            is_cut = isinstance(error, sqlite3.Error) and tables.is_damage(error) and tables.missing_bytes(self._path)
            if not self._path.is_file() or not (tables.is_unwritable(error) or is_cut):
                raise
            why = f"it was cut off, {is_cut} bytes are missing; restore a copy" if is_cut else str(error)
        self._copy = tempfile.TemporaryDirectory(prefix="lamina-")
        tables.copied(self._path, Path(self._copy.name))
        self._connect(Path(self._copy.name))
        self._why = why
        self._logger.warning("can only be read", path=str(self._folder), why=why)

    def _make(self) -> None:
        """Make a database in a folder of its own, and give it its place when it is whole."""
        tables.check_missing(self._path)
        beside = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
        try:
            self._connect(beside, new=True)
            self._cache.close()
            tables.give_name(beside / self._path.name, self._path)
        except FileExistsError:
            pass  # another process was first
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _connect(self, folder: Path, *, new: bool = False) -> None:
        # SQLite would create it by the umask; its journal files take their mode from it.
        os.close(os.open(folder / self._path.name, os.O_RDWR | os.O_CREAT, 0o600))
        try:
            self._cache = _Cache(
                str(folder),
                timeout=self._timeout_s,
                disk=SafeDisk,
                eviction_policy="none",
                size_limit=_MOST,
                cull_limit=0,
                statistics=0,
                tag_index=1,
                sqlite_secure_delete=1,
            )
        except (TypeError, AttributeError, KeyError, ValueError) as error:
            # diskcache takes the names and values of its settings from the file as they are.
            raise IntegrityError(f"{self._path} holds settings that diskcache cannot use ({error})") from error
        self._table = _table.Table(self._cache, self._space, self._path)
        if new:
            _table.set_form(self._cache)
        self._migrate(folder)

    def _migrate(self, folder: Path) -> None:
        """Bring a folder of form 1 up to date in one transaction, with a copy of it made first."""
        cache = self._cache
        form = _table.form_of(cache)
        if form == _table.FORM:
            return
        if form != 1:
            raise IntegrityError(
                f"{self._folder} has form {form}; this release knows form {_table.FORM}: update lamina-storage-diskcache"
            )
        with cache.transact():
            if _table.form_of(cache) == 1:
                if folder == self._folder:
                    self._keep_old()
                _table.add_checksums(cache, self._path)
                _table.set_form(cache)
        # What was deleted before stands in freed pages; others who read meanwhile keep it there.
        with contextlib.suppress(sqlite3.OperationalError):
            cache._con.execute("VACUUM")

    def _keep_old(self) -> None:
        # Nobody else can write now, so the copy is what will be changed.
        kept = tables.side_file(self._path, ".form-1.backup")
        source = sqlite3.connect(self._path, timeout=self._timeout_s, isolation_level=None)
        try:
            tables.vacuum_into(source, kept, lambda made: None)
        except FileExistsError:
            pass
        finally:
            source.close()
        self._logger.info("storage brought up to date", path=str(self._folder), form=_table.FORM, backup=str(kept))

    def _tell_lost(self) -> None:
        """Look at the write-ahead log before diskcache writes, which it does when it opens."""
        if not tables.side_file(self._path, "-wal").exists():
            return
        connection = sqlite3.connect(self._path, timeout=self._timeout_s, isolation_level=None)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            lost = tables.lost_commits(self._path)
            kept = tables.keep_damaged(self._path) if lost else None
        finally:
            connection.close()
        if lost:
            self._logger.warning("the write-ahead log is damaged: commits are lost", path=str(self._path), commits=lost, log=str(kept))  # fmt: skip

    def _close(self) -> None:
        if self._cache is not None:
            self._cache.close()
        if self._copy is not None:
            self._copy.cleanup()

    def _data_version(self) -> int:
        ((version,),) = self._cache._sql("PRAGMA data_version").fetchall()
        return int(version)

    def _scrub(self) -> None:
        ((busy, _, _),) = self._cache._sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            raise StorageError(
                "what was deleted still stands in the write-ahead log, because another process reads it; ask again"
            )

    def _backup(self, path: Path) -> None:
        if path.exists():
            raise FileExistsError(f"{path} is there already; a copy never replaces anything")

        def check(made: Path) -> None:
            damages = _table.check(self._cache, self._path, 1)
            if damages:
                raise IntegrityError(f"not copied: {damages[0].what}")

        path.mkdir(parents=True, mode=0o700)
        try:
            tables.vacuum_into(self._cache._con, path / self._path.name, check)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
