"""Reading: from dumped messages to lamina's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve

from lamina.kit import forms
from lamina.kit.forms import MalformedError, Said, sorted_out
from lamina.kit.sources import ORPHAN, Calls, Source, arguments
from lamina.model import Extra, Image, Message, Opaque, Part, Text, ToolCall, ToolResult
from lamina.protocols import Parsed, ParseRequest
from lamina.verbatim import unmarked
from lamina_format_langchain._blocks import content, extra
from lamina_format_langchain._rules import FAMILY, ROLES, TYPES, is_default, unpacked

IDS = ("thread_id", "session_id", "conv_id", "id")
_KNOWN = frozenset({"type", "content", "tool_calls", "invalid_tool_calls", "tool_call_chunks", "chunk_position"})
_OF_RESULTS = frozenset({"type", "content", "tool_call_id", "status", "artifact"})
_UNNAMED = "call"


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read an array of messages, a conversation (an object with ``messages``), or messages one a line.

    A message may stand as ``message_to_dict`` writes it (``{"type", "data"}``), as ``dumpd`` does (``{"lc", "type", "id",
    "kwargs"}``), or plainly (``{"type", "content", …}``, as Pydantic dumps it). A prompt (``ChatPromptValue``) and a list
    of messages in a list say all that their messages say.

    A result answers the oldest open call of its id, else the one of it that was answered last; one without a call is
    skipped and counted, and so is a half-written record, unless the request is strict. Marks that a message is removed
    (``RemoveMessage``) are skipped: nothing is lost.

    Raises:
        FormatError: Broken JSON, what is no message, a message that cannot be read.
    """
    source = Source(request, max_record_bytes, tolerant=not request.strict)
    return forms.read(
        source, source.records(ids=IDS), source.calls, lambda record, calls: _several(record.value, calls)
    )


def _several(value: Any, calls: Calls) -> Said:
    """The messages of a record, which mostly is one message."""
    inner = value.get("kwargs") if isinstance(value, dict) and value.get("lc") == 1 else None
    held = inner.get("messages") if isinstance(inner, dict) else value
    if not isinstance(held, list):
        return _one(value, calls)
    made: tuple[Message, ...] = ()
    skipped: str | None = None if held else "empty"
    for item in held:
        said, why = _one(item, calls)
        made, skipped = (*made, *said), why or skipped
    return made, skipped


def _one(value: Any, calls: Calls) -> Said:
    if not isinstance(value, dict):
        raise MalformedError(f"a message must be an object, not {type(value).__name__}")
    found = unpacked(value)
    if found is None:
        kind = value.get("type")
        raise MalformedError(f"no message of type {kind!r}; known: {', '.join(TYPES)}, or dumped by LangChain")
    kind, data = found
    if kind == "remove":
        return (), "remove"
    speaker = data.get("role") if kind == "chat" else kind
    role = ROLES.get(speaker, "user") if isinstance(speaker, str) else "user"
    if role == "tool":
        return _result(kind, data, calls)
    parts = content(data.get("content"))
    if role == "assistant":
        parts = _with_calls(parts, data)
    return sorted_out(role, parts, calls, _members(kind, data))


def _members(kind: str, data: Mapping[str, Any]) -> Extra:
    found = extra(data, *_KNOWN, *(key for key, value in data.items() if is_default(kind, key, value)))
    if kind == "chat":
        return {FAMILY: {**found.get(FAMILY, {}), "type": "chat"}}
    members = {key: value for key, value in found.get(FAMILY, {}).items() if key != "role"}
    if "developer" in (kind, data.get("role")):
        members["additional_kwargs"] = {**members.get("additional_kwargs", {}), "__openai_role__": "developer"}
    # Calls that only older releases leave there are read as calls.
    beside = members.get("additional_kwargs")
    if isinstance(beside, dict) and not data.get("tool_calls"):
        kept = {key: value for key, value in beside.items() if key not in ("tool_calls", "function_call")}
        members = {**members, "additional_kwargs": kept}
        if not kept:
            del members["additional_kwargs"]
    return {FAMILY: members} if members else {}


def _with_calls(parts: list[Part], data: Mapping[str, Any]) -> list[Part]:
    """The parts and the calls beside them; a call that is also a block of the content is one call."""
    made = [_call(call) for call in _list(data, "tool_calls")]
    made += [_call(call, invalid=True) for call in _list(data, "invalid_tool_calls")]
    beside = data.get("additional_kwargs")
    if not made and isinstance(beside, dict):
        made = [_of_openai(call) for call in _list(beside, "tool_calls")]
        if not made and isinstance(legacy := beside.get("function_call"), dict):
            made = [_of_openai({"function": legacy})]
    there = {part.id: part for part in made}
    out: list[Part] = []
    for part in parts:
        if isinstance(part, ToolCall) and (same := there.pop(part.id, None)) is not None:
            # The block has the place, the other one the arguments as they were understood.
            part = evolve(same, extra={FAMILY: {**part.extra[FAMILY], **same.extra.get(FAMILY, {})}})
        out.append(part)
    return out + [part for part in made if part.id in there]


def _list(held: Mapping[str, Any], key: str) -> list[Any]:
    found = held.get(key) or []
    if not isinstance(found, list):
        raise MalformedError(f"{key} must be a list, not {type(found).__name__}")
    return found


def _call(call: Any, *, invalid: bool = False) -> ToolCall:
    match call:
        case {"name": str(name), "args": args}:
            pass
        case {"name": None, "args": args} if invalid:
            name = ""
        case {"function": {"name": str()}}:
            return _of_openai(call)
        case _:
            raise MalformedError("a tool call must be an object with a name and args")
    call_id = call.get("id")
    known = ("name", "args", "id", "type") if call.get("type", "tool_call") in ("tool_call", None) else ("name", "args", "id")  # fmt: skip
    members = {key: unmarked(value) for key, value in call.items() if key not in known}
    if invalid:
        members |= {"type": "invalid_tool_call"} | ({"args": None} if args is None else {})
    given = arguments({} if args is None else args)
    return ToolCall(
        call_id if isinstance(call_id, str) else _UNNAMED, name, given, extra={FAMILY: members} if members else {}
    )


def _of_openai(call: Any) -> ToolCall:
    match call:
        case {"function": {"name": str(name)} as function}:
            call_id = call.get("id")
            args = function.get("arguments") or {}
            return ToolCall(call_id if isinstance(call_id, str) else _UNNAMED, name, arguments(args))
        case _:
            raise MalformedError("a tool call must be an object with a function and its name")


def _result(kind: str, data: Mapping[str, Any], calls: Calls) -> Said:
    """The message of a tool."""
    call_id, name = data.get("tool_call_id"), data.get("name")
    unique = None
    if kind == "tool":
        if not isinstance(call_id, str | int) or isinstance(call_id, bool):
            raise MalformedError("a tool message must name its call in tool_call_id")
        unique = calls.result(str(call_id)) or calls.repeated(str(call_id))
    elif isinstance(name, str):
        unique = calls.result_of(name)
    if unique is None:
        return (), ORPHAN
    members = dict(extra(data, *_OF_RESULTS, *(k for k, v in data.items() if is_default("tool", k, v))).get(FAMILY, {}))
    members.pop("role", None)
    if data.get("artifact") is not None:
        members["artifact"] = None  # not meant for a model, and often large: it stays in the log
    held, error = data.get("content"), data.get("status") == "error"
    more: Extra = {FAMILY: members} if members else {}
    if not isinstance(held, list):
        text = held if isinstance(held, str) else "" if held is None else str(held)
        return (Message("tool", (ToolResult(unique, text, error, extra=more),)),), None
    blocks = [part for part in content(held) if isinstance(part, Text | Image | Opaque)]
    return (Message("tool", (ToolResult.of(unique, blocks, error, more),)),), None
