"""What a line of a rollout is, in each of the shapes that Codex has written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from lamina.kit.items import is_item

ITEM = "response_item"
EVENT = "event_msg"
META = "session_meta"
KINDS = frozenset({ITEM, EVENT, META, "turn_context", "compacted"})
"""The types of lines of every release."""


@frozen
class Line:
    """One line of a rollout."""

    kind: str
    """Its type: :data:`ITEM`, :data:`EVENT`, :data:`META`, or another one, which says nothing to a model."""
    payload: Mapping[str, Any]
    timestamp: Any = None

    @property
    def event(self) -> str:
        """Of an event, its type."""
        found = self.payload.get("type")
        return found if self.kind == EVENT and isinstance(found, str) else ""


def line_of(value: Mapping[str, Any]) -> Line:
    """The line that an object is.

    Codex writes ``{"timestamp", "type", "payload"}``. Until September 2025 the first line was
    ``{"id", "timestamp", "instructions"}``, and each item stood by itself.
    """
    kind, payload = value.get("type"), value.get("payload")
    if isinstance(kind, str) and isinstance(payload, dict):
        return Line(kind, payload, value.get("timestamp"))
    if is_head(value):
        return Line(META, value, value.get("timestamp"))
    if is_item(value) or (isinstance(kind, str) and "payload" not in value):
        return Line(ITEM, value)
    record = value.get("record_type")
    return Line(record if isinstance(record, str) and record else "line without a type", value)


def is_head(value: Mapping[str, Any]) -> bool:
    """Whether it is the first line of an early rollout."""
    named = isinstance(value.get("id"), str) and isinstance(value.get("timestamp"), str)
    return named and "type" not in value and ("instructions" in value or "git" in value)


def session_of(line: Line) -> str | None:
    """The session that a first line names."""
    found = line.payload.get("id") or line.payload.get("session_id")
    return found if isinstance(found, str) and found else None
