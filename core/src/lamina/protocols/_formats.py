"""Reading and writing messages in other forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from attrs import frozen

from lamina.model import Message, Page, Text


@frozen
class Parsed:
    """One source record of a recording, and what it says."""

    session: str | None
    """Which session it belongs to, where the source says so."""
    raw: bytes
    """The record as it stood in the source, byte for byte, without the line's end."""
    messages: tuple[Message, ...] = ()
    """What it says; empty for a record that is no message."""
    skipped: str | None = None
    """Why it says nothing (its type), for the report of what was skipped."""
    line: int | None = None
    """Where it starts in the source, from 1."""
    damaged: bool = False
    """Whether it is half-written or overwritten, and therefore skipped."""
    torn: bool = False
    """Whether it is so and the source's last: it may still be written, so it is told of and not stored."""


@frozen
class ParseRequest:
    """Asks to read a source."""

    data: bytes
    source: str = "input"
    """Its name, for messages."""
    strict: bool = False
    """Whether to refuse the source for a damaged record, instead of skipping it."""
    waiting: Sequence[tuple[str, str]] = ()
    """Where the source is a piece of a conversation: id and tool of the calls before it that wait for a result, oldest
    first."""

    @property
    def unreadable(self) -> str | None:
        """Why the data is no UTF-8 from its first bytes on, and what to do; ``None`` where it may be."""
        head = self.data[:64]
        # JSON begins with ASCII, and every second byte of UTF-16's ASCII is zero. Zeros alone are no text at all.
        if head[:2] in (b"\xff\xfe", b"\xfe\xff") or (b"\0" in head[:4] and head.strip(b"\0")):
            return "UTF-16 or binary data, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8"
        return None


@frozen
class RenderRequest:
    """Asks for messages in a provider's form."""

    messages: Sequence[Message]
    stable: int | None = None
    """So many of them, from the first on, are a prefix that the next request will have too; ``None``: not known."""
    piece: bool = False
    """Whether they are a piece of a conversation, to be looked at: nothing is put before them, or taken from their end,
    only because a request must begin or end otherwise."""


@frozen
class ExportRequest:
    """Asks for a session as a file of this format."""

    session: str
    records: Iterable[tuple[bytes | None, tuple[Message, ...]]]
    """In log order: the source record where there is one (its messages then follow from it), else messages."""
    own: bool
    """Whether the source records are of this same format."""


@frozen
class Passage:
    """Something that a person wrote, or a rule of the project that a harness quotes."""

    text: str
    """Verbatim, a piece of one text part of the message."""
    rules: bool = False
    """Whether it comes from an instructions file of the project rather than from the person's keyboard."""


def everything(page: Page) -> tuple[Passage, ...]:
    """All texts of a user's page: what a person wrote as far as nothing is known of the harness."""
    if page.role != "user":
        return ()
    return tuple(Passage(part.text) for part in page.messages[0].parts if isinstance(part, Text) and part.text)


@runtime_checkable
class Format(Protocol):
    """Reads recordings and writes messages in one provider's or product's form."""

    sends: str
    """The format in which a window of such a session is sent (a recording format names a provider's)."""

    def sniff(self, request: ParseRequest) -> float:
        """How surely the data is of this format, 0 to 1; reads only the start; never raises."""
        ...

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        """The records in order.

        Every byte of the source but white space and the frame around the records is in some record's ``raw``.

        A record that is half-written or overwritten is skipped, unless the request is strict.

        Raises:
            FormatError: With line and remedy, before or between records; the caller then stores nothing.
        """
        ...

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        """The messages as the provider takes them: JSON-serialisable; valid input renders to valid output."""
        ...

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """Every rule of the provider that the rendered messages break, each with its place; empty when valid."""
        ...

    def passages(self, message: Message) -> Sequence[Passage]:
        """What a person wrote in a user's message, in order, told apart from what a harness wraps around it.

        Reminders, opened files, output of commands and notices are no passages; instructions files are, as rules. Pure;
        linear; asked once for each message.
        """
        ...

    def export(self, request: ExportRequest) -> bytes:
        """The session as a file; of records of its own format every one byte for byte."""
        ...


@runtime_checkable
class ObjectFormat(Protocol):
    """A format whose library has objects of its own that do not say what they are in plain values."""

    def plain(self, given: object) -> Any | None:
        """The JSON value of an object of that library; ``None`` for any other. Imports nothing that is not imported."""
        ...


@runtime_checkable
class TellingFormat(Format, Protocol):
    """A format that says what it cannot carry. Of one that does not, the ledger says nothing."""

    def left_out(self, messages: Sequence[Message]) -> list[str]:
        """What of these messages does not go out as it came: ``left out: citations``, ``carried as text: document``.

        Each thing once; empty where everything goes out.
        """
        ...
