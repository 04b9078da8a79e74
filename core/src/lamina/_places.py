"""The memories of one namespace in their tiers: read, written, placed and moved, each change whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from attrs import define, evolve, field

from lamina._held import Found, Held, Place, beside, key_of, name_of, records
from lamina._indexes import Indexes
from lamina._known import key_of_place
from lamina._log import segment
from lamina._records import Said, decode
from lamina._tally import Slot, Tally, Totals
from lamina.errors import ConflictError
from lamina.model import Memory, Page
from lamina.plugins import Catalogue
from lamina.protocols import Commit, Document, Get, Index, IndexUpdate, Storage

NEW = "new/"
"""Keys of memories that consolidators have not looked at."""

RETRIES = 16
"""So often a writer that lost to another one reads again and retries."""


@define
class Change:
    """What one commit does to memories of tiers over one storage."""

    puts: dict[str, bytes] = field(factory=dict)
    deletes: set[str] = field(factory=set)
    expect: dict[str, int | None] = field(factory=dict)
    grown: dict[str, list[int]] = field(factory=dict)
    """Tier to the records and tokens that it holds more."""
    find: dict[str, Document] = field(factory=dict)
    """Documents that indexes have to learn."""
    forget: set[str] = field(factory=set)
    """Ids that indexes have to forget."""
    told: list[tuple[str, Memory]] = field(factory=list)
    """Tier and memory of what observers are told."""

    def count(self, tier: str, held: Held, sign: int) -> None:
        """Note what a tier holds more or less."""
        grown = self.grown.setdefault(tier, [0, 0])
        grown[0] += sign
        grown[1] += sign * held.tokens


class Places:
    """The tiers of one namespace, first to last, with their records; the indexes follow them.

    Args:
        tiers: Each with its name.
        indexes: Each with its name.
        log: Where the texts of pages are read.
        catalogue: Has the observers that are told what was written.
        clock: Unix time in seconds.
        queue: Whether consolidators are to look at what is new.
    """

    def __init__(
        self,
        tiers: Sequence[Place],
        indexes: Sequence[tuple[str, Index]],
        log: Storage,
        catalogue: Catalogue,
        clock: Callable[[], float],
        queue: bool,
    ) -> None:
        self.tiers = sorted(tiers, key=lambda t: (t[1].rank, t[0]))
        self.indexes = Indexes(indexes, self.tiers, self.documents)
        self._log, self._catalogue, self._clock, self._queue = log, catalogue, clock, queue
        self._tallies = {name: Tally(tier.storage, name) for name, tier in self.tiers}
        self._settled = False
        """Whether all records are known to stand where their tiers' policies put them."""

    # ------------------------------------------------------------- reading

    async def find(self, ids: Sequence[str]) -> dict[str, Found]:
        """Each memory where it stands, in the order given; the first tier that holds it counts."""
        found: dict[str, Found] = {}
        for place in self.tiers:
            found |= await self.read(place, [id for id in ids if id not in found])
        return {id: found[id] for id in ids if id in found}

    async def read(self, place: Place, ids: Sequence[str]) -> dict[str, Found]:
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
        stored = await self._log.get(Get(keys=wanted)) if wanted else ()
        found = {key: record for key, record in zip(wanted, stored, strict=True) if record is not None}
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

    async def neighbours(self, held: Sequence[Held], near: int) -> list[str]:
        """Ids of the memories at most so many places beside these, in their threads; they may be gone."""
        beside = [offset for offset in range(-near, near + 1) if offset]
        pages = [f"{h.session}#{h.page + offset}" for h in held if h.page is not None for offset in beside]
        keys = [
            key_of_place(h.memory.thread, h.memory.position + offset)
            for h in held
            if h.page is None and h.memory.thread and h.memory.position is not None
            for offset in beside
        ]
        found = await self.tiers[0][1].storage.get(Get(keys=list(dict.fromkeys(keys)))) if keys else ()
        return list(dict.fromkeys([*pages, *(record.value.decode() for record in found if record is not None)]))

    async def documents(self, ids: Sequence[str]) -> list[Document]:
        """What indexes are told of those of these memories that stand anywhere."""
        found = await self.find(ids)
        # Again, because one look from the top down may miss what another process moves up.
        found |= await self.find([id for id in ids if id not in found])
        held = [f.held for f in found.values()]
        texts = await self.texts(held)
        return [Document.of(h.memory, text) for h, text in zip(held, texts, strict=True) if text is not None]

    async def totals(self, place: Place) -> Totals:
        """How many records a tier holds, and how many tokens; does not grow with them."""
        return await self._tallies[place[0]].totals()

    # ------------------------------------------------------------- writing

    def tell(self, change: Change, held: Held, text: str) -> None:
        """Let a change tell indexes and consolidators what a memory says now."""
        change.find[held.memory.id] = Document.of(held.memory, text)
        if self._queue:
            change.puts[f"{NEW}{name_of(held.memory.id)}"] = held.memory.id.encode()

    def put(self, change: Change, place: Place, held: Held, old: Found | None, now_s: float | None = None) -> Held:
        """Let a change write a memory to a tier, in the place of what stood there; gives it as it will stand."""
        name, tier = place
        new = evolve(held, placed=held.place(tier, self._clock() if now_s is None else now_s))
        self._lift(change, place, old)
        change.puts[key_of(name, held.memory.id)] = new.pack()
        change.expect[key_of(name, held.memory.id)] = old.version if old else None
        mark = held.memory.id.encode()
        change.puts.update((key, mark) for key in self._beside(place, new))
        change.deletes -= change.puts.keys()
        change.count(name, new, 1)
        return new

    def drop(self, change: Change, found: Found) -> None:
        """Let a change remove a memory from where it stands."""
        key = key_of(found.place[0], found.held.memory.id)
        change.deletes.add(key)
        change.expect[key] = found.version
        self._lift(change, found.place, found)

    def _lift(self, change: Change, place: Place, old: Found | None) -> None:
        if old is not None and old.version is not None and old.held.placed is not None:
            change.deletes.update(self._beside(place, old.held))
            change.count(place[0], old.held, -1)

    def _beside(self, place: Place, held: Held) -> Iterable[str]:
        first, last = place == self.tiers[0], place == self.tiers[-1]
        return beside(place[0], held.memory.id, held.placed, first=first, last=last)

    async def commit(self, storage: Storage, change: Change, note_in: str) -> Mapping[str, int]:
        """Write a change, with a note of what indexes have to learn of it, and let them learn it.

        Once it is written the call succeeds, whatever becomes of the rest: who was told that it failed would write it
        again. An index that cannot learn now, because another process holds it, does so with a later call.

        Raises:
            ConflictError: A record has not the version that was expected; nothing was written.
        """
        note = self.indexes.note(note_in, [*change.find, *change.forget])
        gone = self.indexes.learned(storage)
        request = Commit(
            puts={**change.puts, **note}, deletes=frozenset(change.deletes) | gone, expect=change.expect
        )  # fmt: skip
        versions = await self._counted(storage, request, change)
        self.indexes.removed(storage, gone)
        if note:
            update = IndexUpdate(add=list(change.find.values()), remove=frozenset(change.forget))
            await self.indexes.teach(storage, list(note), update)
        if self._catalogue.observed("memory_written"):
            for tier, memory in change.told:
                self._catalogue.notify("memory_written", memory=memory, tier=tier)
        return versions

    async def _counted(self, storage: Storage, request: Commit, change: Change) -> Mapping[str, int]:
        """Write it together with what the tiers hold then."""
        grown = {name: (by[0], by[1]) for name, by in change.grown.items() if any(by)}
        while True:
            slots = {name: await self._tallies[name].borrow() for name in grown}
            sums = {slot.key: slot.grown(grown[name]) for name, slot in slots.items()}
            expect = {slot.key: slot.version for slot in slots.values()}
            try:
                versions = await storage.commit(
                    evolve(request, puts={**request.puts, **sums}, expect={**request.expect, **expect})
                )
            except ConflictError as error:
                # A slot that another process writes is left to it, and one of our own is taken.
                self._give_back({n: s for n, s in slots.items() if s.key not in error.keys})
                if set(error.keys) <= sums.keys():
                    continue
                raise
            for name, slot in slots.items():
                self._tallies[name].written(slot, grown[name], versions)
            return versions

    def _give_back(self, slots: Mapping[str, Slot]) -> None:
        for name, slot in slots.items():
            self._tallies[name].unused(slot)

    async def change(self, found: Mapping[str, Found], how: Callable[[Memory], Memory]) -> None:
        """Change what is known of memories, not their texts, where they stand; what is gone by then stays gone.

        Raises:
            ConflictError: Others changed them again and again.
        """
        for _ in range(RETRIES):
            lost: list[str] = []
            for place in self.tiers:
                here = [f for f in found.values() if f.place == place]
                change = Change()
                for f in here:
                    self.put(change, place, evolve(f.held, memory=how(f.held.memory)), f)
                try:
                    if here:
                        await self.commit(place[1].storage, change, place[0])
                except ConflictError as error:
                    conflict = error
                    lost += [f.held.memory.id for f in here]
            if not lost:
                return
            found = await self.find(lost)
        raise conflict

    # ------------------------------------------------------------- moving

    async def move(self, ids: Sequence[str], source: Place, to: Place) -> list[str]:
        """Move memories from tier to tier, at most a batch; gives the ids of those that were moved."""
        for _ in range(RETRIES):
            here = await self.read(source, ids)
            for place in self.tiers:
                if place is not source:
                    # What stands in two tiers is being moved by another process, or was left so by a crash.
                    twice = await self.read(place, list(here))
                    here = {id: f for id, f in here.items() if id not in twice}
            if not here:
                return []
            within = source[1].storage is to[1].storage
            try:
                await (self._move_within if within else self._move_across)(here, source, to)
            except ConflictError:
                continue
            return list(here)
        return []  # others change them again and again: not now

    def _arrive(self, change: Change, here: Mapping[str, Found], to: Place) -> None:
        for f in here.values():
            new = self.put(change, to, f.held.arrived(), None)
            change.told.append((to[0], new.memory))

    async def _move_within(self, here: Mapping[str, Found], source: Place, to: Place) -> None:
        """Move within one storage, by one commit."""
        change = Change()
        for f in here.values():
            self.drop(change, f)
        self._arrive(change, here, to)
        await self.commit(to[1].storage, change, to[0])

    async def _move_across(self, here: Mapping[str, Found], source: Place, to: Place) -> None:
        """Move between storages: first there, then gone here.

        A crash in between leaves it twice, and the first tier that holds it counts; the reverse would lose it.
        """
        there, gone = Change(), Change()
        self._arrive(there, here, to)
        versions = await self.commit(to[1].storage, there, to[0])
        for f in here.values():
            self.drop(gone, f)
        try:
            await self.commit(source[1].storage, gone, source[0])
        except ConflictError:
            # Changed or deleted meanwhile. Only this move put them there: what is deleted must not come back by it.
            back = Change()
            for id in here:
                key = key_of(to[0], id)
                self.drop(back, Found(to, Held.unpack(there.puts[key]), versions[key]))
            await self.commit(to[1].storage, back, to[0])
            raise

    # ------------------------------------------------------------- policies

    async def settle(self) -> None:
        """Place what an earlier release or another policy placed, once; afterwards this costs nothing."""
        if self._settled:
            return
        for place in self.tiers:
            name, tier = place
            (mark,) = await tier.storage.get(Get(keys=[f"mem/{name}/p"]))
            after: str | None = None
            if mark is not None:
                policy, after, done = msgspec.msgpack.decode(mark.value)
                if policy == tier.policy and done:
                    continue
                after = after if policy == tier.policy else None
            async for batch in records(tier.storage, f"mem/{name}/r/", after):
                ids = [Held.unpack(record.value).memory.id for record in batch]
                for _ in range(RETRIES):
                    change = await self._replaced(place, ids)
                    change.puts[f"mem/{name}/p"] = msgspec.msgpack.encode([tier.policy, batch[-1].key, False])
                    try:
                        await self.commit(tier.storage, change, name)
                    except ConflictError:
                        continue  # somebody is at them: read again
                    break
            await tier.storage.commit(Commit(puts={f"mem/{name}/p": msgspec.msgpack.encode([tier.policy, None, True])}))
        self._settled = True

    async def _replaced(self, place: Place, ids: Sequence[str]) -> Change:
        """A change that places memories anew; of what stands in an earlier tier too, as an old release left it, none.

        Copies in another storage stay: one may be the half of a move that another process has not ended.
        """
        change = Change()
        here = await self.read(place, ids)
        first = await self.find(list(here))
        for id, f in here.items():
            other = first[id]
            if other.place != place and other.place[1].storage is place[1].storage:
                self.drop(change, f)
                change.expect[key_of(other.place[0], id)] = other.version
            else:
                self.put(change, place, f.held, f)
        return change
