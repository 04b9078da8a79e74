"""One session's log over a storage: append-only, compare-and-set, recoverable.

Keys: ``log/SESSION/SEQ`` for records, ``src/SESSION/N`` for source bytes, ``ses/SESSION`` for the listing (derived,
rewritten now and then). A record is put only where its key is absent, so of two writers one loses and is told.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import quote

from attrs import frozen

from lamina._records import Forked, LogRecord, RolledBack, Said, decode, encode
from lamina.errors import IntegrityError, UnknownSessionError
from lamina.protocols import Commit, Get, Scan, Storage

_BATCH = 1000
_PACK_OVER = 512
"""Source records above this many bytes are deflated: recordings are repetitive JSON."""


_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")
"""What quoting leaves as it is."""


def segment(name: str) -> str:
    """The session's name as one piece of a key."""
    return name if _PLAIN.fullmatch(name) else quote(name, safe="")


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


class SessionLog:
    """The log of one session.

    Args:
        storage: Where it is kept.
        session: Whose it is.
    """

    def __init__(self, storage: Storage, session: str) -> None:
        self.session = session
        self.next = 0
        """Sequence number of the next record."""
        self.next_source = 0
        """Number of the next source record."""
        self.highest_page = 0
        """The highest page id ever given in this session, rolled back ones included."""
        self._storage = storage
        self._prefix = f"log/{segment(session)}/"

    async def append(
        self,
        records: Sequence[LogRecord],
        sources: Mapping[int, bytes] | None = None,
        beside: Mapping[str, bytes] | None = None,
    ) -> None:
        """Write the records, the source bytes they refer to, and other keys beside them, whole or not at all.

        Raises:
            ConflictError: Another writer was first.
        """
        puts = {f"{self._prefix}{seq:012d}": encode(record) for seq, record in enumerate(records, start=self.next)}
        expect: dict[str, int | None] = dict.fromkeys(puts)
        for number, raw in (sources or {}).items():
            puts[self.source_key(self.session, number)] = pack(raw)
        puts.update(beside or {})
        await self._storage.commit(Commit(puts=puts, expect=expect))
        self.next += len(records)

    async def read(self) -> list[Kept]:
        """All records that count, in order, what was rolled back left out; a fork's begin with its parent's."""
        records = [Kept(seq, self.session, record) async for seq, record in self._scan(self._prefix)]
        self.next = records[-1].seq + 1 if records else 0
        self.highest_page = self.next_source = 0
        return await self._counted(records)

    async def grown(self) -> bool:
        """Whether the log holds records that were not read or written here."""
        after = f"{self._prefix}{self.next - 1:012d}" if self.next else None
        return bool(await self._storage.scan(Scan(prefix=self._prefix, after=after, limit=1)))

    async def _counted(self, records: list[Kept]) -> list[Kept]:
        out: list[Kept] = []
        for kept in records:
            match kept.record:
                case Forked(parent, to):
                    prefix = f"log/{segment(parent)}/"
                    before = [Kept(s, parent, r) async for s, r in self._scan(prefix) if s <= to]
                    if not before:
                        raise UnknownSessionError(parent)
                    out = await self._counted(before)
                case RolledBack(to):
                    while out and out[-1].seq > to:
                        out.pop()
                case Said(pages=pages):
                    # Ids of voided pages are never given again, so they are looked at before anything is dropped.
                    self.highest_page = max(self.highest_page, *pages)
            source = getattr(kept.record, "source", None)
            if source is not None and kept.owner == self.session:
                self.next_source = max(self.next_source, source + 1)
            out.append(kept)
        return out

    async def _scan(self, prefix: str) -> AsyncIterator[tuple[int, LogRecord]]:
        after: str | None = None
        while True:
            batch = await self._storage.scan(Scan(prefix=prefix, after=after, limit=_BATCH))
            for stored in batch:
                yield int(stored.key[len(prefix) :]), decode(stored.key, stored.value)
            if len(batch) < _BATCH:
                return
            after = batch[-1].key

    @staticmethod
    def source_key(owner: str, number: int) -> str:
        """Where a source record is stored."""
        return f"src/{segment(owner)}/{number:012d}"

    async def sources(self, wanted: Sequence[tuple[str, int]]) -> list[bytes]:
        """Source records by (owner session, number), byte for byte."""
        keys = [self.source_key(owner, number) for owner, number in wanted]
        found = await self._storage.get(Get(keys=keys))
        out = []
        for key, record in zip(keys, found, strict=True):
            if record is None:
                raise IntegrityError(f"{key}: source record missing; restore the store from a copy")
            out.append(unpack(key, record.value))
        return out
