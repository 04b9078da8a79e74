"""Writing: from messages to the lines of a rollout."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from lamina.kit.items import write as items
from lamina.model import Message
from lamina.verbatim import LeftOut


def write(messages: Iterable[Message], *, told: LeftOut | None = None) -> list[dict[str, Any]]:
    """Give one line for each item of the messages, with the time of its message.

    Args:
        messages: In the order of the conversation.
        told: Collects what is left out.
    """
    said, lines = list(messages), list[dict[str, Any]]()
    turns: list[list[Message]] = []
    for message in said:
        # What answers a call may need another kind of item for the call: both are written together.
        if turns and (message.role == "tool" or (message.group is not None and message.group == turns[-1][-1].group)):
            turns[-1].append(message)
        else:
            turns.append([message])
    for turn in turns:
        stamp = _stamp(turn[0])
        for item in items(turn, told=told, kept=True):
            lines.append({**stamp, "type": "response_item", "payload": {"type": "message", **item}})
    return lines


def _stamp(message: Message) -> dict[str, Any]:
    if message.created_s is None:
        return {}
    try:
        at = datetime.fromtimestamp(message.created_s, UTC)
    except (ValueError, OverflowError, OSError):
        return {}
    return {"timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def head(session: str, first: Message | None) -> dict[str, Any]:
    """The first line of a rollout."""
    stamp = {} if first is None else _stamp(first)
    return {**stamp, "type": "session_meta", "payload": {"id": session, **stamp, "originator": "lamina"}}
