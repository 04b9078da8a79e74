"""Reading: from items to messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lamina.errors import FormatError
from lamina.kit.items import MalformedError, Reader
from lamina.kit.sources import DAMAGED, Record, Source
from lamina.model import Message, system
from lamina.protocols import Parsed, ParseRequest

FRAMES = ("input", "output", "items", "data")
"""Members that hold items: of a request, of a response, of a conversation, of a listing."""
BEFORE = ("instructions", "input")
"""What comes before the items, where it is no array."""
_IDS = ("conversation_id", "session_id", "conversation", "id", "conv_id")


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read an array of items, a request, a response, a listing, or items one a line.

    A request is an object with ``input``, a response one with ``output``; where an object has both, its input comes first
    if it stands first. ``instructions`` are a system message before all others. ``conversation_id``, ``session_id``,
    ``conversation`` or ``id`` name the session; all else is frame.

    Ids of calls that repeat within a conversation are made unique as :class:`lamina.kit.sources.Calls` says. A result whose
    call is not there is skipped and counted; so is a half-written record, unless the request is strict.

    Raises:
        FormatError: Broken JSON, an unknown role, an item that cannot be read.
    """
    source = Source(request, max_record_bytes, tolerant=not request.strict)
    reader, document = Reader(source.calls()), 0
    for record in source.records(FRAMES, BEFORE, _IDS, alone=("type", "role")):
        if record.damaged:
            yield Parsed(None, record.raw, skipped=DAMAGED, line=record.line, damaged=True, torn=record.torn)
            continue
        if record.document != document:
            reader, document = Reader(source.calls()), record.document
        try:
            messages, skipped = _said(record, reader)
        except MalformedError as error:
            raise FormatError(f"{error}{record.place}", request.source, record.line) from None
        if messages or skipped:
            yield Parsed(session=record.session, raw=record.raw, messages=messages, skipped=skipped, line=record.line)


def _said(record: Record, reader: Reader) -> tuple[tuple[Message, ...], str | None]:
    value: Any = record.value
    if record.key == "instructions":
        return instructions(value), None
    if record.key == "input" and value is None:
        return (), None
    match value:
        case {"input": str(prompt)} if not record.key and value.keys().isdisjoint(("type", "role")):
            # A request with nothing but a prompt.
            return (*instructions(value.get("instructions")), *reader.read(prompt)[0]), None
        case _:
            return reader.read(value)


def instructions(value: Any) -> tuple[Message, ...]:
    """The system messages that a request's instructions are; a response gives them back as text or as items."""
    match value:
        case None | "" | []:
            return ()
        case str():
            return (system(value),)
        case list():
            reader = Reader()
            return tuple(message for item in value for message in reader.read(item)[0])
        case _:
            raise MalformedError(f"instructions must be text or a list of items, not {type(value).__name__}")
