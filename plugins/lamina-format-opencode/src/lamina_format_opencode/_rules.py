"""What opencode's sessions are, for reading, writing and checking.

Source: opencode, ``session/message-v2.ts`` (messages, parts, and what of them it sends to a model), ``cli/cmd/export.ts``,
``id/id.ts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FAMILY = "opencode"
SYNTHETIC: Mapping[str, Mapping[str, Any]] = {FAMILY: {}}
"""Marks a text that opencode itself put into the user's message."""

OF_USER = frozenset({"text", "file", "agent", "subtask", "compaction"})
OF_MODEL = frozenset({"text", "reasoning", "tool", "file"})
NOTES = frozenset({"step-start", "step-finish", "snapshot", "patch", "agent", "retry"})
"""Parts that say nothing: where steps begin and end, what the files were, who was meant."""
KNOWN = OF_USER | OF_MODEL | NOTES

SUMMARY = "What did we do so far?"
"""What opencode asks where a session was compacted."""

AS_TEXT = ("text/plain", "application/x-directory")
"""Kinds of attached files that opencode shows in a text of its own beside them."""


def is_message(value: Any) -> bool:
    """Whether this is a message with its parts, as an export has it: nobody else keeps the two apart like this."""
    if not isinstance(value, dict) or not isinstance(value.get("parts"), list):
        return False
    info, parts = value.get("info"), value["parts"]
    known = any(isinstance(part, dict) and part.get("type") in KNOWN for part in parts)
    return is_info(info) or (known and isinstance(info, dict) and info.get("role") in ("user", "assistant"))


def is_info(value: Any) -> bool:
    """Whether this is what is known of a message, as the storage has it in a file of its own."""
    return isinstance(value, dict) and value.get("role") in ("user", "assistant") and _ids(value, "id", "sessionID")


def is_part(value: Any) -> bool:
    """Whether this is a part, as the storage has it in a file of its own."""
    return isinstance(value, dict) and isinstance(value.get("type"), str) and _ids(value, "messageID", "sessionID")


def part_of(value: Any) -> dict[str, Any] | None:
    """The part that a record of the storage is, or that an event tells of (``opencode run --format json``)."""
    if is_part(value):
        return dict(value)
    inner = value.get("part") if isinstance(value, dict) else None
    return dict(inner) if isinstance(inner, dict) and is_part(inner) else None


def _ids(value: dict[str, Any], *names: str) -> bool:
    return all(isinstance(value.get(name), str) for name in names)
