"""Records in memory, and every change to them in a journal."""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lamina.errors import ClosedError, ConflictError, IntegrityError, StorageError
from lamina.host import Host
from lamina.kit.keys import check_commit, check_keys, check_scan, check_text, prefix_end
from lamina.protocols import Capability, Commit, Get, Record, Scan

from lamina_acme._journal import Journal, line_of

if TYPE_CHECKING:
    from lamina_acme import JsonSettings

SCHEMA = 1
"""The form of the journal; it grows when an older release could not read what this one writes."""


class JsonStorage:
    """Keeps the records of one namespace in memory and in a journal of JSON lines.

    The first line says whose journal it is, each other one is a commit. No call suspends, so every call is atomic
    among the tasks of an event loop. A get costs O(1) a key, a scan O(log n) and its records, a commit one write;
    opening reads the whole journal.

    Args:
        settings: As configured.
        host: Gives folder, name and namespace.

    Raises:
        IntegrityError: The journal is damaged, or was written by a newer release.
        StorageError: It is open already, or the folder cannot be used.
    """

    capabilities: frozenset[Capability] = frozenset({Capability.DURABLE})

    def __init__(self, settings: JsonSettings, host: Host) -> None:
        check_text(host.namespace, "namespace")
        self._name, self._namespace, self._slack_bytes = host.name, host.namespace, settings.slack_bytes
        # Any text may be a namespace, but not any text a file name (case, length, slashes), so it is digested.
        digest = hashlib.sha256(host.namespace.encode()).hexdigest()[:32]
        self._records: dict[str, Record] = {}
        self._keys: list[str] = []
        self._last = 0
        """The last version given. One counter for all keys, so a version is not reused after a delete."""
        self._live_bytes = 0
        """What the records take in the journal, each on a line of its own."""
        self._closed = False
        path = host.path(settings.path / f"{digest}.jsonl")
        try:
            self._journal = Journal(path, fsync=settings.fsync)
            try:
                self._load()
            except BaseException:
                self._journal.close()
                raise
        except OSError as error:
            raise StorageError(f"{path}: {error}") from error

    async def commit(self, request: Commit) -> Mapping[str, int]:
        """Write the batch whole; see :meth:`lamina.protocols.Storage.commit`.

        Raises:
            StorageError: It could not be written (the disk is full); nothing of it was.
        """
        self._check_open()
        check_commit(request, self.capabilities, self._name)
        lost = [key for key, version in request.expect.items() if self._version(key) != version]
        if lost:
            raise ConflictError(lost)
        puts = [Record(key, value, self._last + n) for n, (key, value) in enumerate(request.puts.items(), 1)]
        deletes = [key for key in request.deletes if key in self._records]
        if puts or deletes:
            # The journal before the records. The reverse would show to readers what may not come to be.
            self._write(puts, deletes)
            self._apply(puts, deletes)
        return {record.key: record.version for record in puts}

    async def get(self, request: Get) -> Sequence[Record | None]:
        """The records in the order of the keys; ``None`` for absent ones."""
        self._check_open()
        check_keys(request.keys)
        return [self._records.get(key) for key in request.keys]

    async def scan(self, request: Scan) -> Sequence[Record]:
        """One batch of records in order; fewer than ``limit`` means the end was reached."""
        self._check_open()
        check_scan(request)
        keys, after, end = self._keys, request.after, prefix_end(request.prefix)
        low = bisect_left(keys, request.prefix)
        high = len(keys) if end is None else bisect_left(keys, end)
        if after is not None and request.reverse:
            high = min(high, bisect_left(keys, after))
        elif after is not None:
            low = max(low, bisect_right(keys, after))
        found = keys[max(low, high - request.limit) : high] if request.reverse else keys[low:high][: request.limit]
        records = [self._records[key] for key in (reversed(found) if request.reverse else found)]
        return [Record(r.key, b"", r.version) for r in records] if request.keys_only else records

    def close(self) -> None:
        """Close the journal; any later call is refused."""
        self._closed = True
        self._journal.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"storage {self._name!r} was used after it was closed")

    def _version(self, key: str) -> int | None:
        record = self._records.get(key)
        return None if record is None else record.version

    def _apply(self, puts: Sequence[Record], deletes: Sequence[str]) -> None:
        for key in deletes:
            self._live_bytes -= _weight(self._records.pop(key))
            del self._keys[bisect_left(self._keys, key)]
        for record in puts:
            old = self._records.get(record.key)
            if old is None:
                insort(self._keys, record.key)
            else:
                self._live_bytes -= _weight(old)
            self._records[record.key] = record
            self._live_bytes += _weight(record)
            self._last = record.version

    # --------------------------------------------------------------------------------------------- the journal

    def _write(self, puts: Sequence[Record], deletes: Sequence[str]) -> None:
        try:
            outdated = self._journal.size - self._live_bytes
            if outdated > max(self._live_bytes, self._slack_bytes):
                self._journal.rewrite(self._lines())
            self._journal.append(_entry(puts, deletes))
        except OSError as error:
            raise StorageError(f"{self._journal.path}: nothing was written: {error}") from error

    def _lines(self) -> Iterator[dict[str, Any]]:
        yield {"acme-json": SCHEMA, "namespace": self._namespace, "last": self._last}
        for key in self._keys:
            yield _entry([self._records[key]], ())

    def _load(self) -> None:
        entries = self._journal.read()
        head = next(entries, None)
        if head is None:
            self._journal.rewrite(self._lines())
            return
        self._check(head)
        self._last = head["last"]
        for entry in entries:
            puts = [Record(key, base64.b64decode(text), version) for key, (version, text) in entry["puts"].items()]
            self._apply(puts, entry["deletes"])

    def _check(self, head: Mapping[str, Any]) -> None:
        if head.get("acme-json") != SCHEMA:
            raise IntegrityError(
                f"{self._journal.path}: schema {head.get('acme-json')!r}, this release knows {SCHEMA}; "
                "install a newer lamina-acme"
            )
        if head["namespace"] != self._namespace:
            raise IntegrityError(f"{self._journal.path}: of namespace {head['namespace']!r}, not {self._namespace!r}")


def _entry(puts: Sequence[Record], deletes: Sequence[str]) -> dict[str, Any]:
    texts = {record.key: (record.version, base64.b64encode(record.value).decode()) for record in puts}
    return {"puts": texts, "deletes": list(deletes)}


def _weight(record: Record) -> int:
    return len(line_of(_entry([record], ())))
