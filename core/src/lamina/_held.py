"""The records of memories: what a tier keeps of each, under which keys, and how they read back.

Keys in a tier's storage, below ``mem/TIER/``: ``r/ID`` for records; beside each, in the same commit, ``o/ORDER/ID`` for
its place, ``t/TIME/ID`` where it is due to go down, ``u/ID`` where it should go up; ``n/SLOT`` for what the tier holds in
all; ``d/BATCH`` for what indexes still have to learn; ``p`` for the policy that the places were given by. Beside these,
``new/ID`` for what consolidators have not looked at.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache

import msgspec
from attrs import evolve, fields, frozen

from lamina._log import segment
from lamina.errors import IntegrityError
from lamina.model import Memory
from lamina.protocols import Placement, PlaceRequest, Record, Scan, Storage, Tier

SCHEMA = 3
"""Of a memory's record; 1 had no ``earlier``, 2 no place."""

BATCH = 500
"""Records that are read or written at once."""

At = tuple[tuple[str, int], ...]
"""Log records: owner session and sequence number of each."""

Place = tuple[str, Tier]
"""A tier with its name."""

_FIELDS = tuple(attribute.name for attribute in fields(Memory))
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


@frozen
class Held:
    """A memory as a tier keeps it."""

    memory: Memory
    session: str | None = None
    page: int | None = None
    at: At = ()
    """The log records that hold a page's text."""
    earlier: int = 0
    """Its uses before it came into this tier."""
    tokens: int = 0
    """Of its text."""
    placed: Placement | None = None
    """Where it stands in its tier; none in a record of an earlier release, until that is placed."""

    def before(self, seq: int) -> bool:
        """Whether no log record from this sequence number on is in it."""
        return all(at < seq for _, at in self.at)

    def arrived(self) -> Held:
        """The same in another tier, where only later uses speak for it."""
        return evolve(self, earlier=self.memory.uses, placed=None)

    def place(self, tier: Tier, now_s: float) -> Placement:
        """Where a tier puts it."""
        uses = self.memory.uses - self.earlier
        return tier.place(PlaceRequest(memory=self.memory, tokens=self.tokens, uses=uses, now_s=now_s))

    def pack(self) -> bytes:
        """The record's bytes."""
        memory = [getattr(self.memory, name) for name in _FIELDS]
        placed = self.placed and [self.placed.order, self.placed.due_s, self.placed.rise]
        return _encode([SCHEMA, memory, self.session, self.page, self.at, self.earlier, self.tokens, placed])

    @classmethod
    def unpack(cls, data: bytes) -> Held:
        """The record of these bytes.

        Raises:
            IntegrityError: Written by a newer release.
        """
        schema, *rest = _decode(data)
        if schema > SCHEMA:
            raise IntegrityError(f"memories of a newer lamina (schema {schema}, this one reads {SCHEMA}); upgrade")
        if schema < SCHEMA:
            return cls._of_earlier(*rest)
        memory, session, page, at, earlier, tokens, placed = rest
        values = dict(zip(_FIELDS, memory, strict=False))  # a later release may add to them
        values["tags"], values["provenance"] = tuple(values["tags"]), tuple(values["provenance"])
        places = None if placed is None else Placement(*placed)
        return cls(Memory(**values), session, page, tuple([(o, s) for o, s in at]), earlier, tokens, places)

    @classmethod
    def _of_earlier(
        cls, memory: dict[str, object], session: str | None, page: int | None, at: list[tuple[str, int]], earlier: int = 0
    ) -> Held:  # fmt: skip
        """The record of a release that knew no places, no threads and no authors."""
        values: dict[str, object] = {**memory, "tags": tuple(memory["tags"]), "provenance": tuple(memory["provenance"])}  # type: ignore[arg-type]
        if session is not None and page is not None:
            values |= {"thread": session, "position": page, "author": next(iter(values["tags"]), "")}  # type: ignore[call-overload]
        return cls(Memory(**values), session, page, tuple((o, s) for o, s in at), earlier)  # type: ignore[arg-type]


@frozen
class Found:
    """A memory where it was found."""

    place: Place
    held: Held
    version: int | None
    """Of its record, ``None`` where there is none yet: whoever writes it expects this one."""


@lru_cache(maxsize=4 * BATCH)
def name_of(id: str) -> str:
    """A memory's id as the end of a key."""
    session, mark, page = id.rpartition("#")
    # Quoted as in the log, so that a session's memories lie together whatever its name.
    return f"{segment(session)}{mark}{segment(page)}"


def key_of(tier: str, id: str) -> str:
    """Where a tier keeps a memory."""
    return f"mem/{tier}/r/{name_of(id)}"


def sortable(number: float) -> str:
    """A number as text that orders as numbers do."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", number + 0.0))  # minus zero is zero
    return f"{bits ^ (0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else 1 << 63):016x}"


def beside(tier: str, id: str, placed: Placement | None, *, first: bool, last: bool) -> Iterator[str]:
    """The keys beside a record, by its place; nothing goes up from the first tier, or down from the last."""
    if placed is None:
        return
    name = name_of(id)
    yield f"mem/{tier}/o/{sortable(placed.order)}/{name}"
    if placed.due_s is not None and not last:
        yield f"mem/{tier}/t/{sortable(placed.due_s)}/{name}"
    if placed.rise and not first:
        yield f"mem/{tier}/u/{name}"


async def records(storage: Storage, prefix: str, after: str | None = None) -> AsyncIterator[list[Record]]:
    """All records below a prefix, in order, in batches."""
    while True:
        batch = await storage.scan(Scan(prefix=prefix, after=after, limit=BATCH))
        if batch:
            yield list(batch)
        if len(batch) < BATCH:
            return
        after = batch[-1].key
