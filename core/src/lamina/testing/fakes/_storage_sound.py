"""Two storages that do everything right: what the broken ones start from."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from attrs import define, evolve, field

from lamina.errors import CapabilityError, ClosedError, ConflictError
from lamina.protocols import Capability, Commit, Get, Record, Scan, Size, SizeRequest

ALL = frozenset(Capability)


@define
class Kept:
    """One record as the sound fake keeps it."""

    value: bytes
    version: int
    expires_s: float


@define
class Space:
    """One namespace."""

    records: dict[str, Kept] = field(factory=dict)
    versions: int = 0


class Place:
    """Where the storages of one test keep their records.

    Args:
        kind: The class of the storages.
        clock: Unix time in seconds.
    """

    def __init__(self, kind: type[SoundStorage], clock: Callable[[], float]) -> None:
        self.kind, self.clock = kind, clock
        self.spaces: dict[str, Space] = {}

    @asynccontextmanager
    async def open(self, namespace: str = "test") -> AsyncIterator[SoundStorage]:
        """Open one namespace."""
        storage = self.kind(self.kind.enter(self, namespace), self.clock, namespace)
        try:
            yield storage
        finally:
            storage.closed = True


class SoundStorage:
    """Does everything right and naively; the broken ones override one step of it.

    Each of them says in ``fails`` which tests of :class:`lamina.testing.storage.StorageSuite` it must fail.
    """

    fails: ClassVar[frozenset[str]] = frozenset()
    declares: ClassVar[frozenset[Capability]] = ALL
    """What the suite is told that it declares."""

    def __init__(self, space: Space, clock: Callable[[], float], namespace: str) -> None:
        self.capabilities = self.declares
        self.space, self.clock, self.namespace, self.closed = space, clock, namespace, False

    @classmethod
    def enter(cls, place: Place, namespace: str) -> Space:
        """The namespace's records."""
        return place.spaces.setdefault(namespace, Space())

    async def commit(self, request: Commit) -> Mapping[str, int]:
        """Write the batch whole."""
        self.check_open()
        self.check_commit(request)
        self.check_ttl(request)
        self.check_expect(request)
        return self.apply(request)

    async def get(self, request: Get) -> Sequence[Record | None]:
        """The records in the order of the keys."""
        self.check_open()
        for key in request.keys:
            self.check_key(key)
        return [self.record(key) for key in request.keys]

    async def scan(self, request: Scan) -> Sequence[Record]:
        """One batch of records in order."""
        self.check_open()
        self.check_scan(request)
        keys = [key for key in self.space.records if self.alive(key) and self.matches(key, request.prefix)]
        keys.sort(key=self.order, reverse=request.reverse)
        if request.after is not None:
            keys = [key for key in keys if self.beyond(key, request.after, request.reverse)]
        found = [self.record(key) for key in keys[: self.limit(request)]]
        records = [record for record in found if record is not None]
        return [evolve(record, value=b"") for record in records] if request.keys_only else records

    async def size(self, request: SizeRequest) -> Size:
        """How much is kept under the prefix."""
        self.check_open()
        request.prefix.encode()
        kept = [(name, k.value) for name, k in self.space.records.items() if name.startswith(request.prefix)]
        kept = [(name, value) for name, value in kept if self.alive(name)]
        return Size(records=len(kept), bytes=sum(len(name.encode()) + len(value) for name, value in kept))

    def check_open(self) -> None:
        """Refuse after close."""
        if self.closed:
            raise ClosedError("closed")

    def check_key(self, key: str) -> None:
        """Refuse impossible keys."""
        if not key or "\0" in key or len(key.encode()) > 1000:
            raise ValueError(f"impossible key {key[:20]!r}")

    def check_commit(self, request: Commit) -> None:
        """Refuse impossible batches."""
        for key in (*request.puts, *request.deletes, *request.expect):
            self.check_key(key)
        if request.deletes & request.puts.keys():
            raise ValueError("both put and deleted")

    def check_ttl(self, request: Commit) -> None:
        """Refuse impossible lifetimes."""
        if request.ttl_s is not None and not (0 < request.ttl_s < math.inf):
            raise ValueError("impossible lifetime")

    def check_expect(self, request: Commit) -> None:
        """Refuse when an expectation does not hold."""
        lost = self.lost(request)
        if lost:
            raise ConflictError(lost)

    def check_scan(self, request: Scan) -> None:
        """Refuse impossible scans."""
        if request.limit < 1:
            raise ValueError("impossible limit")
        (request.prefix + (request.after or "")).encode()

    def lost(self, request: Commit) -> list[str]:
        """The keys whose version is another than expected."""
        now = {key: self.record(key) for key in request.expect}
        versions = {key: None if record is None else record.version for key, record in now.items()}
        return [key for key, want in request.expect.items() if versions[key] != want]

    def apply(self, request: Commit) -> dict[str, int]:
        """Write."""
        for key in request.deletes:
            self.space.records.pop(self.name(key), None)
        return {key: self.put(key, value, request) for key, value in request.puts.items()}

    def put(self, key: str, value: bytes, request: Commit) -> int:
        """Write one record."""
        version = self.next_version(self.name(key))
        expires_s = math.inf if request.ttl_s is None else self.clock() + request.ttl_s
        self.space.records[self.name(key)] = Kept(value, version, expires_s)
        return version

    def next_version(self, name: str) -> int:
        """A version that was never used."""
        self.space.versions += 1
        return self.space.versions

    def record(self, key: str) -> Record | None:
        """The record of a key."""
        name = self.name(key)
        kept = self.space.records.get(name)
        return Record(name, kept.value, kept.version) if kept is not None and self.alive(name) else None

    def alive(self, name: str) -> bool:
        """Whether a record has not expired."""
        return self.space.records[name].expires_s > self.clock()

    def name(self, key: str) -> str:
        """Under which name a key is kept."""
        return key

    def matches(self, key: str, prefix: str) -> bool:
        """Whether a scan of the prefix finds the key."""
        return key.startswith(prefix)

    def order(self, key: str) -> Any:
        """What a scan sorts by."""
        return key.encode()

    def beyond(self, key: str, after: str, reverse: bool) -> bool:
        """Whether a key lies beyond ``after`` in the scan's direction."""
        return key < after if reverse else key > after

    def limit(self, request: Scan) -> int:
        """How many records a scan gives."""
        return request.limit


class PlainStorage(SoundStorage):
    """Sound, and offers nothing beyond the mandatory."""

    declares = frozenset()

    @classmethod
    def enter(cls, place: Place, namespace: str) -> Space:
        return Space()

    def check_ttl(self, request: Commit) -> None:
        if request.ttl_s is not None:
            raise CapabilityError("ttl", "plain")
