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
