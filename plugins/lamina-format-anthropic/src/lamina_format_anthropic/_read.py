"""Reading: from Anthropic's messages to lamina's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lamina.errors import FormatError
from lamina.model import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.protocols import Parsed, ParseRequest
from lamina.sources import Calls, Source, arguments, as_object

_ROLES = ("user", "assistant", "system")


class _MalformedError(Exception):
    """Why a message cannot be read; the caller adds the place."""


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read an array of messages, a conversation, a set of conversations, or messages one a line.

    A conversation is an object with ``messages``; its ``system`` is a message that comes first, its ``id`` or
    ``conv_id`` names the session, its other members are frame. A user's message with tool results gives a tool
    message, and a user message with what else it says. Ids of calls that repeat within a conversation are made
    unique as :class:`lamina.sources.Calls` says.

    Raises:
        FormatError: Broken JSON, an unknown role, a message that cannot be read, a result without an open call.
    """
    source = Source(request, max_record_bytes)
    calls, document = Calls(), 0
    for record in source.records(one=("system",)):
        if record.document != document:
            calls, document = Calls(), record.document
        try:
            if record.key == "system":
                messages: tuple[Message, ...] = (Message("system", tuple(_content(record.value))),)
            else:
                messages = _messages(record.value, calls)
        except _MalformedError as error:
            raise FormatError(str(error), request.source, record.line) from None
        yield Parsed(session=record.session, raw=record.raw, messages=messages, line=record.line)


def _messages(value: Any, calls: Calls) -> tuple[Message, ...]:
    if not isinstance(value, dict):
        raise _MalformedError(f"a message must be an object, not {type(value).__name__}")
    role, parts = value.get("role"), _content(value.get("content"))
    match role:
        case "system" | "user" | "assistant":
            pass
        case _:
            raise _MalformedError(f"unknown role {role!r}; known: {', '.join(_ROLES)}")
    said: list[Part] = []
    results: list[Part] = []
    for part in parts:
        match part:
            case ToolCall(call_id, name, args) if role == "assistant":
                said.append(ToolCall(calls.call(call_id, name), name, args))
            case ToolResult(call_id, text, error, images) if role == "user":
                unique = calls.result(call_id)
                if unique is None:
                    raise _MalformedError(
                        f"tool result for call {call_id!r}, which no earlier message makes or leaves open"
                    )
                results.append(ToolResult(unique, text, error, images))
            case ToolCall() | ToolResult():
                raise _MalformedError(f"a message of role {role!r} cannot hold a {type(part).__name__}")
            case _:
                said.append(part)
    answered = (Message("tool", tuple(results)),) if results else ()
    return answered if answered and not said else (*answered, Message(role, tuple(said)))


def _content(content: Any) -> list[Part]:
    match content:
        case None:
            return []
        case str():
            return [Text(content)] if content else []
        case list():
            return [_part(block) for block in content]
        case _:
            raise _MalformedError(f"content must be text or a list of blocks, not {type(content).__name__}")


def _part(block: Any) -> Part:
    match block:
        case {"type": "text", "text": str(text)}:
            return Text(text)
        case {"type": "tool_use", "id": str(call_id), "name": str(name)}:
            return ToolCall(call_id, name, _arguments(block.get("input", {})))
        case {"type": "tool_result", "tool_use_id": str(call_id)}:
            return _result(call_id, block)
        case {"type": "image", "source": {"type": "base64", "media_type": str(media), "data": str(data)}}:
            return Image(media, data)
        case {"type": "image", "source": {"type": "url", "url": str(url)}}:
            return Image("url", url)
        case {"type": "thinking", "thinking": str(text)}:
            signature = block.get("signature")
            return Reasoning(text, signature if isinstance(signature, str) else None)
        case {"type": "redacted_thinking", "data": str(data)}:
            return Reasoning(data, redacted=True)
        case {"type": "text" | "tool_use" | "tool_result" as kind}:
            raise _MalformedError(f"a block of type {kind!r} lacks what it must have")
        case {"type": str(kind)}:
            return Opaque(f"anthropic:{kind}", block)
        case _:
            raise _MalformedError("a block of the content must be an object with a type")


def _arguments(value: Any) -> str:
    """The input as JSON text; what was wrapped because it is no object is unwrapped again."""
    match value:
        case {"_raw": str(raw)} if len(value) == 1 and as_object(raw) is None:
            return raw
        case _:
            return arguments(value)


def _result(call_id: str, block: dict[str, Any]) -> ToolResult:
    parts = _content(block.get("content"))
    text = "\n".join(part.text for part in parts if isinstance(part, Text))
    images = tuple(part for part in parts if isinstance(part, Image))
    return ToolResult(call_id, text, block.get("is_error") is True, images)
