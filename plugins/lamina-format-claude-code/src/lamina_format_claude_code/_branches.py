"""Which lines of a session file are the conversation: each once, and of its branches the newest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define

REPEATED = "repeated line"
BRANCH = "earlier branch"
"""Why a line says nothing: the user went back to before it and typed something else, or it was answered anew."""


@define
class _Line:
    """What is known of a line that has a ``uuid``."""

    parent: str | None
    prompt: bool
    """Whether it begins a turn of the user's, and not only gives back what a tool gave."""
    group: str | None
    """The id of the message that it is a piece of, where the assistant says it."""
    meta: bool
    spoken: bool


def left(lines: Iterable[Mapping[str, Any]]) -> set[str]:
    """The uuids of the lines that lie on branches which were left.

    From the newest line of the conversation its ancestors are followed. A branch that was left begins beside them: with
    another prompt of the user, or another message of the assistant, under the same parent. All that follows from its
    first line lies on it. What else is beside the ancestors belongs to them: results of parallel calls, pieces of one
    message, notes.
    """
    known: dict[str, _Line] = {}
    newest: str | None = None
    for line in lines:
        own = line.get("uuid")
        if not isinstance(own, str) or own in known or line.get("isSidechain") is True:
            continue
        known[own] = made = _line(line)
        if made.spoken:
            newest = own
    path = _ancestors(newest, known)
    heads: dict[str | None, _Line] = {known[own].parent: known[own] for own in path}
    gone: set[str] = set()
    for own, held in known.items():  # a line stands behind its parent
        if held.parent in gone or (own not in path and _turns_off(held, heads.get(held.parent), known)):
            gone.add(own)
    return gone - path


def _line(line: Mapping[str, Any]) -> _Line:
    kind, message = line.get("type"), line.get("message")
    said = message if isinstance(message, dict) else {}
    # A compaction begins a new chain; it says which one it goes on from.
    parent = line.get("parentUuid") or line.get("logicalParentUuid")
    group = said.get("id") if kind == "assistant" else None
    content = said.get("content")
    blocks = content if isinstance(content, list) else []
    answers = any(isinstance(block, dict) and block.get("type") == "tool_result" for block in blocks)
    return _Line(
        parent=parent if isinstance(parent, str) else None,
        prompt=kind == "user" and not answers and not line.get("isMeta"),
        meta=bool(line.get("isMeta")),
        group=group if isinstance(group, str) else None,
        spoken=kind in ("user", "assistant") and not line.get("isMeta"),
    )


def _ancestors(newest: str | None, known: Mapping[str, _Line]) -> set[str]:
    path: set[str] = set()
    at = newest
    while at is not None and at in known and at not in path:
        path.add(at)
        at = known[at].parent
    return path


def _turns_off(line: _Line, head: _Line | None, known: Mapping[str, _Line]) -> bool:
    """Whether a line beside the path begins a branch that was left, ``head`` being the one on the path."""
    # Under one note of its own, Claude Code lines up every command that the user runs beside the conversation.
    if head is None or line.parent is None or line.parent not in known or known[line.parent].meta:
        return False
    if line.prompt:
        return head.prompt
    return line.group is not None and head.group is not None and line.group != head.group
