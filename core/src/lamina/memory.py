"""Memories in tiers: they follow the log, are recalled from wherever they are, and move by each tier's policy."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

from attrs import evolve, frozen

from lamina._book import Book
from lamina._consolidating import Consolidation
from lamina._extracting import Extraction, Talk
from lamina._following import Follower
from lamina._held import BATCH, Held, records
from lamina._indexes import beside, missed
from lamina._known import Known, key_of_place, key_of_same
from lamina._places import RETRIES, Change, Places
from lamina._recalling import Recall
from lamina._tidying import Tidying
from lamina.errors import ClosedError, ConflictError, IntegrityError, StorageError
from lamina.model import Draft, Hit, Memory
from lamina.plugins import Catalogue
from lamina.protocols import Consolidator, Extractor, Filter, Index, Ranker, Storage, Tier

Count = Callable[[Sequence[str]], Sequence[int]]


@frozen
class Moved:
    """What a consolidation did."""

    demoted: tuple[tuple[str, str, str], ...] = ()
    """(memory, from tier, to tier)"""
    promoted: tuple[tuple[str, str, str], ...] = ()
    superseded: tuple[tuple[str, str, str], ...] = ()
    """(memory, by which one, why)"""
    run: str = ""
    """What to give to ``undo`` to take back what was superseded; empty where nothing was."""
    extracted: int = 0
    """How many memories extractors drew from conversations, those that were known already among them."""


@frozen
class MemoryParts:
    """The configured parts that memory works with."""

    tiers: Sequence[tuple[str, Tier]] = ()
    indexes: Sequence[tuple[str, Index]] = ()
    ranker: Ranker | None = None
    consolidators: Sequence[tuple[str, Consolidator]] = ()
    extractors: Sequence[tuple[str, Extractor]] = ()
    extract_after_s: float = 900.0
    """Seconds without a message after which an open session is looked at by extractors."""
    follow_pages: int = 500
    """Pages that are taken in at most within one recall."""


class Memories:
    """All memories of one namespace.

    Args:
        parts: What it works with.
        log: The storage of the sessions' logs.
        book: Gives a session's book by its id.
        talk: Gives a session by its id, as extractors see it.
        clock: Unix time in seconds.
        count: Counts tokens of texts.
        catalogue: Has the observers.
    """

    def __init__(
        self,
        parts: MemoryParts,
        log: Storage,
        book: Callable[[str], Awaitable[Book]],
        talk: Callable[[str], Awaitable[Talk]],
        clock: Callable[[], float],
        count: Count,
        catalogue: Catalogue,
    ) -> None:
        self._places = Places(parts.tiers, parts.indexes, log, catalogue, clock, bool(parts.consolidators))
        self._tidying = Tidying(self._places, parts.consolidators, clock)
        self._follower = Follower(self._places, log, book, clock, bool(parts.extractors))
        first = self._places.tiers[0][1].storage if parts.tiers else log
        self._known = Known(first)
        self._extraction = Extraction(
            first, parts.extractors if parts.tiers else (), talk, self.remember, parts.extract_after_s, clock
        )
        self._recall = Recall(self._places, parts.ranker, clock)
        self.tiers = self._places.tiers
        self._clock, self._count, self._pages = clock, count, parts.follow_pages
        self._background: asyncio.Task[None] | None = None
        """Takes in what a recall left."""

    # ------------------------------------------------------------- writing

    async def remember(self, drafts: Sequence[Draft]) -> list[Memory]:
        """Write memories to the first tier, in batches, each whole; of what is remembered already, give what there is.

        Once they are written the call succeeds, also where an index is locked: that learns of them with the next call.
        """
        await self._ready()
        out: list[Memory] = []
        for start in range(0, len(drafts), BATCH):
            out += await self._remember(drafts[start : start + BATCH])
        return out

    async def _remember(self, drafts: Sequence[Draft]) -> list[Memory]:
        """Write a batch; in the place of what is remembered already, the memory that there is."""
        place, now = self.tiers[0], self._clock()
        new = [_memory(draft, now) for draft in drafts]
        for _ in range(RETRIES):
            known = await self._known.ids(new)
            there = await self._places.find([id for id, _ in known if id is not None])
            stands = {id: f.held.memory for id, f in there.items() if f.held.memory.stands(now)}
            change, out = Change(), []
            tokens = self._count([memory.text for memory in new])
            fresh: dict[str, Memory] = {}
            for memory, (id, version), size in zip(new, known, tokens, strict=True):
                key = key_of_same(memory)
                if id in stands:
                    out.append(stands[id])
                elif key in fresh:
                    out.append(fresh[key])
                else:
                    held = self._places.put(change, place, Held(memory, tokens=size), None, now)
                    self._places.tell(change, held, memory.text)
                    change.puts[key], change.expect[key] = memory.id.encode(), version
                    if memory.thread and memory.position is not None:
                        change.puts[key_of_place(memory.thread, memory.position)] = memory.id.encode()
                    change.told.append((place[0], memory))
                    fresh[key] = memory
                    out.append(memory)
            try:
                if fresh:
                    await self._places.commit(place[1].storage, change, place[0])
            except ConflictError as error:
                conflict = error
                continue
            texts = await self._places.texts([there[m.id].held for m in out if m.id in stands])
            said = dict(zip([m.id for m in out if m.id in stands], texts, strict=True))
            return [evolve(m, text=said[m.id] or "") if m.id in said else m for m in out]
        raise conflict

    async def forget(self, ids: Sequence[str]) -> list[str]:
        """Remove memories from tiers and indexes; gives those that there were. A page's original stays in its log."""
        await self._ready()
        gone: dict[str, None] = {}
        for _ in range(RETRIES):
            # Until none is found any more: a crash may have left a copy in a lower tier, which would come back.
            found = await self._places.find(list(dict.fromkeys(ids)))
            if not found:
                return list(gone)
            for place in self.tiers:
                here = [f for f in found.values() if f.place == place]
                change = Change()
                for f in here:
                    self._places.drop(change, f)
                    change.forget.add(f.held.memory.id)
                    if place[1].storage is self.tiers[0][1].storage and f.held.page is None:
                        change.deletes.update(_beside(f.held.memory))
                try:
                    if here:
                        await self._places.commit(place[1].storage, change, place[0])
                except ConflictError:
                    continue  # used or moved meanwhile: looked for again
                gone.update(dict.fromkeys(change.forget))
        raise StorageError(f"memory {next(iter(found))} is changed by others again and again; forget it once more")

    async def browse(self, filter: Filter, tiers: frozenset[str] | None, superseded: bool) -> AsyncIterator[Hit]:
        """All memories that pass, tier by tier, with their texts; in constant memory."""
        await self.catch_up()
        for place in self.tiers:
            if tiers is not None and place[0] not in tiers:
                continue
            async for batch in records(place[1].storage, f"mem/{place[0]}/r/"):
                held = [Held.unpack(record.value) for record in batch]
                held = [h for h in held if filter.admits(h.memory) and (superseded or not h.memory.superseded_by)]
                for h, text in zip(held, await self._places.texts(held), strict=True):
                    if text is not None:
                        yield Hit(evolve(h.memory, text=text), 0.0, place[0], {}, h.session, h.page)

    # ------------------------------------------------------------- following the log

    async def _ready(self) -> None:
        await self._places.settle()
        await self._places.indexes.recover()

    async def catch_up(self) -> None:
        """Take in all that sessions said since."""
        if self.tiers:
            await self._ready()
            while not await self._follower.follow(self._pages):
                pass

    async def _catch_up_if_possible(self) -> None:
        """Take in a bounded piece, unless another process holds a storage: what is known already is the answer then."""
        try:
            await self._ready()
            if not await self._follower.follow(self._pages) and self._background is None:
                self._background = asyncio.create_task(self._catch_up_behind())
        except (IntegrityError, ClosedError):
            raise
        except StorageError as error:
            missed("what sessions said last is not recalled yet", error)

    async def _catch_up_behind(self) -> None:
        with beside("what sessions said could not be taken in"):
            done = False
            while not done:
                done = await self._follower.follow(self._pages)
                await asyncio.sleep(0)  # others first, also where no storage ever waits
        self._background = None

    async def close(self) -> None:
        """End what goes on in the background; the next opening goes on with it."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.gather(self._background, return_exceptions=True)
        await self._places.indexes.close()

    # ------------------------------------------------------------- recalling

    async def recall(
        self, query: str, *, limit: int = 10, filter: Filter | None = None, tiers: frozenset[str] | None = None,
        use: bool = True, deadline_s: float | None = None,
    ) -> list[Hit]:  # fmt: skip
        """The memories that fit the query best, from all tiers.

        Args:
            query: Any text.
            limit: At most so many.
            filter: Which memories may be among them.
            tiers: Only of these.
            use: Whether all of them count as used; otherwise :meth:`mark_used` says which are.
            deadline_s: Seconds that the search may take.
        """
        if not self.tiers or limit <= 0:
            return []
        await self._catch_up_if_possible()
        hits = await self._recall.hits(query, limit, filter or Filter(), tiers, deadline_s)
        self._known.shown(hits)
        if use:
            await self.mark_used(hits)
        return hits

    async def mark_used(self, hits: Sequence[Hit]) -> None:
        """Count these memories as used now; where that cannot be written, it is logged and no more."""
        now = self._clock()
        with beside("uses of memories could not be counted"):
            found = await self._places.find(list(dict.fromkeys(hit.memory.id for hit in hits)))
            await self._places.change(found, lambda memory: evolve(memory, used_s=now, uses=memory.uses + 1))

    # ------------------------------------------------------------- consolidating

    async def consolidate(self) -> Moved:
        """Catch up, let extractors and consolidators look at what is new, then move what its tier would rather have elsewhere.

        Nothing is deleted. Reads what is new and what moves, a batch at a time; a crash loses at most the batch that was
        being looked at, which the next call looks at again.
        """
        if not self.tiers:
            return Moved()
        await self.catch_up()
        extracted = await self._extraction.run()
        run, superseded = await self._tidying.run()
        moving = Consolidation(self._places, self._clock())
        await moving.run()
        return Moved(tuple(moving.demoted), tuple(moving.promoted), superseded, run, extracted)

    async def undo(self, run: str | None = None) -> list[str]:
        """Take back what a consolidation superseded, the last one's by default; gives the memories that stand again."""
        await self._ready()
        return await self._tidying.undo(run)

    async def counts(self) -> Mapping[str, int]:
        """How many memories each tier holds; does not read them."""
        await self._places.settle()
        return {place[0]: (await self._places.totals(place))[0] for place in self.tiers}


def _beside(memory: Memory) -> Iterator[str]:
    """The keys by which a memory is known beside its id."""
    yield key_of_same(memory)
    if memory.thread and memory.position is not None:
        yield key_of_place(memory.thread, memory.position)


def _memory(draft: Draft, now: float) -> Memory:
    return Memory(
        f"m-{uuid.uuid4().hex[:12]}", draft.text, draft.kind, draft.tags, draft.importance,
        now if draft.created_s is None else draft.created_s, now, 0, draft.provenance,
        author=draft.author, thread=draft.thread, position=draft.position, expires_s=draft.expires_s,
        slot=draft.slot,
    )  # fmt: skip
