"""Memories in tiers: they follow the log, are recalled from wherever they are, and move by each tier's policy.

Keys in a tier's storage: ``mem/TIER/r/ID`` for records, ``mem/TIER/d/BATCH`` for what its index still has to learn
(written with the records, removed once the index has it), ``mem/TIER/g`` for the index's generation, and in the
first tier ``cur/SESSION`` for how far it has followed a session. A page's memory points at the log; its text is
read from there, so the originals are stored once.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from attrs import asdict, evolve, frozen

from lamina._book import TODO, Book
from lamina._log import segment
from lamina._records import Said, decode
from lamina.errors import ConflictError
from lamina.model import Hit, Memory, MemoryKind, Page
from lamina.plugins import Catalogue
from lamina.protocols import Commit, Get, Index, IndexHit, IndexUpdate, Scan, SearchRequest, Storage, Tier, TierReview

_BATCH = 500
_ROUNDS = 3


@frozen
class Moved:
    """What a consolidation did."""

    demoted: tuple[tuple[str, str, str], ...] = ()
    """(memory, from tier, to tier)"""
    promoted: tuple[tuple[str, str, str], ...] = ()


@frozen
class _Kept:
    """A memory as a tier keeps it."""

    memory: Memory
    session: str | None = None
    page: int | None = None
    at: tuple[tuple[str, int], ...] = ()
    """The log records (owner session, sequence number) that hold a page's text."""

    def pack(self) -> bytes:
        return msgspec.msgpack.encode([1, asdict(self.memory), self.session, self.page, self.at])

    @classmethod
    def unpack(cls, data: bytes) -> _Kept:
        _, memory, session, page, at = msgspec.msgpack.decode(data)
        memory["tags"], memory["provenance"] = tuple(memory["tags"]), tuple(memory["provenance"])
        return cls(Memory(**memory), session, page, tuple((owner, seq) for owner, seq in at))


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
        self.tiers = sorted(tiers, key=lambda t: (t[1].rank, t[0]))
        self._log, self._book, self._clock, self._catalogue = log, book, clock, catalogue
        self._recovered = False

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
        await self._recover()
        await self._write(self.tiers[0], {memory.id: (_Kept(memory), text)})
        return memory

    async def _write(
        self, place: tuple[str, Tier], kept: Mapping[str, tuple[_Kept, str]], drop: Iterable[str] = ()
    ) -> None:
        """Put memories (with their texts) into a tier and its index, and drop others; crash-safe by a note."""
        name, tier = place
        note = f"mem/{name}/d/{uuid.uuid4().hex}"
        dropped = frozenset(drop)
        puts = {_key(name, id): k.pack() for id, (k, _) in kept.items()}
        puts[note] = msgspec.msgpack.encode([*kept, *dropped])
        await tier.storage.commit(Commit(puts=puts, deletes=frozenset(_key(name, id) for id in dropped)))
        await tier.index.update(IndexUpdate(add={id: text for id, (_, text) in kept.items()}, remove=dropped))
        await tier.storage.commit(Commit(deletes=frozenset({note})))
        if self._catalogue.observed("memory_written"):
            for k, _ in kept.values():
                self._catalogue.notify("memory_written", memory=k.memory, tier=name)

    # ------------------------------------------------------------- following the log

    async def catch_up(self) -> int:
        """Take in what sessions said since; gives the number of pages taken in.

        Every page but system messages becomes a memory of the first tier that points at the log.
        """
        if not self.tiers:
            return 0
        await self._recover()
        taken = 0
        # Another process may go on talking: what it says meanwhile is for the next time.
        for _ in range(_ROUNDS):
            notes = await self._log.scan(Scan(prefix=TODO, limit=_BATCH))
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
        for start in range(0, len(fresh), _BATCH):
            batch = {f"{id}#{p.id}": (self._of_page(id, p, at), p.text) for p, at in fresh[start : start + _BATCH]}
            await self._write((name, tier), batch)
        if pages:
            # The newest page may still grow: it is taken in again next time.
            cursor = [pages[-1][0].id - 1, book.rollbacks]
            await tier.storage.commit(Commit(puts={key: msgspec.msgpack.encode(cursor)}))
        return len(fresh)

    def _of_page(self, session: str, page: Page, at: Sequence[tuple[str, int]]) -> _Kept:
        said = page.messages[0].created_s
        now = self._clock()
        id = f"{session}#{page.id}"
        memory = Memory(id, "", "episodic", (page.role,), 0.5, said or now, now, 0, (id,))
        return _Kept(memory, session, page.id, tuple(at))

    async def _void(self, session: str, live: set[int]) -> None:
        """Forget the memories of pages that a rollback voided."""
        for place in self.tiers:
            prefix = _key(place[0], f"{session}#")
            gone = []
            async for key, kept in _scan(place[1].storage, prefix):
                if key.startswith(prefix) and kept.page not in live:
                    gone.append(kept.memory.id)
            if gone:
                await self._write(place, {}, gone)

    async def _recover(self) -> None:
        """Once: fill indexes that are new, and tell them what a crash kept from them."""
        if self._recovered:
            return
        for name, tier in self.tiers:
            key = f"mem/{name}/g"
            found = (await tier.storage.get(Get(keys=[key])))[0]
            owed: list[str] = []
            notes = [record async for record in _records(tier.storage, f"mem/{name}/d/")]
            if found is None or found.value.decode() != tier.index.generation:
                owed = [kept.memory.id async for _, kept in _scan(tier.storage, f"mem/{name}/r/")]
            for note in notes:
                owed += msgspec.msgpack.decode(note.value)
            await self._reindex(name, tier, owed)
            await tier.storage.commit(
                Commit(puts={key: tier.index.generation.encode()}, deletes=frozenset(n.key for n in notes))
            )
        self._recovered = True

    async def _reindex(self, name: str, tier: Tier, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            found = await tier.storage.get(Get(keys=[_key(name, id) for id in batch]))
            kept = [_Kept.unpack(record.value) for record in found if record is not None]
            texts = await self._texts(kept)
            add = {k.memory.id: text for k, text in zip(kept, texts, strict=True) if text is not None}
            await tier.index.update(IndexUpdate(add=add, remove=frozenset(batch) - frozenset(add)))

    # ------------------------------------------------------------- recalling

    async def recall(self, query: str, *, limit: int = 10, session: str | None = None) -> list[Hit]:
        """The memories that fit the query best, from all tiers; recalling them counts as using them."""
        if not self.tiers or limit <= 0:
            return []
        await self.catch_up()
        scores: dict[str, float] = {}
        indexes: dict[int, Index] = {id(tier.index): tier.index for _, tier in self.tiers}
        for index in indexes.values():
            for hit in await _hits(index, query, limit, session):
                scores[hit.id] = max(hit.score, scores.get(hit.id, hit.score))
        best = sorted(scores, key=lambda id: (-scores[id], id))[:limit]
        found = await self._find(best)
        texts = await self._texts([kept for _, kept in found.values()])
        hits = []
        for (found_id, (name, kept)), text in zip(found.items(), texts, strict=True):
            if text is not None:
                memory = evolve(kept.memory, text=text)
                hits.append(Hit(memory, scores[found_id], name, {"index": scores[found_id]}, kept.session, kept.page))
        await self._touch(found)
        return hits

    async def _find(self, ids: Sequence[str]) -> dict[str, tuple[str, _Kept]]:
        """Each id's tier and record, in the order given; the first tier that holds it counts."""
        found: dict[str, tuple[str, _Kept]] = {}
        for name, tier in self.tiers:
            missing = [id for id in ids if id not in found]
            if missing:
                records = await tier.storage.get(Get(keys=[_key(name, id) for id in missing]))
                for id, record in zip(missing, records, strict=True):
                    if record is not None:
                        found[id] = (name, _Kept.unpack(record.value))
        return {id: found[id] for id in ids if id in found}

    async def _touch(self, found: Mapping[str, tuple[str, _Kept]]) -> None:
        now = self._clock()
        for name, tier in self.tiers:
            puts = {}
            for id, (where, kept) in found.items():
                if where == name:
                    used = evolve(kept.memory, used_s=now, uses=kept.memory.uses + 1)
                    puts[_key(name, id)] = evolve(kept, memory=used).pack()
            if puts:
                await tier.storage.commit(Commit(puts=puts))

    async def _texts(self, kept: Sequence[_Kept]) -> list[str | None]:
        """Each memory's text; a page's is read from the log, and ``None`` if it is not there any more."""
        wanted = [f"log/{segment(owner)}/{seq:012d}" for k in kept for owner, seq in k.at]
        records = await self._log.get(Get(keys=wanted)) if wanted else ()
        found = {key: record for key, record in zip(wanted, records, strict=True) if record is not None}
        out: list[str | None] = []
        for k in kept:
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
            kept = {k.memory.id: k async for _, k in _scan(tier.storage, f"mem/{name}/r/")}
            memories = [evolve(k.memory, text="") for k in kept.values()]
            verdict = await tier.review(TierReview(memories=memories, now_s=now))
            for ids, step, moved in ((verdict.demote, 1, demoted), (verdict.promote, -1, promoted)):
                if 0 <= at + step < len(self.tiers):
                    chosen = {id: kept[id] for id in ids if id in kept}
                    to = self.tiers[at + step]
                    await self._move(chosen, (name, tier), to)
                    moved += [(id, name, to[0]) for id in chosen]
        return Moved(tuple(demoted), tuple(promoted))

    async def _move(self, chosen: Mapping[str, _Kept], source: tuple[str, Tier], to: tuple[str, Tier]) -> None:
        ids = list(chosen)
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            await self._move_batch({id: chosen[id] for id in batch}, source, to)

    async def _move_batch(self, chosen: Mapping[str, _Kept], source: tuple[str, Tier], to: tuple[str, Tier]) -> None:
        (old, source_tier), (new, to_tier) = source, to
        deletes = frozenset(_key(old, id) for id in chosen)
        if source_tier.index is to_tier.index and source_tier.storage is to_tier.storage:
            puts = {_key(new, id): kept.pack() for id, kept in chosen.items()}
            await to_tier.storage.commit(Commit(puts=puts, deletes=deletes))
            if self._catalogue.observed("memory_written"):
                for kept in chosen.values():
                    self._catalogue.notify("memory_written", memory=kept.memory, tier=new)
            return
        texts = await self._texts(list(chosen.values()))
        pairs = zip(chosen.items(), texts, strict=True)
        # First there, then gone here: a crash in between leaves it twice, and the first tier that holds it counts.
        await self._write(to, {id: (kept, text or "") for (id, kept), text in pairs})
        if source_tier.index is to_tier.index:
            await source_tier.storage.commit(Commit(deletes=deletes))
        else:
            await self._write(source, {}, chosen)

    async def counts(self) -> dict[str, int]:
        """How many memories each tier holds."""
        return {name: len([k async for k in _records(tier.storage, f"mem/{name}/r/")]) for name, tier in self.tiers}


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


def _key(tier: str, id: str) -> str:
    session, mark, page = id.rpartition("#")
    # Quoted as in the log, so that a session's memories lie together whatever its name.
    return f"mem/{tier}/r/{segment(session)}{mark}{segment(page)}"


async def _records(storage: Storage, prefix: str) -> Any:
    after = None
    while True:
        batch = await storage.scan(Scan(prefix=prefix, after=after, limit=_BATCH))
        for record in batch:
            yield record
        if len(batch) < _BATCH:
            return
        after = batch[-1].key


async def _scan(storage: Storage, prefix: str) -> Any:
    async for record in _records(storage, prefix):
        yield record.key, _Kept.unpack(record.value)
