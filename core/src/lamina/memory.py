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
from lamina._places import BATCH, Held, Places, key_of, scan
from lamina.errors import ConflictError
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
        """Write a memory to the first tier."""
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
        await book.refresh()
        name, tier = self.tiers[0]
        key = f"cur/{segment(id)}"
        found = (await tier.storage.get(Get(keys=[key])))[0]
        after, rollbacks = msgspec.msgpack.decode(found.value) if found else (0, 0)
        if rollbacks != book.rollbacks:
            await self._void(id, set(book.engine.pages.ids))
            after = 0
        pages = book.since(after)
        fresh = [(page, at) for page, at in pages if page.role != "system"]
        for start in range(0, len(fresh), BATCH):
            batch = {f"{id}#{p.id}": (self._of_page(id, p, at), p.text) for p, at in fresh[start : start + BATCH]}
            for known, found_at in (await self._places.find(list(batch))).items():
                # The page grew: what is known of its use stays.
                page, text = batch[known]
                memory = found_at.held.memory
                batch[known] = (evolve(page, memory=evolve(memory, revision=memory.revision + 1)), text)
            await self._places.write((name, tier), batch)
        if pages:
            # The newest page may still grow: it is taken in again next time.
            cursor = [pages[-1][0].id - 1, book.rollbacks]
            await tier.storage.commit(Commit(puts={key: msgspec.msgpack.encode(cursor)}))
        return len(fresh)

    def _of_page(self, session: str, page: Page, at: Sequence[tuple[str, int]]) -> Held:
        said = page.messages[0].created_s
        now = self._clock()
        id = f"{session}#{page.id}"
        memory = Memory(id, "", "episodic", (page.role,), 0.5, said or now, now, 0, (id,))
        return Held(memory, session, page.id, tuple(at))

    async def _void(self, session: str, live: set[int]) -> None:
        """Forget the memories of pages that a rollback voided."""
        for place in self.tiers:
            prefix = key_of(place[0], f"{session}#")
            gone = []
            async for key, held in scan(place[1].storage, prefix):
                if key.startswith(prefix) and held.page not in live:
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
        await self.catch_up()
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

    async def mark_used(self, hits: Sequence[Hit]) -> None:
        """Count these memories as used now."""
        now = self._clock()
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
        for at, (name, tier) in enumerate(self.tiers):
            held = {k.memory.id: k async for _, k in scan(tier.storage, f"mem/{name}/r/")}
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
