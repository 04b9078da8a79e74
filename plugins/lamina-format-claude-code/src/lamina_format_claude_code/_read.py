"""Reading: from the lines of a session file to messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import define, field

from lamina.errors import DamagedError, FormatError
from lamina.kit.sources import DAMAGED, ORPHAN, Source
from lamina.model import Message, Opaque, Part, Text, ToolCall, ToolResult
from lamina.protocols import Parsed, ParseRequest
from lamina_format_claude_code._attached import attached
from lamina_format_claude_code._blocks import MalformedError, content
from lamina_format_claude_code._branches import BRANCH, REPEATED, left

PROMPT = "prompt"
"""The subtype of the ``system`` lines that hold a system message. Claude Code itself records none; we write them."""

FAILED = "API error"
"""Why a line of the assistant says nothing: Claude Code wrote it itself, in place of an answer that did not come."""

_ASKS = frozenset({"server_tool_use", "mcp_tool_use"})


@define
class _State:
    """What was read of the file so far."""

    calls: set[tuple[str | None, str]] = field(factory=set)
    """Session and id of each call."""
    uuids: dict[str, bytes] = field(factory=dict)
    """The first line of each ``uuid``."""
    pending: dict[str | None, set[str]] = field(factory=dict)
    """Session to the calls that the provider runs, whose results its next message brings."""
    groups: dict[str | None, str] = field(factory=dict)


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read every line: lines of the user and the assistant are messages, all others are skipped by their type.

    Lines that share the assistant's message id are one message in pieces (``Message.group``). A user's line with
    tool results gives a tool message, and a user message with what else it says. A result whose call is not
    recorded is left out and counted. What was typed while the agent worked, and attached files, are attachments: the
    user says them.

    Each line counts once by its ``uuid``. Where the user went back and went on in another way, the newest branch is
    the conversation; lines of others are skipped, and so are errors that stand in place of an answer. Half-written
    lines are skipped unless the request is strict.

    Sessions: all lines belong to the one that the first ``sessionId`` names, but in a file with lines of the main
    conversation, those of an agent belong to ``SESSION.AGENT``; a file of nothing but an agent's lines is
    ``agent-AGENT``.

    Raises:
        FormatError: A line that is no JSON or no object, or a message that cannot be read.
    """
    source = Source(request, max_record_bytes, tolerant=not request.strict)
    main, mixed = _whose(source)
    gone = left(line for _, _, line in _lines(source) if isinstance(line, dict)) if source.holds(b'"parentUuid"') else set()  # fmt: skip
    state, last = _State(), _last_line(request.data)
    for number, raw, line in _lines(source):
        if line is None:
            torn = number == last
            yield Parsed(main, raw, skipped=DAMAGED, line=number, damaged=True, torn=torn)
            continue
        if not isinstance(line, dict):
            source.fail(f"a line must be an object, not {type(line).__name__}", number)
        session = main
        if mixed and line.get("isSidechain") is True:
            agent = line.get("agentId")
            session = f"{main or ''}.{agent if isinstance(agent, str) and agent else 'sidechain'}"
        try:
            messages, skipped = _once(line, raw, session, state, gone)
        except MalformedError as error:
            raise FormatError(str(error), request.source, number) from None
        yield Parsed(session=session, raw=raw, messages=messages, skipped=skipped, line=number)


def _lines(source: Source) -> Iterator[tuple[int, bytes, Any]]:
    """Number, bytes and value of each line; ``None`` for one that is half-written, where that is tolerated."""
    for number, raw in source.lines():
        try:
            yield number, raw, source.value(raw, number)
        except DamagedError:
            if not source.tolerant:
                raise
            yield number, raw, None


def _last_line(data: bytes) -> int:
    return data.rstrip(b" \t\r\n").count(b"\n") + 1


def _once(
    line: dict[str, Any], raw: bytes, session: str | None, state: _State, gone: set[str]
) -> tuple[tuple[Message, ...], str | None]:
    """The messages of a line, if it is new and of the newest branch, and why it or a part of it says nothing."""
    own = line.get("uuid")
    if isinstance(own, str):
        first = state.uuids.setdefault(own, raw)
        if first is not raw and _says(json.loads(first)) == _says(line):
            return (), REPEATED
        if own in gone:
            return (), BRANCH
    return _line(line, session, state)


def _whose(source: Source) -> tuple[str | None, bool]:
    """The file's session, and whether lines of agents stand among those of the main conversation."""
    session: str | None = None
    agent: str | None = None
    sidechains = source.holds(b'"isSidechain"') and source.holds(b"true")
    for _, _, line in _lines(source):
        if session is not None and not sidechains:
            break
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


def _says(line: dict[str, Any]) -> tuple[Any, ...]:
    """What a line that was copied has in common with the first one; who copies it writes its own time and folder."""
    return line.get("type"), line.get("message"), line.get("attachment"), line.get("content")


def _line(line: dict[str, Any], session: str | None, state: _State) -> tuple[tuple[Message, ...], str | None]:
    """The messages of a line, and why it or a part of it says nothing."""
    kind, created_s = line.get("type"), _time(line)
    if kind == "system" and line.get("subtype") == PROMPT:
        return (Message("system", tuple(content(line.get("content"))), created_s=created_s),), None
    if kind == "attachment" and (shown := attached(line)) and not line.get("isMeta"):
        return (Message("user", tuple(shown), created_s=created_s),), None
    if kind not in ("user", "assistant"):
        return (), _why(line)
    if line.get("isMeta"):
        return (), "meta"
    message = line.get("message")
    if not isinstance(message, dict):
        raise MalformedError(f"a line of type {kind!r} must have a message")
    if kind == "assistant":
        return _answer(line, message, session, state)
    state.pending.pop(session, None)
    parts = content(message.get("content"))
    results = [part for part in parts if isinstance(part, ToolResult)]
    known = tuple(part for part in results if (session, part.call_id) in state.calls)
    said = tuple(part for part in parts if not isinstance(part, ToolResult))
    made = (Message("tool", known, created_s=created_s),) if known else ()
    if said:
        made = (*made, Message("user", said, created_s=created_s))
    return made, ORPHAN if len(known) < len(results) else None if made else "empty"


def _answer(
    line: dict[str, Any], message: dict[str, Any], session: str | None, state: _State
) -> tuple[tuple[Message, ...], str | None]:
    if line.get("isApiErrorMessage") is True or message.get("model") == "<synthetic>":
        return (), FAILED
    parts = content(message.get("content"))
    if not any(not isinstance(part, Text) or part.text for part in parts):
        return (), "empty"
    state.calls.update((session, part.id) for part in parts if isinstance(part, ToolCall))
    group = message.get("id")
    group = _paused(parts, group if isinstance(group, str) else None, session, state)
    return (Message("assistant", tuple(parts), group, _time(line)),), None


def _paused(parts: list[Part], group: str | None, session: str | None, state: _State) -> str | None:
    """The group of a message: that of the one before, as long as a tool of the provider runs."""
    pending = state.pending.setdefault(session, set())
    group = state.groups.get(session, group) if pending else group
    for part in parts:
        if not isinstance(part, Opaque):
            continue
        if part.data.get("type") in _ASKS:
            pending.add(str(part.data.get("id")))
        else:
            pending.discard(str(part.data.get("tool_use_id")))
    if pending and group is None:
        group = min(pending)
    if group is not None:
        state.groups[session] = group
    return group


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
