"""A dict of records beside a sorted list of their keys."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence

from lamina.errors import ClosedError, ConflictError, StorageError
from lamina.kit.keys import check_commit, check_keys, check_scan, check_text, prefix_end
from lamina.protocols import Capability, Commit, Get, Record, Scan, Size, SizeRequest

_FEW = 16
"""Up to so many new or deleted keys are moved one by one; more are merged in one pass over the list."""


class MemoryStorage:
    """Keeps records in this process, in one namespace.

    No call suspends, so every call is atomic among the tasks of an event loop. A get costs O(1) a key, a scan
    O(log n) and its records; a new or deleted key moves the keys behind it (8 bytes each), except at the end.

    Args:
        name: The instance's configured name, for messages.
        max_bytes: Most bytes of keys (in UTF-8) and values together, ``None`` for no bound.
    """

    capabilities: frozenset[Capability] = frozenset({Capability.INSTANT, Capability.RANGE_DELETES, Capability.SIZES})

    def __init__(self, name: str, max_bytes: int | None = None) -> None:
        self._name, self._max_bytes = name, max_bytes
        self._records: dict[str, Record] = {}
        self._keys: list[str] = []
        self._bytes = 0
        self._version = 0
        self._closed = False

    async def commit(self, request: Commit) -> Mapping[str, int]:
        """Write the batch whole; see :meth:`lamina.protocols.Storage.commit`.

        Raises:
            StorageError: It would take more than ``max_bytes``; nothing was written.
        """
        self._check_open()
        check_commit(request, self.capabilities, self._name)
        records = self._records
        lost = [key for key, version in request.expect.items() if self._version_of(key) != version]
        if lost:
            raise ConflictError(lost)
        gone = self._gone(request)
        n_bytes = self._bytes_after(request, gone)
        new = [key for key in request.puts if key not in records]
        for key in gone:
            del records[key]
        versions = {}
        for key, value in request.puts.items():
            self._version += 1
            records[key] = Record(key=key, value=value, version=self._version)
            versions[key] = self._version
        self._bytes = n_bytes
        self._forget(gone)
        self._learn(new)
        return versions

    async def get(self, request: Get) -> Sequence[Record | None]:
        """The records in the order of the keys; ``None`` for absent ones."""
        return self.get_now(request)

    def get_now(self, request: Get) -> Sequence[Record | None]:
        """As :meth:`get`, at once."""
        self._check_open()
        check_keys(request.keys)
        return [self._records.get(key) for key in request.keys]

    async def scan(self, request: Scan) -> Sequence[Record]:
        """One batch of records in order; fewer than ``limit`` means the end was reached."""
        self._check_open()
        check_scan(request)
        keys, after = self._keys, request.after
        low, high = self._range(request.prefix)
        if request.reverse:
            if after is not None:
                high = min(high, bisect_left(keys, after))
            wanted = keys[max(low, high - request.limit) : high] if high > low else []
            wanted.reverse()
        else:
            if after is not None:
                low = max(low, bisect_right(keys, after))
            wanted = keys[low : min(high, low + request.limit)]
        if request.keys_only:
            return [Record(key=key, value=b"", version=self._records[key].version) for key in wanted]
        return [self._records[key] for key in wanted]

    async def size(self, request: SizeRequest) -> Size:
        """How much is kept under the prefix: O(1) for everything, else O(log n) and 0.1 µs a record under it."""
        self._check_open()
        check_text(request.prefix, "prefix")
        if not request.prefix:
            return Size(records=len(self._keys), bytes=self._bytes)
        low, high = self._range(request.prefix)
        under = self._keys[low:high]
        return Size(records=len(under), bytes=sum(_weight(key, self._records[key].value) for key in under))

    def close(self) -> None:
        """Drop everything; any later call is refused."""
        self._closed = True
        self._records, self._keys, self._bytes = {}, [], 0

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"storage {self._name!r} was used after it was closed")

    def _range(self, prefix: str) -> tuple[int, int]:
        """Where the keys of a prefix begin and end."""
        end = prefix_end(prefix)
        return bisect_left(self._keys, prefix), len(self._keys) if end is None else bisect_left(self._keys, end)

    def _gone(self, request: Commit) -> list[str]:
        """The keys that go; one that is put, too, is only replaced."""
        gone = {key for key in request.deletes if key in self._records}
        for prefix in request.delete_prefixes:
            low, high = self._range(prefix)
            gone.update(self._keys[low:high])
        return [key for key in gone if key not in request.puts]

    def _version_of(self, key: str) -> int | None:
        record = self._records.get(key)
        return None if record is None else record.version

    def _bytes_after(self, request: Commit, gone: Sequence[str]) -> int:
        n_bytes = self._bytes
        for key in gone:
            n_bytes -= _weight(key, self._records[key].value)
        for key, value in request.puts.items():
            old = self._records.get(key)
            n_bytes += _weight(key, value) - (0 if old is None else _weight(key, old.value))
        # A batch that frees bytes is never refused: it is the way out of a storage that is full.
        if self._max_bytes is not None and n_bytes > self._max_bytes and n_bytes > self._bytes:
            raise StorageError(
                f"storage {self._name!r} is full: the commit would make {n_bytes} bytes of "
                f"max_bytes = {self._max_bytes}; raise max_bytes or choose a storage on disk"
            )
        return n_bytes

    def _forget(self, gone: Sequence[str]) -> None:
        keys = self._keys
        if len(gone) > _FEW:
            self._keys = [key for key in keys if key in self._records]
            return
        for key in gone:
            del keys[bisect_left(keys, key)]

    def _learn(self, new: Sequence[str]) -> None:
        keys = self._keys
        if len(new) > _FEW:
            # Timsort merges the sorted run with the new keys, so this is near to O(n), not O(n log n).
            keys.extend(new)
            keys.sort()
            return
        for key in new:
            # The log only appends: its newest key is the last of all, or of its session.
            if not keys or key > keys[-1]:
                keys.append(key)
            else:
                insort(keys, key)


def _weight(key: str, value: bytes) -> int:
    return len(key.encode()) + len(value)
