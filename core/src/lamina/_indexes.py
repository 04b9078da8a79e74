"""The indexes of memories, kept in step with their records.

A commit that changes what can be found writes a note beside it (``mem/TIER/d/BATCH``) of what indexes have to learn of
it. Once all have, the note goes with the next commit to that storage. ``idx/INDEX/g`` in the first tier's storage holds
the generation of the index that all records were told to.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from lamina._held import BATCH, Held, Place, records
from lamina.logging import logger
from lamina.protocols import Commit, Document, Get, Index, IndexUpdate, Storage

Read = Callable[[Sequence[str]], Awaitable[Sequence[Document]]]
"""The documents of those of these memories that stand in any tier."""


class Indexes:
    """All indexes of one namespace.

    Args:
        parts: Each with its name.
        tiers: Whose records they find.
        read: Reads documents by id.
    """

    def __init__(self, parts: Sequence[tuple[str, Index]], tiers: Sequence[Place], read: Read) -> None:
        self.parts = tuple(parts)
        self._tiers, self._read = tiers, read
        self._behind = {name for name, _ in tiers}
        """The tiers of whose notes some may not have been learned."""
        self._learned: dict[int, set[str]] = {}
        """Storage to notes that can go with its next commit."""

    # ------------------------------------------------------------- beside commits

    def note(self, tier: str, ids: Sequence[str]) -> dict[str, bytes]:
        """What to write beside a commit that changes what can be found of these memories."""
        if not self.parts or not ids:
            return {}
        return {f"mem/{tier}/d/{uuid.uuid4().hex}": msgspec.msgpack.encode(list(ids))}

    def learned(self, storage: Storage) -> frozenset[str]:
        """Notes that are learned: to be removed by a commit, which then says so by :meth:`removed`."""
        return frozenset(self._learned.get(id(storage), ()))

    def removed(self, storage: Storage, notes: frozenset[str]) -> None:
        """These notes are gone."""
        self._learned.get(id(storage), set()).difference_update(notes)

    async def teach(self, storage: Storage, notes: Sequence[str], update: IndexUpdate) -> None:
        """Let all indexes learn what a commit wrote, whose notes these are; one that cannot does so later."""
        taught = await asyncio.gather(*(self._take(name, index, update) for name, index in self.parts))
        if all(taught):
            self._learned.setdefault(id(storage), set()).update(notes)
        else:
            self._behind.update(note.split("/")[1] for note in notes)

    async def _take(self, name: str, index: Index, update: IndexUpdate) -> bool:
        """Whether an index took in what it has to learn."""
        try:
            await index.update(update)
        except Exception as error:  # noqa: BLE001 - whatever a part raises, what was written is written
            missed(f"the index {name!r} could not be updated", error)
            return False
        return True

    # ------------------------------------------------------------- catching up

    async def recover(self) -> None:
        """Fill indexes that are new, and tell all of them what a crash or another process kept from them."""
        if not self._behind or not self.parts:
            return
        storage = self._tiers[0][1].storage
        known = await storage.get(Get(keys=[f"idx/{name}/g" for name, _ in self.parts]))
        new = [
            part
            for part, record in zip(self.parts, known, strict=True)
            if record is None or record.value.decode() != part[1].generation
        ]
        for part in new:
            if not await self._fill(part, storage):
                return
        for place in self._tiers:
            if place[0] in self._behind and await self._learn(place):
                self._behind.discard(place[0])

    async def _fill(self, part: tuple[str, Index], storage: Storage) -> bool:
        """Tell a new index of all memories; whether it took them in."""
        name, index = part
        for tier, its in self._tiers:
            async for batch in records(its.storage, f"mem/{tier}/r/"):
                ids = [Held.unpack(record.value).memory.id for record in batch]
                if not await self._take(name, index, IndexUpdate(add=await self._read(ids))):
                    return False
        with beside(f"that the index {name!r} is filled could not be written"):
            await storage.commit(Commit(puts={f"idx/{name}/g": index.generation.encode()}))
        return True

    async def _learn(self, place: Place) -> bool:
        """Whether all indexes learned what the notes of a tier say."""
        storage = place[1].storage
        async for batch in records(storage, f"mem/{place[0]}/d/"):
            ids = list(dict.fromkeys(id for note in batch for id in msgspec.msgpack.decode(note.value)))
            for start in range(0, len(ids), BATCH):
                some = ids[start : start + BATCH]
                found = await self._read(some)
                update = IndexUpdate(add=found, remove=frozenset(some) - {document.id for document in found})
                if not all([await self._take(name, index, update) for name, index in self.parts]):
                    return False
            with beside("notes that indexes are in step could not be removed"):
                await storage.commit(Commit(deletes=frozenset(note.key for note in batch)))
        return True

    async def close(self) -> None:
        """Remove the notes that are learned."""
        for storage in {id(tier.storage): tier.storage for _, tier in self._tiers}.values():
            notes = self.learned(storage)
            if notes:
                with beside("notes that indexes are in step could not be removed"):
                    await storage.commit(Commit(deletes=notes))
                    self.removed(storage, notes)


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
