"""The records of memories in their tiers, and the indexes that are kept in step with them.

Keys in a tier's storage: ``mem/TIER/r/ID`` for records, ``mem/TIER/d/BATCH`` for what its index still has to learn
(written with the records, removed once the index has it), ``mem/TIER/g`` for the index's generation. A page's memory
points at the log; its text is read from there, so the originals are stored once.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import msgspec
from attrs import asdict, evolve, field, frozen

from lamina._log import segment
from lamina._records import Said, decode
from lamina.errors import ConflictError, IntegrityError
from lamina.logging import logger
from lamina.model import Memory, Page
from lamina.plugins import Catalogue
from lamina.protocols import Commit, Get, IndexUpdate, Record, Scan, Storage, Tier

SCHEMA = 2
"""Of a memory's record; 1 had no ``earlier``."""

BATCH = 500
"""Records that are read or written at once."""

RETRIES = 16
"""So often a writer that lost to another one reads again and retries."""


At = tuple[tuple[str, int], ...]
"""Log records: owner session and sequence number of each."""


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

    def before(self, seq: int) -> bool:
        """Whether no log record from this sequence number on is in it."""
        return all(at < seq for _, at in self.at)

    def arrived(self) -> Held:
        """The same in another tier, where only later uses speak for it."""
        return evolve(self, earlier=self.memory.uses)

    def pack(self) -> bytes:
        """The record's bytes."""
        return msgspec.msgpack.encode([SCHEMA, asdict(self.memory), self.session, self.page, self.at, self.earlier])

    @classmethod
    def unpack(cls, data: bytes) -> Held:
        """The record of these bytes.

        Raises:
            IntegrityError: Written by a newer release.
        """
        schema, *fields = msgspec.msgpack.decode(data)
        if schema > SCHEMA:
            raise IntegrityError(f"memories of a newer lamina (schema {schema}, this one reads {SCHEMA}); upgrade")
        memory, session, page, at, *later = fields
        memory["tags"], memory["provenance"] = tuple(memory["tags"]), tuple(memory["provenance"])
        return cls(Memory(**memory), session, page, tuple((owner, seq) for owner, seq in at), *later)


Place = tuple[str, Tier]
"""A tier with its name."""


@frozen
class Found:
    """A memory where it was found."""

    place: Place
    held: Held
    version: int | None
    """Of its record, ``None`` where there is none yet: whoever writes it expects this one."""


@frozen
class Lesson:
    """What a tier's index has to learn of a commit."""

    place: Place
    add: Mapping[str, str] = field(factory=dict)
    remove: frozenset[str] = frozenset()


class Places:
    """The tiers of one namespace, first to last, with their records and indexes.

    Args:
        tiers: Each with its name.
        log: Where the texts of pages are read.
        catalogue: Has the observers that are told what was written.
    """

    def __init__(self, tiers: Sequence[Place], log: Storage, catalogue: Catalogue) -> None:
        self.tiers = sorted(tiers, key=lambda t: (t[1].rank, t[0]))
        self._log, self._catalogue = log, catalogue
        self._behind = {name for name, _ in self.tiers}
        """The tiers whose indexes may have something to learn."""

    # ------------------------------------------------------------- reading

    async def find(self, ids: Sequence[str]) -> dict[str, Found]:
        """Each memory where it stands, in the order given; the first tier that holds it counts."""
        found: dict[str, Found] = {}
        for place in self.tiers:
            found |= await self._read(place, [id for id in ids if id not in found])
        return {id: found[id] for id in ids if id in found}

    async def _read(self, place: Place, ids: Sequence[str]) -> dict[str, Found]:
        """Those of the memories that stand in this tier."""
        name, tier = place
        stored = await tier.storage.get(Get(keys=[key_of(name, id) for id in ids])) if ids else ()
        return {
            id: Found(place, Held.unpack(record.value), record.version)
            for id, record in zip(ids, stored, strict=True)
            if record is not None
        }

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

    # ------------------------------------------------------------- writing

    async def write(
        self,
        place: Place,
        held: Mapping[str, tuple[Held, str]],
        drop: Iterable[str] = (),
        expect: Mapping[str, int | None] | None = None,
    ) -> None:
        """Put memories (with their texts) into a tier and its index, and drop others; crash-safe by a note.

        Raises:
            ConflictError: A key has not the version that was expected; nothing was written.
        """
        name, tier = place
        dropped = frozenset(drop)
        puts = {key_of(name, id): h.pack() for id, (h, _) in held.items()}
        lesson = Lesson(place, {id: text for id, (_, text) in held.items()}, dropped)
        deletes = frozenset(key_of(name, id) for id in dropped)
        await self._commit(tier.storage, Commit(puts=puts, deletes=deletes, expect=expect or {}), [lesson])
        self._tell(name, [h for h, _ in held.values()])

    async def _commit(self, storage: Storage, request: Commit, lessons: Sequence[Lesson]) -> Mapping[str, int]:
        """Write the batch with a note of what indexes have to learn of it; let them learn it; remove the notes.

        Once the batch is written the call succeeds, whatever becomes of the rest: who was told that it failed would
        write it again. An index that cannot learn now, because another process holds it, does so with the next call.
        """
        notes = {f"mem/{lesson.place[0]}/d/{uuid.uuid4().hex}": lesson for lesson in lessons}
        owed = {note: msgspec.msgpack.encode([*lesson.add, *lesson.remove]) for note, lesson in notes.items()}
        versions = await storage.commit(evolve(request, puts={**request.puts, **owed}))
        learned = [
            note
            for note, lesson in notes.items()
            if await self._teach(lesson.place, IndexUpdate(add=lesson.add, remove=lesson.remove))
        ]
        if learned:
            with beside("notes that an index is in step could not be removed"):
                await storage.commit(Commit(deletes=frozenset(learned)))
        return versions

    async def _teach(self, place: Place, update: IndexUpdate) -> bool:
        """Whether a tier's index took in what it has to learn."""
        learned = False
        with beside(f"the index of tier {place[0]!r} could not be updated"):
            await place[1].index.update(update)
            learned = True
        if not learned:
            self._behind.add(place[0])
        return learned

    def _tell(self, tier: str, held: Iterable[Held]) -> None:
        if self._catalogue.observed("memory_written"):
            for h in held:
                self._catalogue.notify("memory_written", memory=h.memory, tier=tier)

    async def change(self, found: Mapping[str, Found], how: Callable[[Memory], Memory]) -> None:
        """Change what is known of memories, not their texts, where they stand; what is gone by then stays gone.

        Raises:
            ConflictError: Others changed them again and again.
        """
        for _ in range(RETRIES):
            lost: list[str] = []
            for place in self.tiers:
                here = {key_of(place[0], id): f for id, f in found.items() if f.place is place}
                puts = {key: evolve(f.held, memory=how(f.held.memory)).pack() for key, f in here.items()}
                try:
                    if puts:
                        expect = {key: f.version for key, f in here.items()}
                        await place[1].storage.commit(Commit(puts=puts, expect=expect))
                except ConflictError as error:
                    conflict = error
                    lost += [f.held.memory.id for f in here.values()]
            if not lost:
                return
            found = await self.find(lost)
        raise conflict

    async def move(self, ids: Sequence[str], source: Place, to: Place) -> list[str]:
        """Move memories from tier to tier; gives the ids of those that were moved."""
        moved: list[str] = []
        for start in range(0, len(ids), BATCH):
            moved += await self._move(ids[start : start + BATCH], source, to)
        return moved

    async def _move(self, ids: Sequence[str], source: Place, to: Place) -> list[str]:
        for _ in range(RETRIES):
            here = await self._read(source, ids)
            for place in self.tiers:
                if place is not source:
                    # What stands in two tiers is being moved by another process, or was left so by a crash.
                    twice = await self._read(place, list(here))
                    here = {id: f for id, f in here.items() if id not in twice}
            if not here:
                return []
            try:
                if source[1].storage is to[1].storage:
                    moved = await self._move_within(here, source, to)
                else:
                    moved = await self._move_across(here, source, to)
            except ConflictError:
                continue
            self._tell(to[0], [here[id].held for id in moved])
            return moved
        return []  # others change them again and again: not now

    async def _move_within(self, here: Mapping[str, Found], source: Place, to: Place) -> list[str]:
        """Move within one storage, by one commit."""
        puts = {key_of(to[0], id): f.held.arrived().pack() for id, f in here.items()}
        gone = {key_of(source[0], id): f.version for id, f in here.items()}
        request = Commit(puts=puts, deletes=frozenset(gone), expect={**dict.fromkeys(puts), **gone})
        await self._commit(to[1].storage, request, await self._lessons(here, source, to))
        return list(here)

    async def _move_across(self, here: Mapping[str, Found], source: Place, to: Place) -> list[str]:
        """Move between storages: first there, then gone here.

        A crash in between leaves it twice, and the first tier that holds it counts; the reverse would lose it.
        """
        puts = {key_of(to[0], id): f.held.arrived().pack() for id, f in here.items()}
        lessons = await self._lessons(here, source, to)
        versions = await self._commit(to[1].storage, Commit(puts=puts, expect=dict.fromkeys(puts)), lessons[:1])
        gone = {key_of(source[0], id): f.version for id, f in here.items()}
        try:
            await self._commit(source[1].storage, Commit(deletes=frozenset(gone), expect=gone), lessons[1:])
        except ConflictError:
            # Changed or deleted meanwhile. Only this move put them there: what is deleted must not come back by it.
            back = Commit(deletes=frozenset(puts), expect={key: versions[key] for key in puts})
            await self._commit(to[1].storage, back, [Lesson(to, {}, frozenset(here))] if lessons else [])
            raise
        return list(here)

    async def drop_copies(self, ids: Sequence[str], place: Place) -> None:
        """Remove this tier's copy of memories that stand in an earlier tier too, as an older release left some.

        Only within one storage: in two, a copy may be the half of a move that another process has not ended.
        """
        for start in range(0, len(ids), BATCH):
            copies = await self._read(place, ids[start : start + BATCH])
            first = await self.find(list(copies))
            kept = {
                id: f for id, f in first.items() if f.place[0] != place[0] and f.place[1].storage is place[1].storage
            }
            gone = {key_of(place[0], id): copies[id].version for id in kept}
            forget = frozenset(id for id, f in kept.items() if f.place[1].index is not place[1].index)
            expect = {**gone, **{key_of(f.place[0], id): f.version for id, f in kept.items()}}
            if gone:
                with suppress(ConflictError):  # somebody is at it; the next consolidation looks again
                    request = Commit(deletes=frozenset(gone), expect=expect)
                    await self._commit(place[1].storage, request, [Lesson(place, {}, forget)] if forget else [])

    async def _lessons(self, here: Mapping[str, Found], source: Place, to: Place) -> list[Lesson]:
        """What the indexes of both tiers have to learn of a move; nothing where it is one index."""
        if source[1].index is to[1].index:
            return []
        texts = await self.texts([f.held for f in here.values()])
        added = {id: text or "" for id, text in zip(here, texts, strict=True)}
        return [Lesson(to, added), Lesson(source, {}, frozenset(here))]

    # ------------------------------------------------------------- keeping indexes in step

    async def recover(self) -> None:
        """Fill indexes that are new, and tell them what a crash or another process kept from them."""
        for place in self.tiers:
            if place[0] in self._behind and await self._recover(place):
                self._behind.discard(place[0])

    async def _recover(self, place: Place) -> bool:
        """Whether the tier's index is in step now."""
        name, tier = place
        key = f"mem/{name}/g"
        found = (await tier.storage.get(Get(keys=[key])))[0]
        owed: list[str] = []
        notes = [record async for record in records(tier.storage, f"mem/{name}/d/")]
        if found is None or found.value.decode() != tier.index.generation:
            owed = [held.memory.id async for _, held in scan(tier.storage, f"mem/{name}/r/")]
        elif not notes:
            return True
        for note in notes:
            owed += msgspec.msgpack.decode(note.value)
        if not await self._reindex(place, owed):
            return False
        with beside(f"that the index of tier {name!r} is in step could not be written"):
            done = Commit(puts={key: tier.index.generation.encode()}, deletes=frozenset(n.key for n in notes))
            await tier.storage.commit(done)
        return True

    async def _reindex(self, place: Place, ids: Sequence[str]) -> bool:
        """Tell a tier's index what stands of these memories in any of the tiers that it serves; whether it took that in."""
        served = [p for p in self.tiers if p[1].index is place[1].index]
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            found: dict[str, Found] = {}
            # Twice, because one look from the top down may miss what another process moves up.
            for p in served * 2:
                found |= await self._read(p, [id for id in batch if id not in found])
            held = [f.held for f in found.values()]
            texts = await self.texts(held)
            add = {h.memory.id: text for h, text in zip(held, texts, strict=True) if text is not None}
            if not await self._teach(place, IndexUpdate(add=add, remove=frozenset(batch) - frozenset(add))):
                return False
        return True


@contextmanager
def beside(what: str) -> Iterator[None]:
    """For what stands beside an answer, and must not keep it back: where it fails, that is logged."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever a part raises, the answer stands
        missed(what, error)


def missed(what: str, error: Exception) -> None:
    """Log what could not be done beside an answer."""
    logger().warning(what, error=f"{type(error).__name__}: {error}")


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
