"""The records of memories in their tiers, and the indexes that are kept in step with them.

Keys in a tier's storage: ``mem/TIER/r/ID`` for records, ``mem/TIER/d/BATCH`` for what its index still has to learn
(written with the records, removed once the index has it), ``mem/TIER/g`` for the index's generation. A page's memory
points at the log; its text is read from there, so the originals are stored once.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import msgspec
from attrs import asdict, frozen

from lamina._log import segment
from lamina._records import Said, decode
from lamina.model import Memory, Page
from lamina.plugins import Catalogue
from lamina.protocols import Commit, Get, IndexUpdate, Record, Scan, Storage, Tier

BATCH = 500
"""Records that are read or written at once."""


@frozen
class Held:
    """A memory as a tier keeps it."""

    memory: Memory
    session: str | None = None
    page: int | None = None
    at: tuple[tuple[str, int], ...] = ()
    """The log records (owner session, sequence number) that hold a page's text."""

    def pack(self) -> bytes:
        """The record's bytes."""
        return msgspec.msgpack.encode([1, asdict(self.memory), self.session, self.page, self.at])

    @classmethod
    def unpack(cls, data: bytes) -> Held:
        """The record of these bytes."""
        _, memory, session, page, at = msgspec.msgpack.decode(data)
        memory["tags"], memory["provenance"] = tuple(memory["tags"]), tuple(memory["provenance"])
        return cls(Memory(**memory), session, page, tuple((owner, seq) for owner, seq in at))


class Places:
    """The tiers of one namespace, first to last, with their records and indexes.

    Args:
        tiers: Each with its name.
        log: Where the texts of pages are read.
        catalogue: Has the observers that are told what was written.
    """

    def __init__(self, tiers: Sequence[tuple[str, Tier]], log: Storage, catalogue: Catalogue) -> None:
        self.tiers = sorted(tiers, key=lambda t: (t[1].rank, t[0]))
        self._log, self._catalogue = log, catalogue
        self._recovered = False

    async def write(
        self, place: tuple[str, Tier], held: Mapping[str, tuple[Held, str]], drop: Iterable[str] = ()
    ) -> None:
        """Put memories (with their texts) into a tier and its index, and drop others; crash-safe by a note."""
        name, tier = place
        note = f"mem/{name}/d/{uuid.uuid4().hex}"
        dropped = frozenset(drop)
        puts = {key_of(name, id): k.pack() for id, (k, _) in held.items()}
        puts[note] = msgspec.msgpack.encode([*held, *dropped])
        await tier.storage.commit(Commit(puts=puts, deletes=frozenset(key_of(name, id) for id in dropped)))
        await tier.index.update(IndexUpdate(add={id: text for id, (_, text) in held.items()}, remove=dropped))
        await tier.storage.commit(Commit(deletes=frozenset({note})))
        if self._catalogue.observed("memory_written"):
            for k, _ in held.values():
                self._catalogue.notify("memory_written", memory=k.memory, tier=name)

    async def recover(self) -> None:
        """Once: fill indexes that are new, and tell them what a crash kept from them."""
        if self._recovered:
            return
        for name, tier in self.tiers:
            key = f"mem/{name}/g"
            found = (await tier.storage.get(Get(keys=[key])))[0]
            owed: list[str] = []
            notes = [record async for record in records(tier.storage, f"mem/{name}/d/")]
            if found is None or found.value.decode() != tier.index.generation:
                owed = [held.memory.id async for _, held in scan(tier.storage, f"mem/{name}/r/")]
            for note in notes:
                owed += msgspec.msgpack.decode(note.value)
            await self._reindex(name, tier, owed)
            await tier.storage.commit(
                Commit(puts={key: tier.index.generation.encode()}, deletes=frozenset(n.key for n in notes))
            )
        self._recovered = True

    async def _reindex(self, name: str, tier: Tier, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            found = await tier.storage.get(Get(keys=[key_of(name, id) for id in batch]))
            held = [Held.unpack(record.value) for record in found if record is not None]
            texts = await self.texts(held)
            add = {k.memory.id: text for k, text in zip(held, texts, strict=True) if text is not None}
            await tier.index.update(IndexUpdate(add=add, remove=frozenset(batch) - frozenset(add)))

    async def find(self, ids: Sequence[str]) -> dict[str, tuple[str, Held]]:
        """Each id's tier and record, in the order given; the first tier that holds it counts."""
        found: dict[str, tuple[str, Held]] = {}
        for name, tier in self.tiers:
            missing = [id for id in ids if id not in found]
            if missing:
                records = await tier.storage.get(Get(keys=[key_of(name, id) for id in missing]))
                for id, record in zip(missing, records, strict=True):
                    if record is not None:
                        found[id] = (name, Held.unpack(record.value))
        return {id: found[id] for id in ids if id in found}

    async def texts(self, held: Sequence[Held]) -> list[str | None]:
        """Each memory's text; a page's is read from the log, and ``None`` if it is not there any more."""
        wanted = [f"log/{segment(owner)}/{seq:012d}" for k in held for owner, seq in k.at]
        records = await self._log.get(Get(keys=wanted)) if wanted else ()
        found = {key: record for key, record in zip(wanted, records, strict=True) if record is not None}
        out: list[str | None] = []
        for k in held:
            if k.page is None:
                out.append(k.memory.text)
                continue
            said = []
            for owner, seq in k.at:
                key = f"log/{segment(owner)}/{seq:012d}"
                record = decode(key, found[key].value) if key in found else None
                if isinstance(record, Said):
                    said.append(record.message)
            out.append(Page(k.page, tuple(said), ()).text if said else None)
        return out

    async def counts(self) -> dict[str, int]:
        """How many memories each tier holds."""
        return {name: len([k async for k in records(tier.storage, f"mem/{name}/r/")]) for name, tier in self.tiers}


def key_of(tier: str, id: str) -> str:
    """Where a tier keeps a memory."""
    session, mark, page = id.rpartition("#")
    # Quoted as in the log, so that a session's memories lie together whatever its name.
    return f"mem/{tier}/r/{segment(session)}{mark}{segment(page)}"


async def records(storage: Storage, prefix: str) -> AsyncIterator[Record]:
    """All records below a prefix, in order."""
    after = None
    while True:
        batch = await storage.scan(Scan(prefix=prefix, after=after, limit=BATCH))
        for record in batch:
            yield record
        if len(batch) < BATCH:
            return
        after = batch[-1].key


async def scan(storage: Storage, prefix: str) -> AsyncIterator[tuple[str, Held]]:
    """All memories below a prefix, each with its key, in order."""
    async for record in records(storage, prefix):
        yield record.key, Held.unpack(record.value)
