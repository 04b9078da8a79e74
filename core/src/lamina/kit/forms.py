"""What formats share when they read and write messages, whatever those look like.

A reader says of each record what it says (:func:`read`), sorts results out of other parts (:func:`sorted_out`), and is
told by :class:`MalformedError` what cannot be read. A writer joins pieces of one message (:func:`joined`) and puts a
session into one document (:func:`document`); a check finds half characters (:func:`is_torn`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from attrs import evolve

from lamina.errors import FormatError
from lamina.kit.sources import DAMAGED, ORPHAN, Calls, Record, Source
from lamina.model import Extra, Message, Part, Role, ToolCall, ToolResult
from lamina.protocols import ExportRequest, Parsed

_T = TypeVar("_T")
_LONE = re.compile("[\ud800-\udfff]")
_UNNAMED = "call"

Said = tuple[tuple[Message, ...], str | None]
"""The messages of a record, and why it or a part of it says nothing."""


class MalformedError(Exception):
    """Why a message cannot be read; :func:`read` adds the place."""


def read(
    source: Source, records: Iterable[Record], begin: Callable[[], _T], say: Callable[[Record, _T], Said]
) -> Iterator[Parsed]:
    """Each record with what it says; half-written ones are skipped and told.

    Args:
        source: What the records are of.
        records: In order.
        begin: Gives what is known at the beginning of a document: no call is open.
        say: Gives what a record says, and keeps what is known.

    Raises:
        FormatError: A record that is malformed, with its place.
    """
    known, document = begin(), 0
    for record in records:
        if record.damaged:
            yield Parsed(None, record.raw, skipped=DAMAGED, line=record.line, damaged=True, torn=record.torn)
            continue
        if record.document != document:
            known, document = begin(), record.document
        try:
            messages, skipped = say(record, known)
        except MalformedError as error:
            raise FormatError(f"{error}{record.place}", source.name, record.line) from None
        yield Parsed(session=record.session, raw=record.raw, messages=messages, skipped=skipped, line=record.line)


def sorted_out(role: Role, parts: Iterable[Part], calls: Calls, extra: Extra) -> Said:
    """The message that these parts are, and results that stand among them in one of their own before it.

    Calls get unique ids. A result answers the oldest open call of its id, else the one of it that was answered last; one
    without a call is left out and said.

    Raises:
        MalformedError: A call of somebody else than the assistant, a result of somebody else than the user.
    """
    said: list[Part] = []
    results: list[Part] = []
    orphans = 0
    for part in parts:
        match part:
            case ToolCall() if role == "assistant":
                said.append(evolve(part, id=calls.call(part.id or _UNNAMED, part.name)))
            case ToolResult() if role == "user":
                unique = calls.result(part.call_id) or calls.repeated(part.call_id)
                if unique is None:
                    orphans += 1
                else:
                    results.append(evolve(part, call_id=unique))
            case ToolCall() | ToolResult():
                raise MalformedError(f"a message of role {role!r} cannot hold a {type(part).__name__}")
            case _:
                said.append(part)
    made = (Message("tool", tuple(results)),) if results else ()
    if said or not (results or orphans):
        made = (*made, Message(role, tuple(said), extra=extra))
    return made, ORPHAN if orphans else None


def joined(messages: Iterable[Message]) -> list[Message]:
    """The messages, pieces of one message of the assistant (``Message.group``) as one."""
    made: list[Message] = []
    for message in messages:
        last = made[-1] if made else None
        if last and message.role == last.role == "assistant" and message.group and message.group == last.group:
            made[-1] = evolve(last, parts=last.parts + message.parts, extra={**last.extra, **message.extra})
        else:
            made.append(message)
    return made


def is_torn(value: Any) -> bool:
    """Whether any text of a value has half a surrogate pair, which no provider takes."""
    if isinstance(value, str):
        return not value.isascii() and _LONE.search(value) is not None
    if isinstance(value, Mapping):
        return any(map(is_torn, value.values()))
    return isinstance(value, list | tuple) and any(map(is_torn, value))


def document(request: ExportRequest, write: Callable[[Sequence[Message]], list[dict[str, Any]]]) -> bytes:
    """A session as one conversation, ``{"id": …, "messages": […]}``: on one line unless a source record has several.

    Records of the format itself stand in it byte for byte.

    Args:
        request: The session.
        write: Gives messages from elsewhere in the form.
    """
    pieces: list[bytes] = []
    foreign: list[Message] = []

    def flush() -> None:
        pieces.extend(json.dumps(one, ensure_ascii=False).encode() for one in write(foreign))
        foreign.clear()

    for raw, messages in request.records:
        if not (request.own and raw is not None):
            foreign.extend(messages)
            continue
        if raw.startswith(b"\0"):
            continue  # zeros that stood between records: no document can hold them
        flush()
        pieces.append(raw)
    flush()
    name = json.dumps(request.session, ensure_ascii=False).encode()
    return b'{"id": ' + name + b', "messages": [' + b", ".join(pieces) + b"]}\n"
