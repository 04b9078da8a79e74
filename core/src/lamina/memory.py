"""Memories in tiers: they follow the log, are recalled from wherever they are, and move by each tier's policy."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import evolve, field, frozen

from lamina._book import Book
from lamina._consolidating import Consolidation
from lamina._following import Follower
from lamina._held import BATCH, Held
from lamina._indexes import beside, missed
from lamina._places import Change, Places
from lamina._recalling import Recall
from lamina.errors import ClosedError, IntegrityError, StorageError
from lamina.model import Hit, Memory, MemoryKind
from lamina.plugins import Catalogue
from lamina.protocols import Document, Filter, Index, Ranker, Storage, Tier

Count = Callable[[Sequence[str]], Sequence[int]]


@frozen
class Moved:
    """What a consolidation did."""

    demoted: tuple[tuple[str, str, str], ...] = ()
    """(memory, from tier, to tier)"""
    promoted: tuple[tuple[str, str, str], ...] = ()


@frozen
class Draft:
    """A memory that is to be written."""

    text: str
    kind: MemoryKind = "semantic"
    tags: tuple[str, ...] = field(default=(), converter=tuple)
    importance: float = 0.5
    provenance: tuple[str, ...] = field(default=(), converter=tuple)
    author: str = ""
    thread: str = ""
    position: int | None = None
    created_s: float | None = None
    """When it was said, Unix seconds; now where not given."""
    expires_s: float | None = None
    slot: str = ""


@frozen
class MemoryParts:
    """The configured parts that memory works with."""

    tiers: Sequence[tuple[str, Tier]] = ()
    indexes: Sequence[tuple[str, Index]] = ()
    ranker: Ranker | None = None
    follow_pages: int = 500
    """Pages that are taken in at most within one recall."""


class Memories:
    """All memories of one namespace.

    Args:
        parts: What it works with.
        log: The storage of the sessions' logs.
        book: Gives a session's book by its id.
        clock: Unix time in seconds.
        count: Counts tokens of texts.
        catalogue: Has the observers.
    """

    def __init__(
        self,
        parts: MemoryParts,
        log: Storage,
        book: Callable[[str], Awaitable[Book]],
        clock: Callable[[], float],
        count: Count,
        catalogue: Catalogue,
    ) -> None:
        self._places = Places(parts.tiers, parts.indexes, log, catalogue, clock)
        self._follower = Follower(self._places, log, book, clock)
        self._recall = Recall(self._places, parts.ranker, clock)
        self.tiers = self._places.tiers
        self._clock, self._count, self._pages = clock, count, parts.follow_pages
        self._background: asyncio.Task[None] | None = None
        """Takes in what a recall left."""

    # ------------------------------------------------------------- writing

    async def remember(self, drafts: Sequence[Draft]) -> list[Memory]:
        """Write memories to the first tier, in batches, each whole.

        Once they are written the call succeeds, also where an index is locked: that learns of them with the next call.
        """
        await self._ready()
        place, now = self.tiers[0], self._clock()
        out: list[Memory] = []
        for start in range(0, len(drafts), BATCH):
            some = drafts[start : start + BATCH]
            change = Change()
            for draft, tokens in zip(some, self._count([draft.text for draft in some]), strict=True):
                memory = Memory(
                    f"m-{uuid.uuid4().hex[:12]}", draft.text, draft.kind, draft.tags, draft.importance,
                    now if draft.created_s is None else draft.created_s, now, 0, draft.provenance,
                    author=draft.author, thread=draft.thread, position=draft.position, expires_s=draft.expires_s,
                    slot=draft.slot,
                )  # fmt: skip
                self._places.put(change, place, Held(memory, tokens=tokens), None, now)
                change.find[memory.id] = Document.of(memory, memory.text)
                change.told.append((place[0], memory))
                out.append(memory)
            await self._places.commit(place[1].storage, change, place[0])
        return out

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
        """Catch up, then move every memory that its tier would rather have elsewhere; nothing is deleted.

        Reads what moves and nothing else, a batch at a time.
        """
        if not self.tiers:
            return Moved()
        await self.catch_up()
        run = Consolidation(self._places, self._clock())
        await run.run()
        return Moved(tuple(run.demoted), tuple(run.promoted))

    async def counts(self) -> Mapping[str, int]:
        """How many memories each tier holds; does not read them."""
        await self._places.settle()
        return {place[0]: (await self._places.totals(place))[0] for place in self.tiers}
