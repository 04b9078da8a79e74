"""One session's log over a storage: append-only, compare-and-set, recoverable.

Keys: ``log/SESSION/SEQ`` for records, ``src/SESSION/N`` for source bytes, ``ses/SESSION`` for the listing (derived,
rewritten now and then). A record is put only where its key is absent, so of two writers one loses and is told.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import quote

from attrs import frozen

from lamina._records import DIGEST, Forked, LogRecord, RolledBack, encode, stamped
from lamina.errors import IntegrityError, UnknownSessionError
from lamina.protocols import Commit, Get, InstantStorage, Record, Scan, Storage

_BATCH = 1000
_FIRST = 16
"""So many records are asked for first where mostly few, or none, are new: a storage answers that at once."""
_PACK_OVER = 512
"""Source records above this many bytes are deflated: recordings are repetitive JSON."""


@lru_cache(1024)  # of each session at every message
def segment(name: str) -> str:
    """The session's name as one piece of a key."""
    return quote(name, safe="")


def pack(raw: bytes) -> bytes:
    """Source bytes as stored."""
    if len(raw) > _PACK_OVER:
        small = zlib.compress(raw, 1)
        if len(small) < len(raw):
            return b"z" + small
    return b"r" + raw


def unpack(key: str, stored: bytes) -> bytes:
    """Source bytes as they were."""
    try:
        return zlib.decompress(stored[1:]) if stored[:1] == b"z" else stored[1:]
    except zlib.error as error:
        raise IntegrityError(f"{key}: damaged source record ({error}); restore the store from a copy") from error


@frozen
class Kept:
    """One record as it stands in a log."""

    seq: int
    owner: str
    """The session whose log holds it: the session itself, or the one it was forked from."""
    record: LogRecord
    when_s: float
    """When it was made; 0 where it does not say."""


class SessionLog:
    """The log of one session; it holds nothing but where it is.

    Args:
        storage: Where it is kept.
        session: Whose it is.
    """

    def __init__(self, storage: Storage, session: str) -> None:
        self.session = session
        self._storage = storage

    async def append(
        self,
        records: Sequence[Kept],
        sources: Mapping[int, bytes] | None = None,
        beside: Mapping[str, bytes] | None = None,
    ) -> Mapping[str, int]:
        """Write the records, the source bytes they refer to, and other keys beside them, whole or not at all.

        Returns:
            The version of every key that was written.

        Raises:
            ConflictError: Another writer was first.
        """
        puts = {self._key(self.session, kept.seq): encode(kept.record, kept.when_s) for kept in records}
        expect: dict[str, int | None] = dict.fromkeys(puts)
        for number, raw in (sources or {}).items():
            puts[self.source_key(self.session, number)] = pack(raw)
        puts.update(beside or {})
        return await self._storage.commit(Commit(puts=puts, expect=expect))

    async def read(self) -> list[Kept]:
        """All records, in order, also those that were rolled back; a fork's begin with its parent's."""
        records = await self._range(self.session, _BATCH)
        while records and isinstance(first := records[0].record, Forked):
            before = await self._range(first.parent, _BATCH, to=first.to)
            if not before:
                raise UnknownSessionError(first.parent)
            records = before + records
        return records

    async def tail(self, next: int) -> list[Kept]:
        """The session's own records from this sequence number on; costs what is there."""
        return await self._range(self.session, _FIRST, after=next - 1)

    async def _range(self, owner: str, first: int, *, after: int = -1, to: int | None = None) -> list[Kept]:
        prefix = f"log/{segment(owner)}/"
        out: list[Kept] = []
        limit = first
        while True:
            start = f"{prefix}{after:012d}" if after >= 0 else None
            batch = await self._storage.scan(Scan(prefix=prefix, after=start, limit=limit))
            for stored in batch:
                after = int(stored.key[len(prefix) :])
                if to is not None and after > to:
                    return out
                out.append(Kept(after, owner, *stamped(stored.key, stored.value)))
            if len(batch) < limit:
                return out
            limit = _BATCH

    def now(self, wanted: Sequence[tuple[str, int]]) -> list[LogRecord]:
        """Records by (owner session, sequence number), at once; the storage must have :attr:`Capability.INSTANT`.

        Raises:
            IntegrityError: One is missing or damaged.
        """
        assert isinstance(self._storage, InstantStorage)
        keys = [self._key(owner, seq) for owner, seq in wanted]
        found = self._storage.get_now(Get(keys=keys))
        return [stamped(key, _there(key, record))[0] for key, record in zip(keys, found, strict=True)]

    def check(self, seq: int) -> bytes:
        """A digest of the session's own record of this number, at once; empty where there is none."""
        assert isinstance(self._storage, InstantStorage)
        (record,) = self._storage.get_now(Get(keys=[self._key(self.session, seq)]))
        return b"" if record is None else blake2b(record.value, digest_size=DIGEST).digest()

    async def sources(self, wanted: Sequence[tuple[str, int]]) -> list[bytes]:
        """Source records by (owner session, number), byte for byte."""
        keys = [self.source_key(owner, number) for owner, number in wanted]
        found = await self._storage.get(Get(keys=keys))
        return [unpack(key, _there(key, record)) for key, record in zip(keys, found, strict=True)]

    @staticmethod
    def source_key(owner: str, number: int) -> str:
        """Where a source record is stored."""
        return f"src/{segment(owner)}/{number:012d}"

    @staticmethod
    def _key(owner: str, seq: int) -> str:
        return f"log/{segment(owner)}/{seq:012d}"


def _there(key: str, record: Record | None) -> bytes:
    if record is None:
        raise IntegrityError(f"{key}: record missing; restore the store from a copy")
    return record.value


def voided(records: Sequence[Kept]) -> frozenset[int]:
    """The sequence numbers of those among the records that a later one of them makes void."""
    standing: list[int] = []
    gone: set[int] = set()
    for kept in records:
        if isinstance(kept.record, RolledBack):
            while standing and standing[-1] > kept.record.to:
                gone.add(standing.pop())
        standing.append(kept.seq)
    return frozenset(gone)
