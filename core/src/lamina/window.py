"""A window: what the model is sent, and the ledger of why."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from lamina.errors import UnknownPageError, UnknownPluginError
from lamina.model import Message, Page
from lamina.protocols import Digest, Entry, Format, PagedOut, RenderRequest, Shortened, TellingFormat, Verbatim


@frozen(eq=False)
class Slot:
    """A piece of the window: one page in a form, or one message that stands for a run of pages."""

    entries: tuple[Entry, ...]
    messages: tuple[Message, ...]
    tokens: int
    page: Page | None = None
    """The page, where the slot holds exactly one."""


@frozen
class LedgerLine:
    """A piece of a digest, and why it stands."""

    page: int
    """The page that it is of; 0 for a note about the session as a whole."""
    why: str
    text: str


@frozen
class LedgerRow:
    """What became of a run of pages, and why."""

    first: int
    last: int
    rendition: str
    """``verbatim``, ``shortened``, ``paged out``, ``digest``, or ``recalled`` for the tail."""
    rule: str
    score: float | None
    tokens_before: int
    """Of the pages as they were said."""
    tokens_after: int
    """Of what stands for them (a stub's or digest's tokens stand in the row of its first run)."""
    compressor: str = ""
    notes: tuple[str, ...] = ()
    """What the format of the window cannot send as it came: ``left out: citations``, ``carried as text: document``."""
    lines: tuple[LedgerLine, ...] = ()
    """Of a digest: its excerpts in order, then its notes."""


class Ledger:
    """The record of one window's decisions, and of what its format cannot carry."""

    def __init__(
        self,
        slots: Sequence[Slot],
        tail: Sequence[Slot],
        ids: Sequence[int],
        sums: Sequence[int],
        repairs: Sequence[str],
        form: Format | None = None,
    ) -> None:
        self.repairs: tuple[str, ...] = tuple(repairs)
        """What the gate had to repair, each naming the plugin; empty when all plugins kept their contract."""
        self._slots, self._tail, self._ids, self._sums = slots, tail, ids, sums
        self._form = form
        self._rows: tuple[LedgerRow, ...] | None = None

    @property
    def rows(self) -> tuple[LedgerRow, ...]:
        """In log order; runs of adjacent pages that stand alike share a row."""
        if self._rows is None:
            rows: list[LedgerRow] = []
            for slot in self._slots:
                for number, entry in enumerate(slot.entries):
                    row = self._row(entry, slot.tokens if number == 0 else 0, self._notes(slot))
                    if rows and _alike(rows[-1], row):
                        row = self._joined(rows.pop(), row)
                    rows.append(row)
            for slot in self._tail:
                for number, entry in enumerate(slot.entries):
                    row = self._row(entry, 0 if number else slot.tokens)
                    rows.append(evolve(row, rendition="recalled"))
            self._rows = tuple(rows)
        return self._rows

    def sent_as(self, form: Format) -> Ledger:
        """The same decisions, with what another format cannot carry."""
        return Ledger(self._slots, self._tail, self._ids, self._sums, self.repairs, form)

    def _notes(self, slot: Slot) -> tuple[str, ...]:
        # Asked when rows are, and not for every window: most of them are sent and never explained.
        if slot.page is None or not isinstance(self._form, TellingFormat):
            return ()
        return tuple(self._form.left_out(slot.messages))

    def page(self, page: int) -> LedgerRow:
        """The row that tells of this page.

        Raises:
            UnknownPageError: No page of that id stood before the model.
        """
        for row in self.rows:
            if row.first <= page <= row.last and row.rendition != "recalled":
                at = bisect.bisect_left(self._ids, page)
                if at < len(self._ids) and self._ids[at] == page:
                    return row
        raise UnknownPageError("this window", page, self._ids[-1] if self._ids else None)

    def tokens_by(self) -> Mapping[str, int]:
        """Tokens of the window by rendition."""
        out: dict[str, int] = {}
        for row in self.rows:
            out[row.rendition] = out.get(row.rendition, 0) + row.tokens_after
        return out

    def _before(self, first: int, last: int) -> int:
        a, b = bisect.bisect_left(self._ids, first), bisect.bisect_right(self._ids, last)
        return self._sums[b] - self._sums[a]

    def _row(self, entry: Entry, tokens: int, notes: tuple[str, ...] = ()) -> LedgerRow:
        match entry.rendition:
            case Verbatim():
                name, compressor = "verbatim", ""
            case Shortened(compressor=by):
                name, compressor = "shortened", by
            case PagedOut():
                name, compressor = "paged out", ""
            case Digest():
                name, compressor = "digest", ""
        before = self._before(entry.first, entry.last)
        return LedgerRow(
            entry.first, entry.last, name, entry.rule, entry.score, before, tokens, compressor, notes, _lines(entry)
        )  # fmt: skip

    @staticmethod
    def _joined(a: LedgerRow, b: LedgerRow) -> LedgerRow:
        return LedgerRow(
            a.first, b.last, a.rendition, a.rule, a.score,
            a.tokens_before + b.tokens_before, a.tokens_after + b.tokens_after, a.compressor, a.notes,
        )  # fmt: skip


def _lines(entry: Entry) -> tuple[LedgerLine, ...]:
    form = entry.rendition
    if not isinstance(form, Digest):
        return ()
    quoted = [LedgerLine(e.page, e.why or entry.rule, e.text) for e in form.excerpts]
    return (*quoted, *(LedgerLine(0, note.why or entry.rule, note.text) for note in form.notes))


def _alike(a: LedgerRow, b: LedgerRow) -> bool:
    if a.rendition in ("shortened", "digest"):
        return False
    told = (a.rendition, a.rule, a.score, a.compressor, a.notes)
    return told == (b.rendition, b.rule, b.score, b.compressor, b.notes)


@frozen(eq=False)
class Window:
    """What the model is sent: a stable prefix, and a tail that is this turn's alone."""

    session: str
    budget: int
    tokens: int
    """Of everything in it, by the configured counter; never more than ``budget``."""
    beside: int
    """Tokens of them that are no message: the tools, and what the provider adds to each request."""
    format: str
    """The format in which it is sent unless another is asked for."""
    compacted: bool
    """Whether this window is the first after its compaction (its prefix differs from the last one's)."""
    ledger: Ledger
    slots: tuple[Slot, ...] = field(repr=False)
    tail: tuple[Message, ...] = field(repr=False)
    """Recalled memories, as data; not part of the prefix."""
    _formats: Mapping[str, Format] = field(repr=False, alias="formats")

    @property
    def prefix(self) -> tuple[Message, ...]:
        """System messages, stubs, digests and pages, in log order."""
        return tuple(message for slot in self.slots for message in slot.messages)

    def messages(self, format: str | None = None) -> list[dict[str, Any]]:
        """The window as the provider takes it.

        Args:
            format: ``openai``, ``anthropic`` or any configured format; the session's own by default.

        Raises:
            UnknownPluginError: No such format.
        """
        prefix = self.prefix
        return self._named(format).render(RenderRequest(messages=prefix + self.tail, stable=len(prefix)))

    def told(self, format: str | None = None) -> Ledger:
        """The ledger, with what this format cannot carry; of the window's own format, :attr:`ledger`.

        Raises:
            UnknownPluginError: No such format.
        """
        return self.ledger if format in (None, self.format) else self.ledger.sent_as(self._named(format))

    def _named(self, format: str | None) -> Format:
        name = format or self.format
        if name not in self._formats:
            raise UnknownPluginError("format", name, tuple(self._formats))
        return self._formats[name]
