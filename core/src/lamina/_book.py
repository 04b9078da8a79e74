"""One session's log and what it says, kept in step with each other.

A :class:`Book` is the only writer of its session's log. Records are made, then written, then taken in, by the code that
takes them in when a session is opened. Where another process was first, or it is not known what became of a write, what
the log holds beyond what is known is read and taken in, and no more than that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec
from attrs import asdict, evolve, fields_dict, frozen

from lamina import _snapshot
from lamina._engine import Parts, Proposal
from lamina._fold import Fold
from lamina._indexes import missed
from lamina._log import Kept, SessionLog, segment
from lamina._records import Forked, LogRecord, Recorded, RolledBack, Said
from lamina._snapshot import Snapshots, restore
from lamina.errors import ConflictError, IntegrityError, SessionStateError
from lamina.gate import Gate
from lamina.model import Page
from lamina.protocols import Capability, Commit, Get, Record, Storage

_RETRIES = 16
"""So often a writer that lost to another one reads what is new and retries."""

_FAR = 1 << 32
"""So far apart start the epochs of folds that take each other's place."""

TODO = "todo/"
"""Keys of the notes that tiers have to catch up with a session."""

LISTING = 2
"""Schema of the listing. The first one did not say how far in the log it had been made."""


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
    """When the session last changed; Unix seconds."""
    state: str


Made = tuple[Sequence[LogRecord], Mapping[int, bytes]]
"""Records to append, and source bytes by number."""


@frozen
class Listed:
    """A listing as it is stored."""

    info: SessionInfo
    next: int
    """Sequence number of the first log record that it does not know of; 0 where it does not say."""
    version: int | None
    """Of the stored record; ``None`` where there is none."""

    @classmethod
    def of(cls, record: Record) -> Listed:
        """The listing of this record.

        Raises:
            IntegrityError: Written by a newer release.
        """
        said = msgspec.msgpack.decode(record.value)
        schema = said.pop("schema", 1)
        if schema > LISTING:
            raise IntegrityError(
                f"{record.key}: written by a newer lamina (schema {schema}, this one reads {LISTING}); upgrade"
            )
        known = {name: said[name] for name in fields_dict(SessionInfo)}
        return cls(SessionInfo(**known), said.get("next", 0), record.version)

    def pack(self) -> bytes:
        """The record's bytes."""
        return msgspec.msgpack.encode({**asdict(self.info), "schema": LISTING, "next": self.next})


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


def listing_key(session: str) -> str:
    """Where a session's listing is stored."""
    return f"ses/{segment(session)}"


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
        self.id = id
        self.log = SessionLog(storage, id)
        self.lock = asyncio.Lock()
        """Held while the log and what is known of it change together."""
        self._storage, self._parts, self._owing = storage, parts, owing
        self._format, self._source = format, ""
        self._gate = Gate(parts.count)
        # Where others may take the note away, it is written again with every message.
        self._shared = Capability.SHARED in storage.capabilities
        self._instant = Capability.INSTANT in storage.capabilities
        self._owed = False
        """Whether the note that tiers have to catch up is known to be there."""
        self._torn = False
        """Whether it is not known what became of a write."""
        self._opened_s = parts.clock()
        self._listed: Listed | None = None
        self._snapshots = Snapshots(storage, id)
        self._epoch = 0
        self.fold = self._fresh()

    def _fresh(self) -> Fold:
        self._epoch += _FAR
        read = self.log.now if self._instant else None
        return Fold(self.id, self._parts.count, self._gate, self._format, self._source, self._epoch, read)

    @property
    def info(self) -> SessionInfo:
        """What a listing says of the session."""
        fold = self.fold
        before = self._listed.info if self._listed else None
        # Logs of before records had times do not say it; listings do.
        created_s = min([s for s in (fold.created_s, before.created_s if before else 0.0) if s], default=self._opened_s)
        updated_s = max(fold.updated_s, before.updated_s if before else 0.0) or created_s
        return SessionInfo(
            self.id, fold.format, fold.source, len(fold.pages.all), fold.messages, fold.pages.sums[-1],
            created_s, updated_s, fold.state,
        )  # fmt: skip

    # ------------------------------------------------------------- reading

    async def load(self, listing: Record) -> None:
        """Read the log; called by the context.

        Args:
            listing: The session's, as it is stored.
        """
        self._listed = Listed.of(listing)
        # Logs of before formats were recorded do not say it.
        self._format, self._source = self._listed.info.format, self._listed.info.source
        await self._reload()
        await self._snapshot()

    async def _reload(self) -> None:
        """Read what the log says, from a snapshot and what came since, or from the beginning; call it under the lock."""
        fold = await self._from_snapshot() if self._instant else None
        if fold is None:
            fold = self._fresh()
            fold.take(await self.log.read())
        self.fold = fold
        self._torn = False

    async def _from_snapshot(self) -> Fold | None:
        chain = await self._snapshots.read()
        while chain:
            newest = chain[-1]
            tail = await self.log.tail(newest.next)
            back = [kept.record.to for kept in tail if isinstance(kept.record, RolledBack)]
            valid = [piece for piece in chain if piece.next <= min(back, default=newest.next) + 1]
            if len(valid) == len(chain):
                break
            self._snapshots.drop(chain[len(valid) :])
            chain = valid
        fold = self._fresh()
        if (
            not chain
            or newest.said.get("counter") != fold.counter
            or newest.said.get("check") != self.log.check(newest.next - 1)
        ):
            self._snapshots.drop(chain)
            return None
        try:
            restore(fold, chain)
            fold.restore_layout(self.log.now(fold.layouts))
        except Exception as error:  # noqa: BLE001 - derived: whatever it holds, the log says it all
            missed(f"the snapshot of session {self.id!r} could not be used, its whole log is read", error)
            self._snapshots.drop(chain)
            return None
        fold.take(tail)
        return fold

    async def _snapshot(self) -> None:
        """Write the next piece of the snapshot, where that is due."""
        if self._instant and self.fold.next - self.fold.mark.next >= _snapshot.EVERY and not self._torn:
            await self._snapshots.write(self.fold, self.log.check(self.fold.next - 1))

    async def _follow(self) -> None:
        """Take in what the log holds beyond what is known; call it under the lock."""
        if self._listed is None:
            await self._read_listing()
        await self._take(await self.log.tail(self.fold.next))
        self._torn = False

    async def _take(self, records: Sequence[Kept]) -> None:
        if records and not self.fold.take(records):
            await self._reload()

    async def ready(self) -> None:
        """Find out what became of a write that was interrupted."""
        if self._torn:
            async with self.lock:
                await self._settle()

    async def _settle(self) -> None:
        if self._torn:
            await self._follow()

    # ------------------------------------------------------------- writing

    async def append(self, make: Callable[[], Made]) -> None:
        """Make records, write them, take them in; where another writer was first, take in what it wrote and make anew.

        Args:
            make: Makes the records that come next by :attr:`fold`, and changes nothing.

        Raises:
            ConflictError: Others were first again and again. Nothing was written.
        """
        async with self.lock:
            for left in reversed(range(_RETRIES)):
                await self._settle()
                records, sources = make()
                if not records and self._listed is not None:
                    return
                try:
                    await self._write(self._stamped(records), sources)
                except ConflictError:
                    await self._follow()
                    if not left:
                        raise
                else:
                    return

    async def commit(self, proposal: Proposal) -> bool:
        """Write and take in what an engine proposes; false where the session changed meanwhile, and it is void."""
        async with self.lock:
            for _ in range(_RETRIES):
                await self._settle()
                if self.fold.epoch != proposal.epoch:
                    return False
                try:
                    await self._write(self._stamped([proposal.record]), {})
                except ConflictError:
                    # Messages of others make no plan void: then it is written behind them.
                    await self._follow()
                else:
                    return True
            return False

    async def begin_as(self, parent: Book) -> None:
        """Make this session, which says nothing yet, a fork of another as that stands now.

        Raises:
            SessionStateError: Another process made this one meanwhile.
        """
        async with parent.lock:
            await parent._settle()
            first, said = parent.fold.next, parent.fold
        records: list[LogRecord] = [Forked(parent.id, first - 1), Recorded(said.format, said.source)]
        async with self.lock:
            try:
                await self._write(self._stamped(records, first), {})
            except ConflictError as error:
                raise SessionStateError(f"session {self.id!r} exists already; fork to another name") from error

    def _stamped(self, records: Sequence[LogRecord], first: int | None = None) -> list[Kept]:
        now = self._parts.clock()
        start = self.fold.next if first is None else first
        return [Kept(seq, self.id, record, now) for seq, record in enumerate(records, start=start)]

    async def _write(self, records: Sequence[Kept], sources: Mapping[int, bytes]) -> None:
        listing = None if self._listed else Listed(self.info, 0, None)
        beside = self._owe(records)
        if listing is not None:
            beside[listing_key(self.id)] = listing.pack()
        self._torn = True
        try:
            versions = await self.log.append(records, sources, beside)
        except ConflictError:
            self._torn = False
            raise
        self._owed = self._owed or TODO + segment(self.id) in beside
        if listing is not None:
            self._listed = evolve(listing, version=versions[listing_key(self.id)])
        await self._take(records)
        self._torn = False
        if listing is not None:  # which was made before there was anything to list
            await self._list()
        await self._snapshot()

    def _owe(self, records: Sequence[Kept]) -> dict[str, bytes]:
        """A note that tiers have to catch up with the log, written with what they have to catch up with."""
        if not self._owing or (self._owed and not self._shared):
            return {}
        if not any(isinstance(kept.record, Said | RolledBack | Forked) for kept in records):
            return {}
        return {TODO + segment(self.id): self.id.encode()}

    # ------------------------------------------------------------- what others follow

    async def since(self, seq: int, rollbacks: int, limit: int) -> Growth:
        """What the log says from ``seq`` on, by whatever process, for the tiers; the next message leaves a new note.

        Costs what is new: of the log what was not read yet, and the pages that were said in since.

        Args:
            seq: Sequence number of the first record that is wanted.
            rollbacks: How often the session had been rolled back when that was learned.
            limit: About so many records, unless it was rolled back since.
        """
        async with self.lock:
            if self._torn or self._shared:
                await self._follow()
            self._owed = False
            fold, pages = self.fold, self.fold.pages
            known = rollbacks == fold.rollbacks
            ids, next = fold.said_since(seq, limit) if known else fold.said_since(0)
            found = []
            for id in ids:
                position = pages.position(id)
                if position is not None:
                    found.append((pages.all[position], fold.records_of(position)))
            live = None if known else frozenset(pages.ids)
            return Growth(found, next, fold.rollbacks, live, more=next < fold.next)

    async def flush(self) -> None:
        """Bring the listing up to date; called when the context closes and after imports."""
        async with self.lock:
            if not self._torn:
                await self._list()

    async def _list(self) -> None:
        """Write the listing, unless the one that is there knows as much of the log."""
        key, said = listing_key(self.id), Listed(self.info, self.fold.next, None)
        while self._listed is not None and self._listed.next < said.next:
            try:
                request = Commit(puts={key: said.pack()}, expect={key: self._listed.version})
                versions = await self._storage.commit(request)
            except ConflictError:
                await self._read_listing()
            else:
                self._listed = evolve(said, version=versions[key])

    async def _read_listing(self) -> None:
        (record,) = await self._storage.get(Get(keys=[listing_key(self.id)]))
        self._listed = None if record is None else Listed.of(record)
