"""Memories in tiers: they follow the log, are recalled from wherever they are, and move by each tier's policy.

How far the tiers have followed a session stands in the first tier's storage, under ``cur/SESSION``.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec
from attrs import evolve, frozen

from lamina._book import TODO, Book
from lamina._log import segment
from lamina._pages import NO_RESULT
from lamina._places import BATCH, RETRIES, At, Found, Held, Places, beside, key_of, missed, scan
from lamina.errors import ClosedError, ConflictError, IntegrityError, StorageError
from lamina.model import Hit, Memory, MemoryKind, Page
from lamina.plugins import Catalogue
from lamina.protocols import Commit, Get, Index, IndexHit, Scan, SearchRequest, Storage, Tier, TierReview

_ROUNDS = 3


@frozen
class Moved:
    """What a consolidation did."""

    demoted: tuple[tuple[str, str, str], ...] = ()
    """(memory, from tier, to tier)"""
    promoted: tuple[tuple[str, str, str], ...] = ()


@frozen
class Cursor:
    """How far the tiers have followed a session."""

    next: int = 0
    """Sequence number of the first log record that they do not know."""
    rollbacks: int = 0
    """How often the session had been rolled back by then."""
    highest: int = 0
    """The highest id of a page that was taken in."""

    def pack(self) -> bytes:
        """The cursor's bytes."""
        return msgspec.msgpack.encode([self.next, self.rollbacks, self.highest])

    @classmethod
    def unpack(cls, data: bytes) -> Cursor:
        """The cursor of these bytes."""
        match msgspec.msgpack.decode(data):
            case [after, rollbacks]:
                # Written when pages were followed by their ids, which passed by what joined an old one: the session
                # is looked through once more, and what is known of it already costs no writing.
                return cls(0, rollbacks, after + 1)
            case fields:
                return cls(*fields)


class Memories:
    """All memories of one namespace."""

    def __init__(
        self,
        tiers: Sequence[tuple[str, Tier]],
        log: Storage,
        book: Callable[[str], Awaitable[Book]],
        clock: Callable[[], float],
        catalogue: Catalogue,
    ) -> None:
        self._places = Places(tiers, log, catalogue)
        self.tiers = self._places.tiers
        self._log, self._book, self._clock = log, book, clock

    # ------------------------------------------------------------- writing

    async def remember(
        self, text: str, *, kind: MemoryKind = "semantic", tags: Sequence[str] = (), importance: float = 0.5,
        provenance: Sequence[str] = (),
    ) -> Memory:  # fmt: skip
        """Write a memory to the first tier.

        Once it is written the call succeeds, also where an index is locked: that learns of it with the next call.
        """
        now = self._clock()
        memory = Memory(
            f"m-{uuid.uuid4().hex[:12]}", text, kind, tuple(tags), importance, now, now, 0, tuple(provenance)
        )
        await self._places.recover()
        await self._places.write(self.tiers[0], {memory.id: (Held(memory), text)})
        return memory

    # ------------------------------------------------------------- following the log

    async def catch_up(self) -> int:
        """Take in what sessions said since; gives the number of pages taken in.

        Every page but system messages becomes a memory of the first tier that points at the log.
        """
        if not self.tiers:
            return 0
        await self._places.recover()
        taken = 0
        # Another process may go on talking: what it says meanwhile is for the next time.
        for _ in range(_ROUNDS):
            notes = await self._log.scan(Scan(prefix=TODO, limit=BATCH))
            if not notes:
                break
            for note in notes:
                taken += await self._follow(note.value.decode())
                # The note goes only if nobody renewed it meanwhile: then it is a new debt.
                with suppress(ConflictError):
                    await self._log.commit(Commit(deletes=frozenset({note.key}), expect={note.key: note.version}))
        return taken

    async def _follow(self, id: str) -> int:
        book = await self._book(id)
        storage = self.tiers[0][1].storage
        key = f"cur/{segment(id)}"
        stored = (await storage.get(Get(keys=[key])))[0]
        cursor = Cursor() if stored is None else Cursor.unpack(stored.value)
        growth = await book.since(cursor.next, cursor.rollbacks)
        if growth.live is not None:
            await self._void(id, growth.live, growth.next)
        pages = [(page, at) for page, at in growth.pages if page.role != "system"]
        reached = Cursor(growth.next, growth.rollbacks, max([cursor.highest, *(page.id for page, _ in pages)]))
        taken = 0
        for start in range(0, len(pages), BATCH):
            taken += await self._take_in(id, pages[start : start + BATCH], cursor.highest, reached.next)
        if reached != cursor:
            # Who lost to another process may leave it: that one read what the same note, or a newer one, speaks of.
            with suppress(ConflictError):
                expect = {key: stored.version if stored else None}
                await storage.commit(Commit(puts={key: reached.pack()}, expect=expect))
        return taken

    async def _take_in(self, session: str, pages: Sequence[tuple[Page, At]], highest: int, next: int) -> int:
        """Write what is new of these pages, each with its log records; gives how many are.

        Args:
            session: Whose pages they are.
            pages: At most a batch of them.
            highest: Pages up to this id were taken in before: what is not found of them was deleted since.
            next: Log records from this one on are not in them: who knows of those is ahead of us.
        """
        taken = 0
        for _ in range(RETRIES):
            fresh = await self._fresh(session, pages, highest, next)
            try:
                for place in self.tiers:
                    here = {f.held.memory.id: f for f, _ in fresh if f.place is place}
                    texts = {f.held.memory.id: text for f, text in fresh}
                    if here:
                        expect = {key_of(place[0], id): f.version for id, f in here.items()}
                        await self._places.write(
                            place, {id: (f.held, texts[id]) for id, f in here.items()}, expect=expect
                        )
                        taken += len(here)
            except ConflictError as error:
                conflict = error
            else:
                return taken
        raise conflict

    async def _fresh(
        self, session: str, pages: Sequence[tuple[Page, At]], highest: int, next: int
    ) -> list[tuple[Found, str]]:
        """What tiers do not know yet of these pages: where each is to stand, as what, and its text."""
        ids = [f"{session}#{page.id}" for page, _ in pages]
        found = await self._places.find(ids)
        missing = [id for id, (page, _) in zip(ids, pages, strict=True) if id not in found and page.id <= highest]
        # Again, because one look from the top down may miss what another process moves up.
        found |= await self._places.find(missing)
        fresh: list[tuple[Found, str]] = []
        for id, (page, at) in zip(ids, pages, strict=True):
            known = found.get(id)
            if known is None and page.id > highest:
                fresh.append((Found(self.tiers[0], self._of_page(session, page, at), None), _said(page)))
            elif known is not None and known.held.at != at and known.held.before(next):
                memory = evolve(known.held.memory, revision=known.held.memory.revision + 1)
                fresh.append((evolve(known, held=evolve(known.held, memory=memory, at=at)), _said(page)))
        return fresh

    def _of_page(self, session: str, page: Page, at: At) -> Held:
        said = page.messages[0].created_s
        now = self._clock()
        id = f"{session}#{page.id}"
        memory = Memory(id, "", "episodic", (page.role,), 0.5, said or now, now, 0, (id,))
        return Held(memory, session, page.id, at)

    async def _void(self, session: str, live: frozenset[int], next: int) -> None:
        """Forget the memories of pages that a rollback voided; what was said from ``next`` on is not known here."""
        for place in self.tiers:
            prefix = key_of(place[0], f"{session}#")
            gone = []
            async for _, held in scan(place[1].storage, prefix):
                if held.page not in live and held.before(next):
                    gone.append(held.memory.id)
            if gone:
                await self._places.write(place, {}, gone)

    # ------------------------------------------------------------- recalling

    async def recall(self, query: str, *, limit: int = 10, session: str | None = None, use: bool = True) -> list[Hit]:
        """The memories that fit the query best, from all tiers.

        Args:
            query: Any text.
            limit: At most so many.
            session: Only pages of this session.
            use: Whether all of them count as used; otherwise :meth:`mark_used` says which are.
        """
        if not self.tiers or limit <= 0:
            return []
        await self._catch_up_if_possible()
        scores: dict[str, float] = {}
        indexes: dict[int, Index] = {id(tier.index): tier.index for _, tier in self.tiers}
        for index in indexes.values():
            for hit in await _hits(index, query, limit, session):
                scores[hit.id] = max(hit.score, scores.get(hit.id, hit.score))
        best = sorted(scores, key=lambda id: (-scores[id], id))[:limit]
        found = await self._places.find(best)
        texts = await self._places.texts([f.held for f in found.values()])
        hits = []
        for (found_id, f), text in zip(found.items(), texts, strict=True):
            if text is not None:
                memory, score = evolve(f.held.memory, text=text), scores[found_id]
                hits.append(Hit(memory, score, f.place[0], {"index": score}, f.held.session, f.held.page))
        if use:
            await self.mark_used(hits)
        return hits

    async def _catch_up_if_possible(self) -> None:
        """Catch up, unless another process holds a storage: then what is known already is the answer."""
        try:
            await self.catch_up()
        except (IntegrityError, ClosedError):
            raise
        except StorageError as error:
            missed("what sessions said last is not recalled yet", error)

    async def mark_used(self, hits: Sequence[Hit]) -> None:
        """Count these memories as used now; where that cannot be written, it is logged and no more."""
        now = self._clock()
        with beside("uses of memories could not be counted"):
            found = await self._places.find(list(dict.fromkeys(hit.memory.id for hit in hits)))
            await self._places.change(found, lambda memory: evolve(memory, used_s=now, uses=memory.uses + 1))

    # ------------------------------------------------------------- consolidating

    async def consolidate(self) -> Moved:
        """Catch up, then let every tier say which of its memories should be elsewhere, and move them.

        Tiers are reviewed from the first to the last, so that what the first lets go of can sink to the last in
        one call where no tier wants it. Nothing is deleted.
        """
        await self.catch_up()
        demoted: list[tuple[str, str, str]] = []
        promoted: list[tuple[str, str, str]] = []
        now = self._clock()
        seen: set[str] = set()
        for at, (name, tier) in enumerate(self.tiers):
            held = {h.memory.id: h async for _, h in scan(tier.storage, f"mem/{name}/r/")}
            await self._places.drop_copies([id for id in held if id in seen], self.tiers[at])
            seen |= held.keys()
            # Uses that brought a memory here, or did not keep it elsewhere, must not move it on: tiers would pass it
            # to and fro for ever.
            memories = [evolve(h.memory, text="", uses=h.memory.uses - h.earlier) for h in held.values()]
            earlier = {id: h.earlier for id, h in held.items() if h.earlier}
            verdict = await tier.review(TierReview(memories=memories, now_s=now, earlier_uses=earlier))
            for ids, step, moved in ((verdict.demote, 1, demoted), (verdict.promote, -1, promoted)):
                if 0 <= at + step < len(self.tiers):
                    to = self.tiers[at + step]
                    chosen = await self._places.move([id for id in ids if id in held], self.tiers[at], to)
                    moved += [(id, name, to[0]) for id in chosen]
        return Moved(tuple(demoted), tuple(promoted))

    async def counts(self) -> dict[str, int]:
        """How many memories each tier holds."""
        return await self._places.counts()


def _said(page: Page) -> str:
    """The text of a page that an index is given.

    What stands for a missing result was not said; without it the text of a page only grows.
    """
    missing = [m for m in page.messages if m.role == "tool" and all(r.text == NO_RESULT for r in m.results)]
    return Page(page.id, tuple(m for m in page.messages if m not in missing), ()).text if missing else page.text


async def _hits(index: Index, query: str, limit: int, session: str | None) -> list[IndexHit]:
    """An index's best hits, of one session's pages where one is named."""
    if session is None:
        return list(await index.search(SearchRequest(query=query, limit=limit)))
    asked = limit
    while True:
        found = await index.search(SearchRequest(query=query, limit=asked, prefix=f"{session}#"))
        # Names may hold the mark: what is said in "a#b" begins as what is said in "a".
        own = [hit for hit in found if hit.id.rpartition("#")[0] == session]
        if len(own) >= limit or len(found) < asked:
            return own[:limit]
        asked *= 2
