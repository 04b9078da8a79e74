"""Where records and blobs are kept."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import field, frozen


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


@frozen
class Record:
    """One stored record."""

    key: str
    value: bytes
    version: int
    """Positive; grows with each change of the key and is never reused for it, also after a delete."""


@frozen
class Commit:
    """A batch that is written whole or not at all."""

    puts: Mapping[str, bytes] = field(factory=dict, hash=False)
    """Keys (any text without U+0000 and lone surrogates, case-sensitive, at most 1,000 bytes in UTF-8, not
    empty) to values (any bytes)."""
    deletes: frozenset[str] = frozenset()
    """Keys to remove; absent ones are no error. No key may be both put and deleted."""
    expect: Mapping[str, int | None] = field(factory=dict, hash=False)
    """Versions that keys (of this batch or not) must have, ``None`` for absent; else the batch is refused."""
    ttl_s: float | None = None
    """Lifetime in seconds of the puts; needs :attr:`Capability.TTL`."""


@frozen
class Get:
    """Asks for records by key."""

    keys: Sequence[str]


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
class Storage(Protocol):
    """Keeps records in one namespace, bound at opening (``host.namespace``).

    Concurrency: any number of tasks of one event loop may call at once; every call is atomic.
    """

    capabilities: frozenset[Capability]

    async def commit(self, request: Commit) -> Mapping[str, int]:
        """Write the batch whole; give the new versions of the puts.

        Raises:
            ConflictError: An expectation did not hold; nothing was written; the keys concerned are named.
            CapabilityError: ``ttl_s`` without the capability.
            ValueError: An impossible key, or one both put and deleted.
            ClosedError: After close.
        """
        ...

    async def get(self, request: Get) -> Sequence[Record | None]:
        """The records in the order of the keys; ``None`` for absent ones."""
        ...

    async def scan(self, request: Scan) -> Sequence[Record]:
        """One batch of records in order; fewer than ``limit`` means the end was reached."""
        ...


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


_BATCH = 1000
"""Records that are read at once where a storage does not count by itself."""


async def measured(storage: Storage, prefix: str = "") -> Size:
    """How much a storage keeps under a prefix, whatever it declares.

    Without :attr:`Capability.SIZES` every record under the prefix is read, in batches: what others write meanwhile
    may or may not count.
    """
    if Capability.SIZES in storage.capabilities and isinstance(storage, SizingStorage):
        return await storage.size(SizeRequest(prefix=prefix))
    records = n_bytes = 0
    after: str | None = None
    while True:
        batch = await storage.scan(Scan(prefix=prefix, after=after, limit=_BATCH))
        records += len(batch)
        n_bytes += sum(len(record.key.encode()) + len(record.value) for record in batch)
        if len(batch) < _BATCH:
            return Size(records=records, bytes=n_bytes)
        after = batch[-1].key
