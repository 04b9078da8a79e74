"""Reading: from the lines of a session file to messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lamina.errors import FormatError
from lamina.model import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.protocols import Parsed, ParseRequest
from lamina.sources import Source

ORPHAN = "tool result without a call"
"""Why a result says nothing: after a rewind or in a file that begins in the middle, its call is not recorded."""

PROMPT = "prompt"
"""The subtype of the ``system`` lines that hold a system message. Claude Code itself records none; we write them."""


class _MalformedError(Exception):
    """Why a line cannot be read; the caller adds the place."""


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read every line: lines of the user and the assistant are messages, all others are skipped by their type.

    Lines that share the assistant's message id are one message in pieces (``Message.group``). A user's line with
    tool results gives a tool message, and a user message with what else it says. A result whose call is not
    recorded is left out and counted.

    Sessions: all lines belong to the one that the first ``sessionId`` names, but in a file with lines of the main
    conversation, those of an agent belong to ``SESSION.AGENT``; a file of nothing but an agent's lines is
    ``agent-AGENT``.

    Raises:
        FormatError: A line that is no JSON or no object, or a message that cannot be read.
    """
    source = Source(request, max_record_bytes)
    main, mixed = _whose(source, request.data)
    seen: set[tuple[str | None, str]] = set()
    for number, raw in source.lines():
        line = source.value(raw, number)
        if not isinstance(line, dict):
            source.fail(f"a line must be an object, not {type(line).__name__}", number)
        session = main
        if mixed and line.get("isSidechain") is True:
            agent = line.get("agentId")
            session = f"{main or ''}.{agent if isinstance(agent, str) and agent else 'sidechain'}"
        try:
            messages, skipped = _line(line, session, seen)
        except _MalformedError as error:
            raise FormatError(str(error), request.source, number) from None
        yield Parsed(session=session, raw=raw, messages=messages, skipped=skipped, line=number)


def _whose(source: Source, data: bytes) -> tuple[str | None, bool]:
    """The file's session, and whether lines of agents stand among those of the main conversation."""
    session: str | None = None
    agent: str | None = None
    sidechains = b'"isSidechain"' in data and b"true" in data
    for number, raw in source.lines():
        if session is not None and not sidechains:
            break
        line = source.value(raw, number)
        if not isinstance(line, dict):
            continue
        if session is None and isinstance(line.get("sessionId"), str) and line["sessionId"]:
            session = line["sessionId"]
        if line.get("type") not in ("user", "assistant"):
            continue
        if line.get("isSidechain") is not True:
            # A line of the main conversation settles it; most files end here after a few lines.
            if session is not None:
                return session, True
            sidechains, agent = False, None
        elif sidechains and agent is None and isinstance(line.get("agentId"), str):
            agent = line["agentId"]
    if sidechains and agent:
        return f"agent-{agent}", False
    return session, not sidechains


def _line(
    line: dict[str, Any], session: str | None, seen: set[tuple[str | None, str]]
) -> tuple[tuple[Message, ...], str | None]:
    """The messages of a line, and why it or a part of it says nothing."""
    kind = line.get("type")
    if kind == "system" and line.get("subtype") == PROMPT:
        return (Message("system", tuple(_content(line.get("content"))), created_s=_time(line)),), None
    if kind not in ("user", "assistant"):
        return (), _why(line)
    if line.get("isMeta"):
        return (), "meta"
    message = line.get("message")
    if not isinstance(message, dict):
        raise _MalformedError(f"a line of type {kind!r} must have a message")
    parts, created_s = _content(message.get("content")), _time(line)
    if kind == "assistant":
        if not any(not isinstance(part, Text) or part.text for part in parts):
            return (), "empty"
        seen.update((session, part.id) for part in parts if isinstance(part, ToolCall))
        group = message.get("id")
        return (Message("assistant", tuple(parts), group if isinstance(group, str) else None, created_s),), None
    results = [part for part in parts if isinstance(part, ToolResult)]
    known = tuple(part for part in results if (session, part.call_id) in seen)
    said = tuple(part for part in parts if not isinstance(part, ToolResult))
    made = (Message("tool", known, created_s=created_s),) if known else ()
    if said:
        made = (*made, Message("user", said, created_s=created_s))
    return made, ORPHAN if len(known) < len(results) else None if made else "empty"


def _why(line: dict[str, Any]) -> str:
    kind = line.get("type")
    if kind == "system" and line.get("subtype") == "compact_boundary":
        return "compact boundary"
    return kind if isinstance(kind, str) and kind else "line without a type"


def _time(line: dict[str, Any]) -> float | None:
    stamp = line.get("timestamp")
    if not isinstance(stamp, str):
        return None
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except (ValueError, OverflowError):
        return None


def _content(content: Any) -> list[Part]:
    match content:
        case None:
            return []
        case str():
            return [Text(content)]
        case list():
            return [_part(block) for block in content]
        case _:
            raise _MalformedError(f"content must be text or a list of blocks, not {type(content).__name__}")


def _part(block: Any) -> Part:
    match block:
        case str():
            return Text(block)
        case {"type": "text", "text": str(text)}:
            return Text(text)
        case {"type": "tool_use", "id": str(call_id), "name": str(name)}:
            return ToolCall(call_id, name, json.dumps(block.get("input", {}), ensure_ascii=False))
        case {"type": "tool_result", "tool_use_id": str(call_id)}:
            return _result(call_id, block)
        case {"type": "image", "source": {"type": "base64", "media_type": str(media), "data": str(data)}}:
            return Image(media, data)
        case {"type": "image", "source": {"type": "url", "url": str(url)}}:
            return Image("url", url)
        case {"type": "thinking", "thinking": str(text)}:
            signature = block.get("signature")
            return Reasoning(text, signature if isinstance(signature, str) and signature else None)
        case {"type": "redacted_thinking", "data": str(data)}:
            return Reasoning(data, redacted=True)
        case {"type": "text" | "tool_use" | "tool_result" as kind}:
            raise _MalformedError(f"a block of type {kind!r} lacks what it must have")
        case {"type": str(kind)}:
            return Opaque(f"anthropic:{kind}", block)
        case _:
            raise _MalformedError("a block of the content must be an object with a type")


def _result(call_id: str, block: dict[str, Any]) -> ToolResult:
    parts = _content(block.get("content"))
    text = "\n".join(part.text for part in parts if isinstance(part, Text))
    images = tuple(part for part in parts if isinstance(part, Image))
    return ToolResult(call_id, text, block.get("is_error") is True, images)
