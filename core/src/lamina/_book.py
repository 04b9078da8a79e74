"""What one session's log says, in memory: pages, layout, checkpoints; kept in step with the log.

A :class:`Book` is the only writer of its session's log. What is appended is applied first and written then, and where
the write fails or its outcome is not known, only the log counts: the book is read again.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Callable, Mapping, Sequence

import msgspec
from attrs import asdict, frozen

from lamina._engine import Engine, Parts
from lamina._log import SessionLog, segment
from lamina._pages import Pages, message_counts
from lamina._records import (
    Admitted,
    Checkpointed,
    Compacted,
    Faulted,
    Forked,
    Lived,
    LogRecord,
    Pinned,
    RolledBack,
    Said,
    Sourced,
)
from lamina.errors import ConflictError
from lamina.model import Message, Page
from lamina.protocols import Capability, Commit, Storage

_RETRIES = 16
"""So often a writer that lost to another one reads again and retries."""

TODO = "todo/"
"""Keys of the notes that tiers have to catch up with a session."""


@frozen
class SessionInfo:
    """What a listing says of a session."""

    id: str
    format: str
    source: str
    pages: int
    messages: int
    tokens: int
    created_s: float
    updated_s: float
    state: str


Made = tuple[Sequence[LogRecord], Mapping[int, bytes]]
"""Records to append, and source bytes by number."""


@frozen
class Growth:
    """What a session's log says from some record on."""

    pages: Sequence[tuple[Page, tuple[tuple[str, int], ...]]]
    """The pages that grew or are new, each with all its log records (owner session, sequence number)."""
    next: int
    """Sequence number of the first record that is not in it."""
    rollbacks: int
    """How often the session had been rolled back."""
    live: frozenset[int] | None
    """The ids of all pages where the session was rolled back since; then all of them are in it."""
    more: bool = False
    """Whether there are records from ``next`` on already."""


class Book:
    """One session's log and what follows from it.

    Args:
        storage: Where the log is kept.
        parts: What windows are built with.
        id: Whose log it is.
        format: The format of a session that came in none.
        owing: Whether tiers follow the log: then a session that grew leaves a note for them.
    """

    def __init__(self, storage: Storage, parts: Parts, id: str, format: str, owing: bool) -> None:
        self.id, self.format, self.source = id, format, ""
        self.state = "open"
        self.lock = asyncio.Lock()
        """Held while the log and the pages change together."""
        self.log = SessionLog(storage, id)
        self._storage, self._parts, self._owing = storage, parts, owing
        # Where others may take the note away, it is written again with every message.
        self._shared = Capability.SHARED in storage.capabilities
        self._owed = False
        """Whether the note that tiers have to catch up is known to be there."""
        self._torn = False
        """Whether a write was interrupted, so that only the log knows what is in it."""
        self._created_s = parts.clock()
        self._listed: bytes | None = None
        self.engine = Engine(id, parts, self._fresh(), {}, self._save, lambda: self.format)

    def _fresh(self) -> Pages:
        self.messages = 0
        self.digests: list[bytes] = []
        """Of the source records, in order."""
        self.checkpoints: dict[str, int] = {}
        self.seqs: dict[int, list[tuple[str, int]]] = {}
        """Page to its records in the log (owner session, sequence number)."""
        self._said_at: list[int] = []
        """Sequence numbers of what was said, ascending; beside each, in the next list, a page that it belongs to."""
        self._said_in: list[int] = []
        self.recorded: set[tuple[str, int]] = set()
        """Source records that are of a recording; others keep what a program added and no storage can hold."""
        self.rollbacks = 0
        """How often the session was rolled back; derived data is checked against it."""
        return Pages(self._parts.count, self._parts.count.info)

    @property
    def info(self) -> SessionInfo:
        """What a listing says of the session."""
        pages = self.engine.pages
        return SessionInfo(
            self.id, self.format, self.source, len(pages.all), self.messages, pages.sums[-1],
            self._created_s, self._parts.clock(), self.state,
        )  # fmt: skip

    async def load(self, info: bytes | None = None) -> None:
        """Read the log; called by the context."""
        if info is not None:
            listed = msgspec.msgpack.decode(info)
            self.format, self.source, self._created_s = listed["format"], listed["source"], listed["created_s"]
            self._listed = info
        await self.reload()

    async def reload(self) -> None:
        """Read the log from the beginning; call it under the lock."""
        records = await self.log.read()
        self.engine.reset(self._fresh(), {})
        self.state = "open"
        for kept in records:
            self._apply(kept.seq, kept.owner, kept.record)
        self.engine.pages.next_id = max(self.engine.pages.next_id, self.log.highest_page + 1)
        self._torn = False

    def _apply(self, seq: int, owner: str, record: LogRecord) -> None:
        engine = self.engine
        match record:
            case Said() as said:
                counts: Sequence[int] = said.counts
                if said.counter != self._parts.count.info.fingerprint:
                    counts = message_counts(said.message, self._parts.count)
                ids, changed = engine.pages.add(said.message, counts, said.pages)
                self._note(seq, owner, said, ids, changed)
            case Sourced(source, digest):
                self.digests.append(digest)
                self.recorded.add((owner, source))
            case Compacted() | Admitted():
                engine.restore(record)
            case Pinned(page, pinned):
                engine.pages.pin(page, pinned)
                engine.stale = True
            case Faulted(page):
                engine.faults[page] = engine.faults.get(page, 0) + 1
            case Checkpointed(name):
                self.checkpoints[name] = seq
            case Lived(state):
                self.state = state
            case RolledBack():
                self.rollbacks += 1  # the log has left out what it voids
            case Forked():
                pass

    def _note(self, seq: int, owner: str, said: Said, ids: Sequence[int], changed: Sequence[int]) -> None:
        engine = self.engine
        self.messages += 1
        if self.state == "open":
            self.state = "active"
        if said.digest:
            self.digests.append(said.digest)
            self.recorded.add((owner, said.source or 0))
        for page in ids:
            self.seqs.setdefault(page, []).append((owner, seq))
            self._said_at.append(seq)
            self._said_in.append(page)
            if said.source is not None:
                sources = engine.pages.sources.setdefault(page, [])
                if (owner, said.source) not in sources[-2:]:
                    sources.append((owner, said.source))
        engine.dirty.update(position for position in changed if position < engine.covered)

    async def ready(self) -> None:
        """Read the log again if a write was interrupted; call it under the lock."""
        if self._torn:
            await self.reload()

    async def append(self, make: Callable[[], Made], *, void_plans: bool = False) -> None:
        """Make records, apply them, write them; where another writer was first, read again and make them anew."""
        async with self.lock:
            for attempt in range(_RETRIES):
                await self.ready()
                self._torn = True  # until the write is known to have happened
                try:
                    records, sources = make()
                    listing = self._listing() if self._listed is None else {}
                    beside = {**listing, **self._owe(records)}
                    first = self.log.next
                    await self.log.append(records, sources, beside)
                except ConflictError:
                    if attempt == _RETRIES - 1:
                        raise
                    continue
                self._torn = False
                self.log.next_source += len(sources)
                for seq, record in enumerate(records, start=first):
                    if not isinstance(record, Said | Sourced):  # these were applied when they were made
                        self._apply(seq, self.id, record)
                if listing:
                    self._listed = next(iter(listing.values()))
                self._owed = self._owed or len(beside) > len(listing)
                if void_plans:
                    self.engine.epoch += 1
                return

    async def _save(self, record: Compacted | Admitted, epoch: int) -> bool:
        async with self.lock:
            if self._torn:
                await self.reload()
            if self.engine.epoch != epoch:
                return False
            try:
                await self.log.append([record])
            except ConflictError:
                await self.reload()
                return False
            except BaseException:
                self._torn = True
                raise
            return True

    def _owe(self, records: Sequence[LogRecord]) -> dict[str, bytes]:
        """A note that tiers have to catch up with the log, written with what they have to catch up with."""
        if not self._owing or (self._owed and not self._shared):
            return {}
        if not any(isinstance(record, Said | RolledBack | Forked) for record in records):
            return {}
        return {f"{TODO}{segment(self.id)}": self.id.encode()}

    async def since(self, seq: int, rollbacks: int, limit: int) -> Growth:
        """What the log says from ``seq`` on, by whatever process, for the tiers; the next message leaves a new note.

        Args:
            seq: Sequence number of the first record that is wanted.
            rollbacks: How often the session had been rolled back when that was learned.
            limit: About so many records, unless it was rolled back since.
        """
        # Under the lock, because what is being written is applied already and may yet fail.
        async with self.lock:
            if self._torn or (self._shared and await self.log.grown()):
                await self.reload()
            self._owed = False
            pages = self.engine.pages
            known = rollbacks == self.rollbacks
            start = bisect.bisect_left(self._said_at, seq) if known else 0
            end = len(self._said_at)
            if known and start + limit < end:
                # What one record said of several pages stays together.
                end = bisect.bisect_right(self._said_at, self._said_at[start + limit - 1])
            found = []
            for id in sorted(set(self._said_in[start:end])):
                position = pages.position(id)
                if position is not None:
                    found.append((pages.all[position], tuple(self.seqs[id])))
            more = end < len(self._said_at)
            next = self._said_at[end] if more else self.log.next
            return Growth(found, next, self.rollbacks, None if known else frozenset(pages.ids), more)

    def _listing(self) -> dict[str, bytes]:
        return {f"ses/{segment(self.id)}": msgspec.msgpack.encode(asdict(self.info))}

    async def flush(self) -> None:
        """Bring the listing up to date; called when the context closes and after imports."""
        if self._listed is not None and not self._torn:
            listing = self._listing()
            await self._storage.commit(Commit(puts=listing))
            self._listed = next(iter(listing.values()))

    def said(self, seq: int, message: Message, source: int | None = None, digest: bytes = b"") -> Said:
        """Take a message in, which was :func:`lamina._checking.checked`, as the record that is to be written at ``seq``.

        Raises:
            FormatError: A tool result answers no call.
        """
        engine, count = self.engine, self._parts.count
        counts = message_counts(message, count)
        ids, changed = engine.pages.add(message, counts)
        said = Said(message, tuple(ids), counts, count.info.fingerprint, source, digest)
        self._note(seq, self.id, said, ids, changed)
        return said
