"""Reading: from the lines of a rollout to messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from attrs import evolve

from lamina.errors import DamagedError, FormatError
from lamina.kit.items import DEVELOPER, MalformedError, Reader
from lamina.kit.sources import DAMAGED, Source
from lamina.model import Message
from lamina.protocols import Parsed, ParseRequest
from lamina_format_codex._lines import EVENT, ITEM, META, Line, line_of, session_of
from lamina_format_codex._turns import ROLLED_BACK, Told, told

_CODEX_ONLY = frozenset({"end_turn", "internal_chat_message_metadata_passthrough"})
"""Members that Codex keeps for itself, or for a server that takes nobody else's requests."""
_SILENT = frozenset({"ghost_snapshot", "other"})
"""Items that Codex writes and never sends."""


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read every line: items are messages, all other lines are skipped by their type.

    What the model said and did in one turn are pieces of one message. What Codex tells the model in the role
    ``developer`` may be paged out like everything else, so it is in the user's role here, marked as what it is. Events
    repeat what items say; what a person typed and no item says is taken from its event. Turns that were rolled back
    are skipped, and so is the history that replaces another one in a compaction: the originals stand before it.

    The first line names the session; a fork's second one is its parent's.

    Raises:
        FormatError: A line that is no JSON or no object, or an item that cannot be read.
    """
    source = Source(request, max_record_bytes, tolerant=not request.strict)
    whole = told((number, line_of(value)) for number, _, value in _lines(source) if isinstance(value, dict))
    reader, session, last = Reader(), _session(source), request.data.rstrip(b" \t\r\n").count(b"\n") + 1
    for number, raw, value in _lines(source):
        if value is None:
            yield Parsed(session, raw, skipped=DAMAGED, line=number, damaged=True, torn=number == last)
            continue
        if not isinstance(value, dict):
            source.fail(f"a line must be an object, not {type(value).__name__}", number)
        try:
            messages, skipped = _said(line_of(value), number, reader, whole)
        except MalformedError as error:
            raise FormatError(str(error), request.source, number) from None
        yield Parsed(session=session, raw=raw, messages=messages, skipped=skipped, line=number)


def _lines(source: Source) -> Iterator[tuple[int, bytes, Any]]:
    """Number, bytes and value of each line; ``None`` for one that is half-written, where that is tolerated."""
    for number, raw in source.lines():
        try:
            value = source.value(raw, number)
        except DamagedError:
            if not source.tolerant:
                raise
            yield number, raw, None
        else:
            yield number, raw, () if value is None else value


def _session(source: Source) -> str | None:
    for _, _, value in _lines(source):
        if isinstance(value, dict) and (line := line_of(value)).kind == META:
            return session_of(line)
    return None


def _said(line: Line, number: int, reader: Reader, whole: Told) -> tuple[tuple[Message, ...], str | None]:
    if line.kind == EVENT:
        if number not in whole.typed:
            return (), line.event or EVENT
        return _stamped(_typed(line.payload, reader), line), None
    if line.kind != ITEM:
        return (), line.kind
    kind = line.payload.get("type")
    if kind in _SILENT:
        return (), str(kind)
    if number in whole.gone:
        return (), ROLLED_BACK
    item = {key: value for key, value in line.payload.items() if key not in _CODEX_ONLY}
    if kind == "compaction_summary":  # as early releases called it
        item["type"] = "compaction"
    messages, skipped = reader.read(item)
    return _stamped(messages, line), skipped


def _typed(event: Mapping[str, Any], reader: Reader) -> tuple[Message, ...]:
    """What a person typed, by the event that shows it."""
    images = event.get("images")
    shown = [{"type": "input_image", "image_url": url} for url in images or () if isinstance(url, str)]
    content = [{"type": "input_text", "text": event["message"]}, *shown]
    return reader.read({"type": "message", "role": "user", "content": content})[0]


def _stamped(messages: tuple[Message, ...], line: Line) -> tuple[Message, ...]:
    created_s = _time(line.timestamp)
    return tuple(
        evolve(message, role="user" if DEVELOPER in message.extra else message.role, created_s=created_s)
        for message in messages
    )


def _time(stamp: Any) -> float | None:
    if not isinstance(stamp, str):
        return None
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except (ValueError, OverflowError):
        return None
