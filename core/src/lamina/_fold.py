"""What a session's log says: the fold of its records, in their order, and nothing else.

The same code takes in what is written here, what another process wrote, and what is read when a session is opened; so
whoever has the same records has the same pages, pins, faults, checkpoints and layout.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from types import MappingProxyType

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
from lamina.gate import Gate
from lamina.model import Message


class Fold:
    """What the log says so far.

    Args:
        session: Whose log it is.
        count: Counts tokens.
        gate: Makes the layout's slots.
        format: Of a session of which the log names none.
        source: As the format: the recording that it came from.
        epoch: Where :attr:`epoch` starts: beyond that of the fold that this one takes the place of.
    """

    def __init__(self, session: str, count: CheckedCounter, gate: Gate, format: str, source: str, epoch: int) -> None:
        self.pages = Pages(count)
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
        self.digests: list[bytes] = []
        """Of the source records, in order."""
        self.checkpoints: dict[str, int] = {}
        self.recorded: set[tuple[str, int]] = set()
        """Source records that are of a recording; others keep what a program added and no storage can hold."""
        self.sources: dict[int, list[tuple[str, int]]] = {}
        """Page to the source records (owner session, number) that it came from."""
        self._session, self._count = session, count
        self._faults: dict[int, int] = {}
        self._seqs: dict[int, list[tuple[str, int]]] = {}
        self._said_at: list[int] = []
        """Sequence numbers of what was said, ascending; beside each, in the next list, a page that it belongs to."""
        self._said_in: list[int] = []

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
            case Sourced(source, digest):
                self.digests.append(digest)
                self.recorded.add((kept.owner, source))
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
            case Pinned(page, pinned):
                self.pages.pin(page, pinned)
                self.layout.stale = True
            case RolledBack() | Forked():
                pass
        self.epoch += 1

    def _hear(self, seq: int, owner: str, said: Said) -> None:
        counts: Sequence[int] = said.counts
        if said.counter != self._count.info.fingerprint:
            counts = message_counts(said.message, self._count)
        positions = self.pages.add(said.message, counts, said.pages)
        self.layout.changed(positions)
        self.messages += 1
        if self.state == "open":
            self.state = "active"
        if said.digest:
            self.digests.append(said.digest)
            self.recorded.add((owner, said.source or 0))
        for page in said.pages:
            self._seqs.setdefault(page, []).append((owner, seq))
            self._said_at.append(seq)
            self._said_in.append(page)
            if said.source is not None:
                sources = self.sources.setdefault(page, [])
                if (owner, said.source) not in sources[-2:]:
                    sources.append((owner, said.source))

    # ------------------------------------------------------------- what it says

    def ahead(self) -> Coming:
        """Makes the records of what is about to be said."""
        return Coming(self.pages, self._count, self.next_source)

    def records_of(self, page: int) -> tuple[tuple[str, int], ...]:
        """The log records (owner session, sequence number) that say the page."""
        return tuple(self._seqs.get(page, ()))

    def said_since(self, seq: int, limit: int | None = None) -> tuple[list[int], int]:
        """The ids of the pages that something was said in, ascending, and from where on there is more.

        Args:
            seq: From this sequence number on.
            limit: About so many records.
        """
        start, end = bisect.bisect_left(self._said_at, seq), len(self._said_at)
        if limit is not None and start + limit < end:
            # What one record said of several pages stays together.
            end = bisect.bisect_right(self._said_at, self._said_at[start + limit - 1])
        next = self._said_at[end] if end < len(self._said_at) else self.next
        return sorted(set(self._said_in[start:end])), next

    def opened_at(self, position: int) -> int | None:
        """Sequence number of the first record of the page at this position; ``None`` behind the last page."""
        return self._seqs[self.pages.ids[position]][0][1] if position < len(self.pages.ids) else None


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
