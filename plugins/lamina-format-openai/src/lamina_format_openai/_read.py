"""Reading: from chat messages to lamina's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import evolve

from lamina.kit import forms
from lamina.kit.forms import MalformedError, Said, sorted_out
from lamina.kit.sources import ORPHAN, Calls, Source, arguments
from lamina.model import Extra, Image, Message, Opaque, Part, Reasoning, Role, Text, ToolCall, ToolResult
from lamina.protocols import Parsed, ParseRequest
from lamina.verbatim import extra
from lamina_format_openai._parts import content
from lamina_format_openai._rules import FAMILY

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_WORDS = frozenset({"role", "content", "tool_calls", "tool_call_id", "tool_call_ids"})
"""The members of a message that the model has a word for."""


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read an array of messages, a conversation, a set of conversations, or messages one a line.

    A conversation is an object with ``messages``; its ``id`` or ``conv_id`` names the session, its other members
    are frame. Ids of calls that repeat within a conversation are made unique as :class:`lamina.kit.sources.Calls`
    says; a result answers the oldest open call of its id, else the one of it that was answered last.

    A result whose call is not there is skipped and counted; so is a half-written record, unless the request is
    strict. Calls, results and reasoning that stand in the content, as other providers have them, are read as what they
    are; a call that stands there and in ``tool_calls`` is one call.

    Raises:
        FormatError: Broken JSON, an unknown role, a message that cannot be read.
    """
    source = Source(request, max_record_bytes, tolerant=not request.strict)
    return forms.read(source, source.records(), source.calls, lambda record, calls: _messages(record.value, calls))


def _messages(value: Any, calls: Calls) -> Said:
    """The messages of a record, and why a part of it says nothing."""
    if not isinstance(value, dict):
        raise MalformedError(f"a message must be an object, not {type(value).__name__}")
    name = value.get("role")
    role = _ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise MalformedError(f"unknown role {name!r}; known: {', '.join(_ROLES)}")
    parts = content(value.get("content"))
    if role == "tool":
        results, orphans = _results(value, parts, calls)
        return ((Message("tool", results),) if results else ()), ORPHAN if orphans else None
    if role == "assistant":
        parts = _assistant(value, parts)
    return sorted_out(role, parts, calls, _members(value, name))


def _members(value: dict[str, Any], role: Any) -> Extra:
    known = set(_WORDS)
    for name in ("reasoning_content", "refusal"):
        if isinstance(value.get(name), str) and value[name]:
            known.add(name)
    if isinstance(value.get("function_call"), dict):
        known.add("function_call")
    found = extra(FAMILY, value, known)
    return {FAMILY: {**found.get(FAMILY, {}), "role": role}} if role == "developer" else found


def _assistant(value: dict[str, Any], parts: list[Part]) -> list[Part]:
    """What the assistant reasoned, said and called, in this order."""
    thought, refusal = value.get("reasoning_content"), value.get("refusal")
    if isinstance(thought, str) and thought:
        parts.insert(0, Reasoning(thought, extra={FAMILY: {}}))
    if isinstance(refusal, str) and refusal:
        parts.append(Text(refusal, extra={FAMILY: {"type": "refusal"}}))
    found = value.get("tool_calls") or []
    if not isinstance(found, list):
        raise MalformedError(f"tool_calls must be a list, not {type(found).__name__}")
    made = [_call(call) for call in found]
    if isinstance(legacy := value.get("function_call"), dict):
        made.append(_call({"id": "call", "function": legacy}))
    beside = {call.id for call in made}
    return [part for part in parts if not (isinstance(part, ToolCall) and part.id in beside)] + made


def _call(call: Any) -> ToolCall:
    match call:
        case {"function": {"name": str(name)} as inner}:
            key, given = "function", inner.get("arguments")
        case {"custom": {"name": str(name)} as inner}:
            key, given = "custom", inner.get("input")
        case {"name": str(name), "args": dict(given)}:  # as LangChain writes them
            key, inner = "function", {}
        case _:
            raise MalformedError("a tool call must be an object with a function and its name")
    call_id = call.get("id")
    if call_id is not None and not isinstance(call_id, str):
        raise MalformedError(f"the id of a tool call must be text, not {type(call_id).__name__}")
    known = {"id", key, *(("type",) if key == "function" else ()), *(() if inner else ("name", "args"))}
    members = dict(extra(FAMILY, call, known).get(FAMILY, {}))
    if more := extra(FAMILY, inner, ("name", "arguments" if key == "function" else "input")):
        members[key] = more[FAMILY]
    if key == "custom":
        members["type"] = "custom"
    # Some models give nothing at all where a function takes nothing.
    args = "{}" if given is None or (given == "" and key == "function") else arguments(given)
    return ToolCall(call_id or "call", name, args, extra={FAMILY: members} if members else {})


def _results(value: dict[str, Any], parts: list[Part], calls: Calls) -> tuple[tuple[ToolResult, ...], int]:
    """The results of a tool message, and how many answer no call."""
    several, one, name = value.get("tool_call_ids"), value.get("tool_call_id"), value.get("name")
    if isinstance(several, list) and several:
        answered = [calls.result(i) or calls.repeated(i) if isinstance(i, str) else None for i in several]
    elif isinstance(one, str):
        answered = [calls.result(one or "call") or calls.repeated(one or "call")]
    elif isinstance(name, str):
        answered = [calls.result_of(name)]
    else:
        raise MalformedError("a tool result must name its call in tool_call_id")
    known = _WORDS if value["role"] == "tool" else _WORDS | {"name"}
    made = _result(parts, value.get("content"), extra(FAMILY, value, known))
    # A recording that answers several calls by one text says it to each of them.
    results = tuple(evolve(made, call_id=call_id) for call_id in answered if call_id is not None)
    return results, len(answered) - len(results)


def _result(parts: list[Part], given: Any, more: Extra) -> ToolResult:
    if not isinstance(given, list):
        return ToolResult("", "".join(part.text for part in parts if isinstance(part, Text)), extra=more)
    return ToolResult.of("", [part for part in parts if isinstance(part, Text | Image | Opaque)], extra=more)
