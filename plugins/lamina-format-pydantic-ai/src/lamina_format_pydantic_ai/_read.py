"""Reading: from requests and responses to messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, evolve, field

from lamina.kit import forms
from lamina.kit.forms import MalformedError, Said
from lamina.kit.sources import ORPHAN, Calls, Source
from lamina.model import Extra, Message, Opaque, Part, Text, ToolCall, ToolResult
from lamina.protocols import Parsed, ParseRequest
from lamina.verbatim import unmarked
from lamina_format_pydantic_ai._parts import extra, opaque, prompt, result, said
from lamina_format_pydantic_ai._rules import FAMILY, RETRIES, rest, seconds

IDS = ("conversation_id", "id", "conv_id")


@define
class _Talk:
    """What was read of one conversation so far."""

    calls: Calls = field(factory=Calls)
    instructions: str | None = None
    asked: bool = False
    """Whether the last message was a request."""


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read an array of messages, a conversation (an object with ``messages``), or messages one a line.

    A request gives a message for what the system says, one for the results of tools, and one for each prompt. Its
    instructions, which every request repeats, are said by the system where they are new. What Pydantic AI notes for itself
    (changed tools and settings) is carried beside them.

    A result answers the oldest open call of its id, else the one of it that was answered last; one without a call is
    skipped and counted, and so is a half-written record, unless the request is strict.

    Raises:
        FormatError: Broken JSON, what is no message, a message that cannot be read.
    """
    source = Source(request, max_record_bytes, tolerant=not request.strict)
    return forms.read(
        source,
        source.records(ids=IDS),
        lambda: _Talk(source.calls()),
        lambda record, talk: _messages(record.value, talk),
    )


def _messages(value: Any, talk: _Talk) -> Said:
    if not isinstance(value, dict):
        raise MalformedError(f"a message must be an object, not {type(value).__name__}")
    kind, parts = value.get("kind"), value.get("parts")
    if kind not in ("request", "response"):
        raise MalformedError(f"unknown kind {kind!r}; known: request, response")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise MalformedError("parts must be a list of objects")
    return _request(value, parts, talk) if kind == "request" else _response(value, parts, talk)


def _response(value: dict[str, Any], parts: list[dict[str, Any]], talk: _Talk) -> Said:
    made: list[Part] = []
    for raw in parts:
        part = said(raw)
        made.append(evolve(part, id=talk.calls.call(part.id, part.name)) if isinstance(part, ToolCall) else part)
    members = {key: unmarked(item) for key, item in rest(value, "kind", "parts").items()}
    if isinstance(usage := members.get("usage"), dict):
        members["usage"] = {key: item for key, item in usage.items() if item}
        if not members["usage"]:
            del members["usage"]
    if not made:
        return (), "empty"
    talk.asked = False
    more: Extra = {FAMILY: members} if members else {}
    return (Message("assistant", tuple(made), created_s=seconds(value.get("timestamp")), extra=more),), None


def _request(value: dict[str, Any], parts: list[dict[str, Any]], talk: _Talk) -> Said:
    made: list[Message] = []
    notes: list[list[Any]] = []
    orphans = 0
    for number, part in enumerate(parts):
        kind = part.get("part_kind")
        if kind == "tool-return" or (kind == "retry-prompt" and part.get("tool_name")):
            answer = _result(part, str(kind), talk.calls)
            orphans += answer is None
            made += [Message("tool", (answer,), created_s=seconds(part.get("timestamp")))] if answer else []
        elif message := _said(kind, part):
            made.append(message)
        else:
            notes.append([number, unmarked(part)])
    if not made:
        return (), ORPHAN if orphans else "note" if notes else "empty"
    members: dict[str, Any] = dict(extra(value, "kind", "parts", "instructions").get(FAMILY, {}))
    instructions = value.get("instructions")
    members |= {"notes": notes} if notes else {}
    members |= {"instructions": True} if isinstance(instructions, str) else {}
    # The first message of a request says what is known of it, and that it is one of its own where another stands before.
    if members or talk.asked:
        made[0] = _begun(made[0], members)
    talk.asked = True
    if isinstance(instructions, str) and instructions != talk.instructions:
        talk.instructions = instructions
        made.insert(0, Message("system", (Text(instructions),), extra={FAMILY: {"part_kind": "instructions"}}))
    return tuple(made), ORPHAN if orphans else None


def _begun(message: Message, members: dict[str, Any]) -> Message:
    if message.role != "tool":
        held = message.extra.get(FAMILY, {})
        return evolve(message, extra={FAMILY: {**held, "request": members}})
    first = message.results[0]
    marked = evolve(first, extra={FAMILY: {**first.extra.get(FAMILY, {}), "request": members}})
    return evolve(message, parts=(marked,))


def _said(kind: Any, part: Mapping[str, Any]) -> Message | None:
    """What a part of a request says that is no result; ``None`` where Pydantic AI notes it for itself."""
    content, created_s = part.get("content"), seconds(part.get("timestamp"))
    match kind:
        case "user-prompt":
            return Message(
                "user", tuple(prompt(content)), created_s=created_s, extra=extra(part, "part_kind", "content")
            )
        case "system-prompt" if isinstance(content, str):
            more = extra(part, "part_kind", "content")
            return Message("system", (Text(content),), created_s=created_s, extra=more)
        case str() if kind in RETRIES:
            members = {key: unmarked(item) for key, item in rest(part, "content").items()}
            if not isinstance(content, str):
                content, members["content"] = json.dumps(unmarked(content), ensure_ascii=False), "json"
            return Message("user", (Text(content),), created_s=created_s, extra={FAMILY: members})
        case "speech" | "compaction":
            held: tuple[Opaque, ...] = (opaque(kind, part, content or part.get("transcript")),)
            return Message("user", held, created_s=created_s, extra={FAMILY: {"part_kind": kind}})
        case "system-prompt":
            raise MalformedError("a system-prompt must have a content that is text")
        case str():
            return None
        case _:
            raise MalformedError("a part must be an object with a part_kind")


def _result(part: Mapping[str, Any], kind: str, calls: Calls) -> ToolResult | None:
    call_id, name = part.get("tool_call_id"), part.get("tool_name")
    if not isinstance(name, str):
        raise MalformedError(f"a {kind} must have a tool_name")
    own = call_id if isinstance(call_id, str) else ""
    unique = calls.result(own) or (calls.repeated(own) if own else calls.result_of(name))
    return None if unique is None else result(part, unique, kind)
