"""Checking: what keeps lines from being a session?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_TYPES = ("user", "assistant", "system")


def faults(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every broken rule, each with its place; empty when Claude Code could have written these messages.

    There is a line; lines are of a known type and say something; each has a ``uuid`` of its own; a call has an
    id, a name and an input, and a result later; a result comes after its call.
    """
    if not lines:
        return ["messages: there is none"]
    found: list[str] = []
    open_: dict[str, str] = {}
    uuids: set[Any] = set()
    for i, line in enumerate(lines):
        at, kind = f"messages[{i}]", line.get("type")
        if kind not in _TYPES:
            found.append(f"{at}.type: {kind!r} is none of {', '.join(_TYPES)}")
            continue
        if not isinstance(line.get("uuid"), str) or line["uuid"] in uuids:
            found.append(f"{at}.uuid: must be text that no other line has")
        else:
            uuids.add(line["uuid"])
        said = line if kind == "system" else line.get("message")
        content = said.get("content") if isinstance(said, Mapping) else None
        if isinstance(content, str):
            continue
        if not isinstance(content, list) or not content:
            found.append(f"{at}: content is empty")
            continue
        for k, block in enumerate(content):
            fault = _block(block, kind, f"{at}.content[{k}]", open_)
            found += [f"{at}.content[{k}]: {fault}"] if fault else []
    return found + [f"{made}: call {call_id!r} has no result" for call_id, made in open_.items()]


def _block(block: Any, kind: str, at: str, open_: dict[str, str]) -> str | None:
    """What is wrong with a block, if anything; keeps the open calls."""
    match block:
        case {"type": "tool_use", "id": str(call_id), "name": str(), "input": _} if kind == "assistant":
            open_[call_id] = at
        case {"type": "tool_use"}:
            return "a call needs an id, a name and an input, and is only for the assistant"
        case {"type": "tool_result", "tool_use_id": str(call_id)} if kind == "user":
            if open_.pop(call_id, None) is None:
                return f"result for {call_id!r}, which no earlier line calls"
        case {"type": "tool_result"}:
            return "a result needs the id of its call, and is only for the user"
        case {"type": str()}:
            pass
        case _:
            return "is no block with a type"
    return None
