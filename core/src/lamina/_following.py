"""The cursor by which tiers follow the log: a bounded piece at a time, from wherever the last one ended.

How far they have followed a session stands in the first tier's storage, under ``cur/SESSION``; that a session grew says a
note in the log's storage, which is written with what it said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec
from attrs import evolve, frozen

from lamina._book import TODO, Book
from lamina._extracting import TALK
from lamina._held import BATCH, At, Found, Held, key_of, records
from lamina._log import segment
from lamina._pages import NO_RESULT
from lamina._places import RETRIES, Change, Places
from lamina.errors import ConflictError
from lamina.model import Memory, Page
from lamina.protocols import Commit, Get, Record, Scan, Storage


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


class Follower:
    """Takes what sessions say into the first tier.

    Args:
        places: The tiers.
        log: The storage of the sessions' logs.
        book: Gives a session's book by its id.
        clock: Unix time in seconds.
        extracted: Whether extractors are to look at what sessions said.
    """

    def __init__(
        self,
        places: Places,
        log: Storage,
        book: Callable[[str], Awaitable[Book]],
        clock: Callable[[], float],
        extracted: bool,
    ) -> None:
        self._places, self._log, self._book, self._clock, self._extracted = places, log, book, clock, extracted
        self._turn = asyncio.Lock()

    async def follow(self, pages: int) -> bool:
        """Take in about so many pages that were said; whether that were all.

        Every page but system messages becomes a memory of the first tier that points at the log.
        """
        async with self._turn:
            room = pages
            after: str | None = None
            while True:
                notes = await self._log.scan(Scan(prefix=TODO, after=after, limit=BATCH))
                for note in notes:
                    looked, done = await self._session(note.value.decode(), room)
                    room -= max(looked, 1)
                    if done:
                        await self._settled(note)
                    if room <= 0:
                        return done and note is notes[-1] and len(notes) < BATCH
                # What is said meanwhile leaves new notes, before and behind: they are for the next time.
                if len(notes) < BATCH:
                    return True
                after = notes[-1].key

    async def _settled(self, note: Record) -> None:
        # The note goes only if nobody renewed it meanwhile: then it is a new debt.
        with suppress(ConflictError):
            await self._log.commit(Commit(deletes=frozenset({note.key}), expect={note.key: note.version}))

    async def _session(self, id: str, room: int) -> tuple[int, bool]:
        """How many pages of a session were looked at, and whether there is no more to see."""
        book = await self._book(id)
        storage = self._places.tiers[0][1].storage
        key = f"cur/{segment(id)}"
        (stored,) = await storage.get(Get(keys=[key]))
        cursor = Cursor() if stored is None else Cursor.unpack(stored.value)
        growth = await book.since(cursor.next, cursor.rollbacks, room)
        if growth.live is not None:
            await self._void(id, growth.live, growth.next)
        pages = [(page, at) for page, at in growth.pages if page.role != "system"]
        reached = Cursor(growth.next, growth.rollbacks, max([cursor.highest, *(page.id for page, _ in pages)]))
        for start in range(0, len(pages), BATCH):
            await self._take_in(id, pages[start : start + BATCH], cursor.highest, reached.next)
        if reached != cursor:
            # Who lost to another process may leave it: that one read what the same note, or a newer one, speaks of.
            with suppress(ConflictError):
                expect = {key: stored.version if stored else None}
                puts = {key: reached.pack(), **({f"{TALK}{segment(id)}": id.encode()} if self._extracted else {})}
                await storage.commit(Commit(puts=puts, expect=expect))
        return len(growth.pages), not growth.more

    async def _take_in(self, session: str, pages: Sequence[tuple[Page, At]], highest: int, next: int) -> None:
        """Write what is new of these pages, each with its log records.

        Args:
            session: Whose pages they are.
            pages: At most a batch of them.
            highest: Pages up to this id were taken in before: what is not found of them was deleted since.
            next: Log records from this one on are not in them: who knows of those is ahead of us.
        """
        for _ in range(RETRIES):
            fresh = await self._fresh(session, pages, highest, next)
            try:
                for place in self._places.tiers:
                    change = Change()
                    for new, known, text in fresh:
                        if new.place == place:
                            held = self._places.put(change, place, new.held, known)
                            self._places.tell(change, held, text)
                            change.told.append((place[0], held.memory))
                    if change.puts:
                        await self._places.commit(place[1].storage, change, place[0])
            except ConflictError as error:
                conflict = error
            else:
                return
        raise conflict

    async def _fresh(
        self, session: str, pages: Sequence[tuple[Page, At]], highest: int, next: int
    ) -> list[tuple[Found, Found | None, str]]:
        """What tiers do not know yet of these pages: where each is to stand, as what; what stood there; its text."""
        ids = [f"{session}#{page.id}" for page, _ in pages]
        found = await self._places.find(ids)
        missing = [id for id, (page, _) in zip(ids, pages, strict=True) if id not in found and page.id <= highest]
        # Again, because one look from the top down may miss what another process moves up.
        found |= await self._places.find(missing)
        fresh: list[tuple[Found, Found | None, str]] = []
        for id, (page, at) in zip(ids, pages, strict=True):
            known = found.get(id)
            if known is None and page.id > highest:
                fresh.append((Found(self._places.tiers[0], self._of_page(session, page, at), None), None, _said(page)))
            elif known is not None and known.held.at != at and known.held.before(next):
                memory = evolve(known.held.memory, revision=known.held.memory.revision + 1)
                held = evolve(known.held, memory=memory, at=at, tokens=page.tokens)
                fresh.append((evolve(known, held=held), known, _said(page)))
        return fresh

    def _of_page(self, session: str, page: Page, at: At) -> Held:
        said, now = page.messages[0].created_s, self._clock()
        id = f"{session}#{page.id}"
        memory = Memory(
            id, "", "episodic", (page.role,), 0.5, said or now, now, 0, (id,),
            author=page.role, thread=session, position=page.id,
        )  # fmt: skip
        return Held(memory, session, page.id, at, 0, page.tokens)

    async def _void(self, session: str, live: frozenset[int], next: int) -> None:
        """Forget the memories of pages that a rollback voided; what was said from ``next`` on is not known here."""
        for place in self._places.tiers:
            async for batch in records(place[1].storage, key_of(place[0], f"{session}#")):
                change = Change()
                for record in batch:
                    held = Held.unpack(record.value)
                    if held.page not in live and held.before(next):
                        self._places.drop(change, Found(place, held, record.version))
                        change.forget.add(held.memory.id)
                if change.deletes:
                    await self._places.commit(place[1].storage, change, place[0])


def _said(page: Page) -> str:
    """The text of a page that an index is given.

    What stands for a missing result was not said; without it the text of a page only grows.
    """
    missing = [m for m in page.messages if m.role == "tool" and all(r.text == NO_RESULT for r in m.results)]
    return Page(page.id, tuple(m for m in page.messages if m not in missing), ()).text if missing else page.text
