"""What a session's log says: the fold of its records, in their order, and nothing else.

The same code takes in what is written here, what another process wrote, and what is read when a session is opened; so
whoever has the same records has the same pages, pins, faults, checkpoints and layout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from attrs import evolve, frozen

from lamina._counting import CheckedCounter
from lamina._layout import Layout
from lamina._log import Kept, voided
from lamina._pages import Ahead, Pages, message_counts
from lamina._records import (
    Admitted,
    Checkpointed,
    Compacted,
    Faulted,
    Forked,
    Lived,
    LogRecord,
    Pinned,
    Recorded,
    RolledBack,
    Said,
    Sourced,
)
from lamina._trail import At, Trail
from lamina.errors import IntegrityError
from lamina.gate import Gate
from lamina.model import Message, Page

Read = Callable[[Sequence[At]], Sequence[LogRecord]]
"""Gives records of a log at once."""


@frozen
class Mark:
    """How far a snapshot goes: the sequence number of the next record, and lengths."""

    next: int = 0
    pages: int = 0
    said: int = 0
    asked: int = 0
    digests: int = 0


class Fold:
    """What the log says so far.

    Args:
        session: Whose log it is.
        count: Counts tokens.
        gate: Makes the layout's slots.
        format: Of a session of which the log names none.
        source: As the format: the recording that it came from.
        epoch: Where :attr:`epoch` starts: beyond that of the fold that this one takes the place of.
        read: Reads records from the log at once, so that not all pages need to be held; ``None`` where it cannot.
    """

    def __init__(
        self,
        session: str,
        count: CheckedCounter,
        gate: Gate,
        format: str,
        source: str,
        epoch: int,
        read: Read | None = None,
    ) -> None:
        self.pages = Pages(count, self._load if read is not None else None)
        self.trail = Trail()
        self.layout = Layout(self.pages, gate)
        self.epoch = epoch
        """Grows when plans that are being made become void: by another plan, a pin, a rollback."""
        self.next = 0
        """Sequence number of the next record."""
        self.next_source = 0
        """Number of the next source record."""
        self.rollbacks = 0
        """How often the session was rolled back; derived data is checked against it."""
        self.messages = 0
        self.state = "open"
        self.format, self.source = format, source
        self.created_s = self.updated_s = 0.0
        """When the first and the last record were made; 0 where they do not say."""
        self.digests = bytearray()
        """Of the source records, in order, :data:`DIGEST` bytes each."""
        self.checkpoints: dict[str, int] = {}
        self._session, self._count, self._read = session, count, read
        self.recorded: At | None = None
        """The newest source record that is of a recording; others keep what a program added and no storage can hold."""
        self.layouts: list[At] = []
        """The record of the last compaction, and those of pages that entered in a shorter form since."""
        self.pinned_since = False
        """Whether a page was pinned or unpinned since the last compaction."""
        self.mark = Mark()
        self.touched: set[int] = set()
        """Positions of pages that were there at the mark and changed since."""
        self._faults: dict[int, int] = {}

    @property
    def faults(self) -> Mapping[int, int]:
        """How often each page was needed while it was not resident."""
        return MappingProxyType(self._faults)

    # ------------------------------------------------------------- taking records in

    def take(self, records: Sequence[Kept]) -> bool:
        """Take in what comes next in the log; false, with nothing changed, where it makes void what was taken in.

        Args:
            records: From the one numbered :attr:`next` on, or a fork's parent's before its own.
        """
        gone = voided(records)
        known = bool(self.next)
        for kept in records:
            match kept.record:
                case RolledBack(to) if known and to < records[0].seq - 1:
                    return False
                case Forked() if kept is records[0]:
                    return False  # its parent's records come first
                case _:
                    pass
        layouts = [k.seq for k in records if isinstance(k.record, Compacted) and k.seq not in gone]
        for kept in records:
            # Of layouts the last one says all: those before it need not be laid out.
            passed = bool(layouts) and kept.seq < layouts[-1] and isinstance(kept.record, Compacted | Admitted)
            if kept.seq not in gone and not passed:
                self._apply(kept)
            self._reach(kept)
        return True

    def _reach(self, kept: Kept) -> None:
        """Move on to behind the record, whether it counts or not: numbers are never given again."""
        self.next = kept.seq + 1
        match kept.record:
            case Said(pages=pages):
                self.pages.next_id = max(self.pages.next_id, 1 + max(pages, default=0))
            case RolledBack():
                self.rollbacks += 1
            case _:
                pass
        if kept.owner != self._session:
            return
        self.created_s = self.created_s or kept.when_s
        self.updated_s = max(self.updated_s, kept.when_s)
        if isinstance(kept.record, Said | Sourced) and kept.record.source is not None:
            self.next_source = max(self.next_source, kept.record.source + 1)

    def _apply(self, kept: Kept) -> None:
        record = kept.record
        match record:
            case Said():
                self._hear(kept.seq, kept.owner, record)
                return
            case Sourced(digest=digest):
                self.digests += digest
                return
            case Faulted(page):
                self._faults[page] = self._faults.get(page, 0) + 1
                return
            case Checkpointed(name):
                self.checkpoints[name] = kept.seq
                return
            case Lived(state):
                self.state = state
                return
            case Recorded(format, source):
                self.format, self.source = format, source
            case Compacted() | Admitted():
                self.layout.restore(record)
                compacted = isinstance(record, Compacted)
                self.layouts = [*([] if compacted else self.layouts), (kept.owner, kept.seq)]
                self.pinned_since = self.pinned_since and not compacted
            case Pinned(page, pinned):
                self.pages.pin(page, pinned)
                self.layout.stale = self.pinned_since = True
            case RolledBack() | Forked():
                pass
        self.epoch += 1

    def _hear(self, seq: int, owner: str, said: Said) -> None:
        positions = self.pages.add(said.message, self._counts(said), said.pages)
        self.layout.changed(positions)
        self.touched.update([at for at in positions if at < self.mark.pages])
        self.messages += 1
        if self.state == "open":
            self.state = "active"
        if said.digest:
            self.digests += said.digest
            self.recorded = owner, said.source or 0
        recorded = said.source is not None and self.recorded == (owner, said.source)
        for page in said.pages:
            position = self.pages.position(page)
            assert position is not None
            self.trail.add((owner, seq), page, position, said.source, recorded)

    # ------------------------------------------------------------- snapshots

    @property
    def counter(self) -> str:
        """The counter that its tokens are of."""
        return self._count.info.fingerprint

    def count_faults(self, faults: dict[int, int]) -> None:
        """Take over the faults that a snapshot says."""
        self._faults = faults

    def restore_layout(self, records: Sequence[LogRecord]) -> None:
        """Take over the layout of the records that :attr:`layouts` names, where a snapshot said the rest."""
        for record in records:
            if isinstance(record, Compacted | Admitted):
                self.layout.restore(record)
        self.layout.stale = self.pinned_since

    def marked(self) -> None:
        """A snapshot says all that is here: what changes from now on is for the next one."""
        n = len(self.pages.ids)
        self.mark = Mark(self.next, n, len(self.trail.seqs), len(self.pages.asked), len(self.digests))
        self.touched = set()
        self.pages.calls.settled()

    # ------------------------------------------------------------- what it says

    def ahead(self) -> Coming:
        """Makes the records of what is about to be said."""
        return Coming(self.pages, self._count, self.next_source)

    def records_of(self, position: int) -> tuple[At, ...]:
        """The log records (owner session, sequence number) that say the page at this position."""
        return tuple(map(self.trail.at, self.trail.of(position)))

    def sources_of(self, position: int) -> dict[At, bool]:
        """The source records of the page at this position, and whether each is of a recording.

        Others keep what a program added and no storage can hold.
        """
        found = map(self.trail.source, self.trail.of(position))
        return dict([source for source in found if source is not None])

    def has_sources(self, position: int) -> bool:
        """Whether all that the page at this position says came from source records."""
        return all(self.trail.source(entry) is not None for entry in self.trail.of(position))

    def said_since(self, seq: int, limit: int | None = None) -> tuple[list[int], int]:
        """The ids of the pages that something was said in, ascending, and from where on there is more.

        Args:
            seq: From this sequence number on.
            limit: About so many records.
        """
        pages, next = self.trail.since(seq, limit)
        return sorted(set(pages)), self.next if next is None else next

    def opened_at(self, position: int) -> int | None:
        """Sequence number of the first record of the page at this position; ``None`` behind the last page."""
        return self.trail.at(self.trail.of(position)[0])[1] if position < len(self.pages.ids) else None

    def _load(self, position: int) -> Page:
        """The page at this position, read from the log."""
        assert self._read is not None
        id = self.pages.ids[position]
        said: list[tuple[Message, Sequence[int]]] = []
        for record in self._read(list(dict.fromkeys(self.records_of(position)))):
            if not isinstance(record, Said):
                raise IntegrityError(f"session {self._session!r}: a record of page {id} is no message; restore the store from a copy")  # fmt: skip
            message, counts = record.message, self._counts(record)
            if message.role == "tool":
                own = [at for at, page in enumerate(record.pages) if page == id]
                message = evolve(message, parts=tuple([message.parts[at] for at in own]))
                counts = [counts[at] for at in own]
            said.append((message, counts))
        return self.pages.built(position, said)

    def _counts(self, said: Said) -> Sequence[int]:
        same = said.counter == self._count.info.fingerprint
        return said.counts if same else message_counts(said.message, self._count)


class Coming:
    """The records of a batch of messages that is about to be written; making them changes nothing."""

    def __init__(self, pages: Pages, count: CheckedCounter, next_source: int) -> None:
        self.records: list[LogRecord] = []
        self.sources: dict[int, bytes] = {}
        """Source bytes by number."""
        self._ahead, self._count, self._next_source = Ahead(pages), count, next_source

    def keep(self, raw: bytes) -> int:
        """Keep a source record; gives its number."""
        number = self._next_source + len(self.sources)
        self.sources[number] = raw
        return number

    def waiting(self) -> list[tuple[str, str]]:
        """Id and tool of the calls that wait for a result, those of this batch among them, oldest first."""
        return self._ahead.waiting()

    def say(self, message: Message, source: int | None = None, digest: bytes = b"") -> int:
        """Say a message, which was :func:`lamina._checking.checked`; gives the id of the last page that it belongs to.

        Raises:
            FormatError: A tool result answers no call.
            ContractError: The counter gave impossible counts.
        """
        counts = message_counts(message, self._count)
        pages = self._ahead.place(message)
        self.records.append(Said(message, pages, counts, self._count.info.fingerprint, source, digest))
        return pages[-1]
