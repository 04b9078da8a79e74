"""Reading: from chat messages to lamina's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lamina.errors import FormatError
from lamina.model import Image, Message, Opaque, Part, Role, Text, ToolCall, ToolResult
from lamina.protocols import Parsed, ParseRequest
from lamina.sources import Calls, Source, arguments

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


class _MalformedError(Exception):
    """Why a message cannot be read; the caller adds the place."""


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read an array of messages, a conversation, a set of conversations, or messages one a line.

    A conversation is an object with ``messages``; its ``id`` or ``conv_id`` names the session, its other members
    are frame. Ids of calls that repeat within a conversation are made unique as :class:`lamina.sources.Calls`
    says; a result answers the oldest open call of its id.

    Raises:
        FormatError: Broken JSON, an unknown role, a message that cannot be read, a result without an open call.
    """
    source = Source(request, max_record_bytes)
    calls, document = Calls(), 0
    for record in source.records():
        if record.document != document:
            calls, document = Calls(), record.document
        try:
            message = _message(record.value, calls)
        except _MalformedError as error:
            raise FormatError(str(error), request.source, record.line) from None
        yield Parsed(session=record.session, raw=record.raw, messages=(message,), line=record.line)


def _message(value: Any, calls: Calls) -> Message:
    if not isinstance(value, dict):
        raise _MalformedError(f"a message must be an object, not {type(value).__name__}")
    name = value.get("role")
    role = _ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise _MalformedError(f"unknown role {name!r}; known: {', '.join(_ROLES)}")
    parts = _content(value.get("content"))
    if role == "tool":
        return Message("tool", _results(value, parts, calls))
    if role == "assistant":
        refusal = value.get("refusal")
        if isinstance(refusal, str) and refusal:
            parts.append(Text(refusal))
        parts += _calls(value, calls)
    return Message(role, tuple(parts))


def _content(content: Any) -> list[Part]:
    """The parts of a message's content; empty text is no part."""
    match content:
        case None:
            return []
        case str():
            return [Text(content)] if content else []
        case list():
            return [_part(part) for part in content]
        case _:
            raise _MalformedError(f"content must be text, a list of parts or null, not {type(content).__name__}")


def _part(part: Any) -> Part:
    match part:
        case str():
            return Text(part)
        case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
            return Text(text)
        case {"type": "image_url", "image_url": {"url": str(url)} | str(url)}:
            return _image(url)
        case {"type": str(kind)}:
            return Opaque(f"openai:{kind}", part)
        case _:
            raise _MalformedError("a part of the content must be an object with a type")


def _image(url: str) -> Image:
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return Image(head[len("data:") : -len(";base64")], data)
    return Image("url", url)


def _calls(value: dict[str, Any], calls: Calls) -> list[ToolCall]:
    found = value.get("tool_calls") or []
    if not isinstance(found, list):
        raise _MalformedError(f"tool_calls must be a list, not {type(found).__name__}")
    made = [_call(call, calls) for call in found]
    if isinstance(legacy := value.get("function_call"), dict):
        made.append(_call({"id": "call", "function": legacy}, calls))
    return made


def _call(call: Any, calls: Calls) -> ToolCall:
    match call:
        case {"function": {"name": str(name)} as function}:
            given = function.get("arguments")
        case {"custom": {"name": str(name)} as custom}:
            given = custom.get("input")
        case _:
            raise _MalformedError("a tool call must be an object with a function and its name")
    call_id = call.get("id")
    if call_id is not None and not isinstance(call_id, str):
        raise _MalformedError(f"the id of a tool call must be text, not {type(id).__name__}")
    return ToolCall(calls.call(call_id or "call", name), name, "{}" if given is None else arguments(given))


def _results(value: dict[str, Any], parts: list[Part], calls: Calls) -> tuple[ToolResult, ...]:
    text = "\n".join(part.text for part in parts if isinstance(part, Text))
    images = tuple(part for part in parts if isinstance(part, Image))
    several, one, name = value.get("tool_call_ids"), value.get("tool_call_id"), value.get("name")
    if isinstance(several, list) and several:
        answered = [(calls.result(call_id) if isinstance(call_id, str) else None, repr(call_id)) for call_id in several]
    elif isinstance(one, str):
        answered = [(calls.result(one or "call"), repr(one))]
    elif isinstance(name, str):
        answered = [(calls.result_of(name), f"of {name!r}")]
    else:
        raise _MalformedError("a tool result must name its call in tool_call_id")
    for call_id, named in answered:
        if call_id is None:
            raise _MalformedError(f"tool result for call {named}, which no earlier message makes or leaves open")
    # A recording that answers several calls by one text says it to each of them.
    return tuple(ToolResult(call_id, text, False, images) for call_id, _ in answered if call_id is not None)
