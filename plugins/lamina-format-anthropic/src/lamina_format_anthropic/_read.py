"""Reading: from Anthropic's messages to lamina's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define, evolve, field

from lamina.kit import forms
from lamina.kit.forms import MalformedError, Said
from lamina.kit.sources import ORPHAN, Calls, Record, Source, arguments
from lamina.model import Message, Opaque, Part, Role, Text, ToolCall, ToolResult
from lamina.protocols import Parsed, ParseRequest
from lamina_format_anthropic._blocks import content
from lamina_format_anthropic._rules import RESULTS, SERVER_CALLS

_ROLES = ("user", "assistant", "system")


@define
class _Talk:
    """What is open in the conversation that is being read."""

    calls: Calls = field(factory=Calls)
    pending: set[Any] = field(factory=set)
    """Calls that the provider runs, whose results the next message of the assistant brings."""
    group: str | None = None


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read an array of messages, a conversation, a set of conversations, or messages one a line.

    A conversation is an object with ``messages``; its ``system`` is a message that comes first, its ``id`` or
    ``conv_id`` names the session, its other members are frame. A user's message with tool results gives a tool
    message, and a user message with what else it says. Ids of calls that repeat within a conversation are made
    unique as :class:`lamina.kit.sources.Calls` says. Messages of the assistant that the provider paused in, so that a
    tool of its own answers in the next one, are one message in pieces (``Message.group``).

    A result whose call is not there is skipped and counted; so is a half-written record, unless the request is
    strict. A call that stands in the content and in ``tool_calls`` is one call.

    Raises:
        FormatError: Broken JSON, an unknown role, a message that cannot be read.
    """
    source = Source(request, max_record_bytes, tolerant=not request.strict)
    return forms.read(source, source.records(one=("system",)), lambda: _Talk(source.calls()), _record)


def _record(record: Record, talk: _Talk) -> Said:
    if record.key == "system":
        return (Message("system", tuple(content(record.value))),), None
    return _messages(record.value, talk)


def _messages(value: Any, talk: _Talk) -> Said:
    if not isinstance(value, dict):
        raise MalformedError(f"a message must be an object, not {type(value).__name__}")
    role, parts = value.get("role"), content(value.get("content"))
    match role:
        case "system" | "user" | "assistant":
            return _sorted(role, parts + _calls_beside(value, parts), talk)
        case "tool" if isinstance(value.get("tool_call_id"), str):
            # A history of mixed origin: the result that another provider's form has in a message of its own.
            return _sorted("user", [_answer(value["tool_call_id"], parts)], talk)
        case _:
            raise MalformedError(f"unknown role {role!r}; known: {', '.join(_ROLES)}")


def _sorted(role: Role, parts: list[Part], talk: _Talk) -> Said:
    """The message that these parts are, results in one of their own before it, and why some say nothing."""
    said: list[Part] = []
    results: list[Part] = []
    orphans = 0
    for part in parts:
        match part:
            case ToolCall() if role == "assistant":
                said.append(evolve(part, id=talk.calls.call(part.id, part.name)))
            case ToolResult() if role == "user":
                unique = talk.calls.result(part.call_id) or talk.calls.repeated(part.call_id)
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
        made = (*made, Message(role, tuple(said), _paused(role, said, talk)))
    return made, ORPHAN if orphans else None


def _paused(role: str, parts: list[Part], talk: _Talk) -> str | None:
    """The group of a message that begins or ends while a tool of the provider runs."""
    if role != "assistant":
        talk.pending.clear()
        return None
    group = talk.group if talk.pending else None
    for part in parts:
        if not isinstance(part, Opaque):
            continue
        kind = part.data.get("type")
        if kind in SERVER_CALLS:
            talk.pending.add(str(part.data.get("id")))
        elif kind in RESULTS:
            talk.pending.discard(str(part.data.get("tool_use_id")))
    talk.group = group or (min(talk.pending) if talk.pending else None)
    return talk.group


def _calls_beside(value: dict[str, Any], parts: list[Part]) -> list[Part]:
    """The calls of ``tool_calls``, but for those that the content has as blocks."""
    given = value.get("tool_calls")
    if not isinstance(given, list) or value["role"] != "assistant":
        return []
    there = {part.id for part in parts if isinstance(part, ToolCall)}
    made: list[Part] = []
    for call in given:
        match call:
            case {"id": str(call_id), "function": {"name": str(name)} as function}:
                args = function.get("arguments") or {}
            case {"id": str(call_id), "name": str(name)}:
                args = call.get("args") or {}
            case _:
                raise MalformedError("a tool call must be an object with an id and a name")
        if call_id not in there:
            made.append(ToolCall(call_id, name, arguments(args)))
    return made


def _answer(call_id: str, parts: list[Part]) -> ToolResult:
    plain = all(isinstance(part, Text) for part in parts)
    if plain:
        return ToolResult(call_id, "\n".join(part.text for part in parts if isinstance(part, Text)))
    return ToolResult.of(call_id, [part for part in parts if not isinstance(part, ToolCall | ToolResult)])  # type: ignore[misc]
