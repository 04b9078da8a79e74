"""Two storages that do everything right: what the broken ones start from."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, evolve, field

from lamina.errors import CapabilityError, ClosedError, ConflictError, IntegrityError, StorageError
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

ALL = frozenset(Capability)


@define
class Kept:
    """One record as the sound fake keeps it."""

    value: bytes
    version: int
    expires_s: float | None
    damaged: bool = False


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
        self.traces: list[bytes] = []
        """What was deleted or replaced, as a disk keeps it."""
        self.changed: list[tuple[str, str]] = []
        """(namespace, key) of every change."""
        self.copies: dict[Path, Place] = {}

    @asynccontextmanager
    async def open(self, namespace: str = "test") -> AsyncIterator[SoundStorage]:
        """Open one namespace."""
        storage = self.kind(self.kind.enter(self, namespace), self.clock, namespace, self)
        try:
            yield storage
        finally:
            storage.closed = True

    def open_copy(self, path: Path, namespace: str = "test") -> AbstractAsyncContextManager[SoundStorage]:
        """Open a backup."""
        return self.copies[path].open(namespace)

    def damage_record(self, key: str) -> None:
        """Make a record unreadable."""
        self.spaces["test"].records[key].damaged = True

    def stored_bytes(self) -> bytes:
        """What a disk would hold."""
        kept = [(name, k.value) for space in self.spaces.values() for name, k in space.records.items()]
        return b"".join([*(name.encode() + value for name, value in kept), *self.traces])


class SoundStorage:
    """Does everything right and naively; the broken ones override one step of it.

    Each of them says in ``fails`` which tests of :class:`lamina.testing.storage.StorageSuite` it must fail.
    """

    fails: ClassVar[frozenset[str]] = frozenset()
    declares: ClassVar[frozenset[Capability]] = ALL
    """What the suite is told that it declares."""

    def __init__(self, space: Space, clock: Callable[[], float], namespace: str, place: Place) -> None:
        self.capabilities = self.declares
        self.space, self.clock, self.namespace, self.place = space, clock, namespace, place
        self.closed = False

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
        return self.get_now(request)

    def get_now(self, request: Get) -> Sequence[Record | None]:
        """The records in the order of the keys, at once."""
        self.check_open()
        for key in request.keys:
            self.check_key(key)
        return [self.whole(self.record(key), request.tolerant) for key in request.keys]

    async def scan(self, request: Scan) -> Sequence[Record]:
        """One batch of records in order."""
        self.check_open()
        self.check_scan(request)
        keys = [key for key in self.space.records if self.alive(key) and self.matches(key, request.prefix)]
        keys.sort(key=self.order, reverse=request.reverse)
        if request.after is not None:
            keys = [key for key in keys if self.beyond(key, request.after, request.reverse)]
        found = [self.record(key) for key in keys[: self.limit(request)]]
        records = [record for each in found if (record := self.whole(each, request.tolerant)) is not None]
        return [evolve(record, value=b"") for record in records] if request.keys_only else records

    async def size(self, request: SizeRequest) -> Size:
        """How much is kept under the prefix."""
        self.check_offer(Capability.SIZES)
        request.prefix.encode()
        kept = [(name, k.value) for name, k in self.space.records.items() if name.startswith(request.prefix)]
        kept = [(name, value) for name, value in kept if self.alive(name)]
        return Size(records=len(kept), bytes=sum(len(name.encode()) + len(value) for name, value in kept))

    @asynccontextmanager
    async def watch(self, request: WatchRequest) -> AsyncIterator[AsyncIterator[Change]]:
        """Tell what anybody changes."""
        self.check_offer(Capability.WATCH)
        yield self.changes(request, len(self.place.changed))

    async def changes(self, request: WatchRequest, seen: int) -> AsyncIterator[Change]:
        """What was changed since ``seen`` changes."""
        while True:
            self.check_open()
            new, seen = self.place.changed[seen:], len(self.place.changed)
            keys = frozenset(key for space, key in new if space == self.namespace and key.startswith(request.prefix))
            if keys:
                yield Change(keys=keys)
            await asyncio.sleep(0.001)

    async def scrub(self, request: ScrubRequest) -> None:
        """Leave nothing of what was."""
        self.check_offer(Capability.SECURE_DELETE)
        self.place.traces.clear()

    async def backup(self, request: BackupRequest) -> None:
        """Copy all namespaces."""
        self.check_offer(Capability.BACKUP)
        if request.path in self.place.copies:
            raise StorageError(f"{request.path} is there already")
        copy = Place(self.place.kind, self.clock)
        copy.spaces = deepcopy(self.place.spaces)
        self.place.copies[request.path] = copy

    async def namespaces(self, request: NamespacesRequest) -> Sequence[str]:
        """The namespaces that have records."""
        self.check_offer(Capability.NAMESPACES)
        if request.limit < 1:
            raise ValueError("impossible limit")
        names = sorted((name for name, space in self.place.spaces.items() if space.records), key=str.encode)
        return [name for name in names if request.after is None or name > request.after][: request.limit]

    async def check(self, request: CheckRequest) -> Sequence[Damage]:
        """Name what is damaged."""
        self.check_offer(Capability.CHECK)
        spaces = self.place.spaces.items()
        found = [(name, key) for name, space in spaces for key, kept in space.records.items() if kept.damaged]
        return [Damage(what="damaged", namespace=name, key=key) for name, key in found][: request.limit]

    def check_offer(self, capability: Capability) -> None:
        """Refuse what is not declared, and everything after close."""
        self.check_open()
        if capability not in self.declares:
            raise CapabilityError(capability, "plain")

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
        for prefix in request.delete_prefixes:
            prefix.encode()

    def check_ttl(self, request: Commit) -> None:
        """Refuse impossible lifetimes, and ranges that are not offered."""
        if request.delete_prefixes:
            self.check_offer(Capability.RANGE_DELETES)
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
        for prefix in request.delete_prefixes:
            for name in [name for name in self.space.records if self.matches(name, prefix)]:
                self.remove(name)
        for key in request.deletes:
            self.remove(self.name(key))
        return {key: self.put(key, value, request) for key, value in request.puts.items()}

    def put(self, key: str, value: bytes, request: Commit) -> int:
        """Write one record."""
        version = self.next_version(self.name(key))
        expires_s = None if request.ttl_s is None else self.clock() + request.ttl_s
        self.remove(self.name(key))
        self.space.records[self.name(key)] = Kept(value, version, expires_s)
        return version

    def remove(self, name: str) -> None:
        """Remove one record, which leaves its trace."""
        self.place.changed.append((self.namespace, name))
        kept = self.space.records.pop(name, None)
        if kept is not None:
            self.place.traces.append(name.encode() + kept.value)

    def next_version(self, name: str) -> int:
        """A version that was never used."""
        self.space.versions += 1
        return self.space.versions

    def record(self, key: str) -> Record | None:
        """The record of a key."""
        name = self.name(key)
        kept = self.space.records.get(name)
        if kept is None or not self.alive(name):
            return None
        if kept.damaged:
            return Record(name, b"", kept.version, kept.expires_s, f"{name!r} is damaged")
        return Record(name, kept.value, kept.version, kept.expires_s)

    def whole(self, record: Record | None, tolerant: bool) -> Record | None:
        """Refuse a damaged record, unless that is wanted."""
        if record is not None and record.damaged and not tolerant:
            raise IntegrityError(record.damaged)
        return record

    def alive(self, name: str) -> bool:
        """Whether a record has not expired."""
        expires_s = self.space.records[name].expires_s
        return expires_s is None or expires_s > self.clock()

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
            self.check_offer(Capability.TTL)
        super().check_ttl(request)
