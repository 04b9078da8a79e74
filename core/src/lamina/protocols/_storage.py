"""Where records and blobs are kept."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal, Protocol, overload, runtime_checkable

from attrs import field, frozen

from lamina.errors import CapabilityError


class Capability(enum.StrEnum):
    """What a storage may offer beyond the mandatory commit, get and scan."""

    DURABLE = "durable"
    """What a returned commit wrote survives the death of the process."""
    SHARED = "shared"
    """Several processes may use the same data at once."""
    TTL = "ttl"
    """Puts may carry ``ttl_s``; expired records are gone from reads."""
    SIZES = "sizes"
    """Says how many records a prefix has, and how large they are (:class:`SizingStorage`)."""
    RANGE_DELETES = "range-deletes"
    """Commits may carry ``delete_prefixes``."""
    WATCH = "watch"
    """Tells what others change (:class:`WatchableStorage`)."""
    SECURE_DELETE = "secure-delete"
    """What was deleted or replaced can be overwritten wherever it stood (:class:`ScrubbingStorage`)."""
    BACKUP = "backup"
    """Copies itself while it is in use (:class:`BackupStorage`)."""
    NAMESPACES = "namespaces"
    """Lists the namespaces that share its place (:class:`ListingStorage`)."""
    CHECK = "check"
    """Looks at everything that it keeps, and names what is damaged (:class:`CheckingStorage`)."""
    INSTANT = "instant"
    """A few records are read so fast that nobody needs to wait: it is an :class:`InstantStorage`. The kernel then holds no
    more of a session than it uses, and reads the rest when it is asked for."""


@frozen
class Record:
    """One stored record."""

    key: str
    value: bytes
    version: int
    """Positive; grows with each change of the key and is never reused for it, also after a delete."""
    expires_s: float | None = None
    """Unix time from which on it is gone from reads; ``None`` for never. So that a cache does not outlive it."""
    damaged: str | None = None
    """Why it cannot be read, with place and remedy; only where the request is ``tolerant``. Its value is ``b""``. With
    version 0 it is not one record but a place: records behind this key may be missing."""


@frozen
class Commit:
    """A batch that is written whole or not at all."""

    puts: Mapping[str, bytes] = field(factory=dict, hash=False)
    """Keys (any text without U+0000 and lone surrogates, case-sensitive, at most 1,000 bytes in UTF-8, not
    empty) to values (any bytes)."""
    deletes: frozenset[str] = frozenset()
    """Keys to remove; absent ones are no error. No key may be both put and deleted."""
    delete_prefixes: frozenset[str] = frozenset()
    """Prefixes under which everything is removed before the puts are written, ``""`` for the whole namespace; needs
    :attr:`Capability.RANGE_DELETES`."""
    expect: Mapping[str, int | None] = field(factory=dict, hash=False)
    """Versions that keys (of this batch or not) must have, ``None`` for absent; else the batch is refused."""
    ttl_s: float | None = None
    """Lifetime in seconds of the puts; needs :attr:`Capability.TTL`."""


@frozen
class Get:
    """Asks for records by key."""

    keys: Sequence[str]
    tolerant: bool = False
    """A damaged record is given as such (:attr:`Record.damaged`) beside the others, instead of an error."""


@frozen
class Scan:
    """Asks for records whose key starts with ``prefix``, ordered by code points (as UTF-8 bytes order)."""

    prefix: str = ""
    after: str | None = None
    """Only keys beyond this one in the scan's direction, exclusive."""
    limit: int = 1000
    """At most so many records, at least 1."""
    reverse: bool = False
    keys_only: bool = False
    """Keys and versions are wanted, values are not: every record comes with the value ``b""``."""
    tolerant: bool = False
    """A damaged record is given as such (:attr:`Record.damaged`) in its place, and the scan goes on behind it."""


@runtime_checkable
class Storage(Protocol):
    """Keeps records in one namespace, bound at opening (``host.namespace``).

    What it may offer beyond the three methods stands in ``capabilities``; :func:`offering` gives the storage as the
    protocol of one, or the error that says what is missing.

    Concurrency: any number of tasks of one event loop may call at once; every call is atomic.
    """

    capabilities: frozenset[Capability]

    async def commit(self, request: Commit) -> Mapping[str, int]:
        """Write the batch whole; give the new versions of the puts.

        Raises:
            ConflictError: An expectation did not hold; nothing was written; the keys concerned are named.
            CapabilityError: ``ttl_s`` or ``delete_prefixes`` without the capability.
            ValueError: An impossible key, or one both put and deleted.
            ClosedError: After close.
        """
        ...

    async def get(self, request: Get) -> Sequence[Record | None]:
        """The records in the order of the keys; ``None`` for absent ones.

        Raises:
            IntegrityError: One of them is damaged; its key is named. Never what it did not say, and never ``None`` for it.
        """
        ...

    async def scan(self, request: Scan) -> Sequence[Record]:
        """One batch of records in order; fewer than ``limit`` means the end was reached.

        Raises:
            IntegrityError: One of them is damaged, or some may be missing; the place is named.
        """
        ...


@frozen
class SizeRequest:
    """Asks how much is kept under a prefix; the empty one is everything of the namespace."""

    prefix: str = ""


@frozen
class Size:
    """How much is kept."""

    records: int
    """How many records; expired ones do not count."""
    bytes: int
    """Their keys in UTF-8 and their values together, without what the storage needs beside them."""


@runtime_checkable
class SizingStorage(Storage, Protocol):
    """What declares :attr:`Capability.SIZES`."""

    async def size(self, request: SizeRequest) -> Size:
        """How much is kept under the prefix, as of one moment.

        Raises:
            ValueError: A prefix without a UTF-8 form.
            ClosedError: After close.
        """
        ...


@frozen
class WatchRequest:
    """Asks to be told of changes under a prefix."""

    prefix: str = ""


@frozen
class Change:
    """What others changed since the last one."""

    keys: frozenset[str] | None
    """The keys concerned, and perhaps others, also one's own; ``None`` where any may be."""


@runtime_checkable
class WatchableStorage(Storage, Protocol):
    """What declares :attr:`Capability.WATCH`."""

    def watch(self, request: WatchRequest) -> AbstractAsyncContextManager[AsyncIterator[Change]]:
        """Tell what others change: ``async with storage.watch(…) as changes: async for change in changes``.

        Every commit by another opener of the place after entering is told, soon; who reads late is told all at once.
        Iterating raises :class:`lamina.errors.ClosedError` once the storage is closed.
        """
        ...


@frozen
class ScrubRequest:
    """Asks that nothing is left of what was deleted or replaced."""


@runtime_checkable
class ScrubbingStorage(Storage, Protocol):
    """What declares :attr:`Capability.SECURE_DELETE`."""

    async def scrub(self, request: ScrubRequest) -> None:
        """Return once no value or key that was deleted or replaced before stands in any file of the storage.

        Its side files are included, what a backup holds is not.

        Raises:
            StorageError: Another process still reads what was; nothing is lost, ask again.
        """
        ...


@frozen
class BackupRequest:
    """Asks for a copy of the place, all namespaces included."""

    path: Path
    """Where it is written; there must be nothing yet. The same strategy opens it."""


@runtime_checkable
class BackupStorage(Storage, Protocol):
    """What declares :attr:`Capability.BACKUP`."""

    async def backup(self, request: BackupRequest) -> None:
        """Write a copy as of one moment, readable by its owner only, while commits go on.

        Raises:
            StorageError: There is something at the path, or it cannot be written; nothing is left there.
            IntegrityError: What would be copied is damaged.
        """
        ...


@frozen
class NamespacesRequest:
    """Asks for namespaces that have records, ordered by code points."""

    after: str | None = None
    """Only those beyond this one."""
    limit: int = 1000
    """At most so many, at least 1."""


@runtime_checkable
class ListingStorage(Storage, Protocol):
    """What declares :attr:`Capability.NAMESPACES`: for who keeps house, never for who lives in one of them."""

    async def namespaces(self, request: NamespacesRequest) -> Sequence[str]:
        """One batch of namespaces; fewer than ``limit`` means the end was reached."""
        ...


@frozen
class CheckRequest:
    """Asks for damage in all namespaces of the place."""

    limit: int = 1000
    """At most so many findings, at least 1."""


@frozen
class Damage:
    """One finding of a check."""

    what: str
    """What is wrong, in words, with place and remedy."""
    namespace: str | None = None
    key: str | None = None
    """The record that is concerned, where it is one and is known."""


@runtime_checkable
class CheckingStorage(Storage, Protocol):
    """What declares :attr:`Capability.CHECK`."""

    async def check(self, request: CheckRequest) -> Sequence[Damage]:
        """Read everything and give what is damaged; nothing means that every acknowledged record is there and right."""
        ...


@runtime_checkable
class InstantStorage(Storage, Protocol):
    """A storage with :attr:`Capability.INSTANT`, as those are that lie in this process or on a local disk."""

    def get_now(self, request: Get) -> Sequence[Record | None]:
        """As :meth:`get`, at once: for a few keys, within some tens of microseconds.

        It sees every commit that returned before. Concurrency: any thread may call it, at any time.
        """
        ...


_OFFERS: Mapping[Capability, type] = {
    Capability.SIZES: SizingStorage,
    Capability.WATCH: WatchableStorage,
    Capability.SECURE_DELETE: ScrubbingStorage,
    Capability.BACKUP: BackupStorage,
    Capability.NAMESPACES: ListingStorage,
    Capability.CHECK: CheckingStorage,
    Capability.INSTANT: InstantStorage,
}


@overload
def offering(storage: Storage, capability: Literal[Capability.SIZES], name: str) -> SizingStorage: ...
@overload
def offering(storage: Storage, capability: Literal[Capability.WATCH], name: str) -> WatchableStorage: ...
@overload
def offering(storage: Storage, capability: Literal[Capability.SECURE_DELETE], name: str) -> ScrubbingStorage: ...
@overload
def offering(storage: Storage, capability: Literal[Capability.BACKUP], name: str) -> BackupStorage: ...
@overload
def offering(storage: Storage, capability: Literal[Capability.NAMESPACES], name: str) -> ListingStorage: ...
@overload
def offering(storage: Storage, capability: Literal[Capability.CHECK], name: str) -> CheckingStorage: ...
@overload
def offering(storage: Storage, capability: Literal[Capability.INSTANT], name: str) -> InstantStorage: ...
def offering(storage: Storage, capability: Capability, name: str) -> Storage:
    """Give the storage as the protocol of a capability, so that its method can be called.

    Args:
        storage: Any storage.
        capability: One that has a method of its own, such as :attr:`Capability.BACKUP`.
        name: What the configuration calls the storage, for the message.

    Raises:
        CapabilityError: It does not declare the capability.
    """
    if capability not in storage.capabilities or not isinstance(storage, _OFFERS[capability]):
        raise CapabilityError(capability.value, name)
    return storage


_BATCH = 1000
"""Records that are read at once where a storage does not count by itself."""


async def measured(storage: Storage, prefix: str = "") -> Size:
    """How much a storage keeps under a prefix, whatever it declares.

    Without :attr:`Capability.SIZES` every record under the prefix is read, in batches: what others write meanwhile
    may or may not count.
    """
    if Capability.SIZES in storage.capabilities:
        return await offering(storage, Capability.SIZES, "").size(SizeRequest(prefix=prefix))
    records = n_bytes = 0
    after: str | None = None
    while True:
        batch = await storage.scan(Scan(prefix=prefix, after=after, limit=_BATCH))
        records += len(batch)
        n_bytes += sum(len(record.key.encode()) + len(record.value) for record in batch)
        if len(batch) < _BATCH:
            return Size(records=records, bytes=n_bytes)
        after = batch[-1].key


async def cleared(storage: Storage, prefix: str) -> None:
    """Remove every record under a prefix, whatever the storage declares.

    Without :attr:`Capability.RANGE_DELETES` this takes several commits: others may see it half done, and what they
    put meanwhile may stay.
    """
    if Capability.RANGE_DELETES in storage.capabilities:
        await storage.commit(Commit(delete_prefixes=frozenset({prefix})))
        return
    scan = Scan(prefix=prefix, limit=_BATCH, keys_only=True, tolerant=True)
    while keys := frozenset(record.key for record in await storage.scan(scan) if record.version):
        await storage.commit(Commit(deletes=keys))
