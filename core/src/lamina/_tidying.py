"""What consolidators say of memories that are new, written down so that it can be taken back.

``undo/RUN/NUMBER`` in the first tier's storage hold what a consolidation superseded, a batch each: of each memory its id, by
which one, why, and whether they were merged.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec
from attrs import evolve

from lamina._held import Found, records
from lamina._places import NEW, RETRIES, Change, Places
from lamina.errors import ConflictError, ContractError, UnknownMemoryError
from lamina.model import Memory
from lamina.protocols import Commit, ConsolidateRequest, Consolidator, Document, Record, Scan, Storage, Superseded

BATCH = 100
"""New memories that consolidators are shown at once."""
UNDO = "undo/"


class Tidying:
    """Lets consolidators look at what is new.

    Args:
        places: The memories.
        consolidators: In their order, each with its name.
        clock: Unix time in seconds.
    """

    def __init__(
        self, places: Places, consolidators: Sequence[tuple[str, Consolidator]], clock: Callable[[], float]
    ) -> None:
        self._places, self._consolidators, self._clock = places, consolidators, clock

    async def run(self) -> tuple[str, tuple[tuple[str, str, str], ...]]:
        """Let them look at all that is new; gives the run's name, and what was superseded: (memory, by which, why)."""
        if not self._consolidators:
            return "", ()
        run = await self._name()
        done: list[Superseded] = []
        for storage in {id(tier.storage): tier.storage for _, tier in self._places.tiers}.values():
            async for batch in records(storage, NEW):
                for start in range(0, len(batch), BATCH):
                    done += await self._look(f"{UNDO}{run}/{len(done):09d}", storage, batch[start : start + BATCH])
        return (run if done else ""), tuple([(s.old, s.by, s.why) for s in done])

    async def _name(self) -> str:
        """A name that is behind those of all earlier runs, whatever the clock says."""
        last = await self._places.tiers[0][1].storage.scan(Scan(prefix=UNDO, limit=1, reverse=True))
        after = int(last[0].key.split("/")[1][:15]) if last else 0
        return f"{max(int(self._clock() * 1000), after + 1):015d}-{uuid.uuid4().hex[:6]}"

    async def _look(self, key: str, storage: Storage, notes: Sequence[Record]) -> list[Superseded]:
        done: list[Superseded] = []
        for name, consolidator in self._consolidators:
            # Read again for each: what one let go of is nothing to the next.
            memories = await self._read([note.value.decode() for note in notes])
            shown = sorted(memories.values(), key=lambda m: (m.created_s, m.id))
            if shown:
                request = ConsolidateRequest(memories=shown, now_s=self._clock(), read=self._read)
                verdicts = await consolidator.consolidate(request)
                for verdict in verdicts:
                    if not isinstance(verdict, Superseded) or verdict.old == verdict.by:
                        raise ContractError(name, f"says that {verdict!r}: a memory is superseded by another one")
                if verdicts:
                    # Written first: what was not done by the time of a crash is no harm to take back.
                    await self._write(key, [*done, *verdicts])
                done += [verdict for verdict in verdicts if await self._supersede(verdict)]
        for note in notes:
            with suppress(ConflictError):  # changed meanwhile, so it is looked at again
                await storage.commit(Commit(deletes=frozenset({note.key}), expect={note.key: note.version}))
        return done

    async def _read(self, ids: Sequence[str]) -> Mapping[str, Memory]:
        found = await self._places.find(list(dict.fromkeys(ids)))
        stands = {id: f.held for id, f in found.items() if f.held.memory.stands(self._clock())}
        texts = await self._places.texts(list(stands.values()))
        return {
            id: evolve(held.memory, text=text)
            for (id, held), text in zip(stands.items(), texts, strict=True)
            if text is not None
        }

    async def _write(self, key: str, superseded: Sequence[Superseded]) -> None:
        told = [[s.old, s.by, s.why, s.merge] for s in superseded]
        storage = self._places.tiers[0][1].storage
        await storage.commit(Commit(puts={key: msgspec.msgpack.encode(told)}))

    async def _supersede(self, verdict: Superseded) -> bool:
        """Write one down; whether both stood by then."""
        for _ in range(RETRIES):
            found = await self._places.find([verdict.old, verdict.by])
            if len(found) < 2 or not all(f.held.memory.stands(self._clock()) for f in found.values()):
                return False
            old, by = found[verdict.old], found[verdict.by]
            try:
                if verdict.merge:
                    await self._change(by, _gained(by.held.memory, old.held.memory))
                await self._change(old, evolve(old.held.memory, superseded_by=verdict.by), forget=True)
            except ConflictError as error:
                conflict = error
                continue
            return True
        raise conflict

    async def _change(self, found: Found, memory: Memory, *, forget: bool = False) -> None:
        change = Change()
        self._places.put(change, found.place, evolve(found.held, memory=memory), found)
        if forget:
            change.forget.add(memory.id)
        await self._places.commit(found.place[1].storage, change, found.place[0])

    # ------------------------------------------------------------- taking back

    async def undo(self, run: str | None) -> list[str]:
        """Let stand again what a run superseded, the last one by default."""
        storage = self._places.tiers[0][1].storage
        back: list[str] = []
        last = await storage.scan(Scan(prefix=UNDO if run is None else f"{UNDO}{run}/", limit=1, reverse=True))
        if not last and run is not None:
            raise UnknownMemoryError(run, "consolidation to take back:")
        while last:
            (record,) = last
            for old, by, _, merged in reversed(msgspec.msgpack.decode(record.value)):
                if await self._stand_again(old, by, merged):
                    back.append(old)
            await storage.commit(Commit(deletes=frozenset({record.key})))
            last = await storage.scan(Scan(prefix=record.key.rpartition("/")[0] + "/", limit=1, reverse=True))
        return back

    async def _stand_again(self, id: str, by: str, merged: bool) -> bool:
        for _ in range(RETRIES):
            found = await self._places.find([id, by])
            if id not in found or found[id].held.memory.superseded_by != by:
                return False
            old = found[id]
            (text,) = await self._places.texts([old.held])
            memory = evolve(old.held.memory, superseded_by="")
            change = Change()
            held = self._places.put(change, old.place, evolve(old.held, memory=memory), old)
            change.find[id] = Document.of(held.memory, text or "")
            try:
                await self._places.commit(old.place[1].storage, change, old.place[0])
                if merged and by in found:
                    await self._change(found[by], _lost(found[by].held.memory, memory))
            except ConflictError as error:
                conflict = error
                continue
            return True
        raise conflict


def _gained(by: Memory, old: Memory) -> Memory:
    """A memory with what another one that says the same was worth."""
    if old.id in by.provenance:
        return by
    provenance = tuple(dict.fromkeys([*by.provenance, old.id, *old.provenance]))
    return evolve(
        by, provenance=provenance, uses=by.uses + old.uses, used_s=max(by.used_s, old.used_s),
        importance=max(by.importance, old.importance), revision=by.revision + 1,
    )  # fmt: skip


def _lost(by: Memory, old: Memory) -> Memory:
    """The reverse, as far as it can be told: importance and last use stay."""
    own = tuple(id for id in by.provenance if id != old.id and id not in old.provenance)
    return evolve(by, provenance=own, uses=max(0, by.uses - old.uses), revision=by.revision + 1)
