"""Checking: what keeps messages from being a session?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamina_format_opencode._rules import KNOWN, NOTES, OF_MODEL, OF_USER

_STATES: dict[str, dict[str, type | tuple[type, ...]]] = {
    "completed": {"input": Mapping, "output": str, "title": str, "metadata": Mapping, "time": Mapping},
    "error": {"input": Mapping, "error": str, "time": Mapping},
}
_MEMBERS: dict[str, tuple[str, ...]] = {"text": ("text",), "reasoning": ("text",), "file": ("mime", "url"), "tool": ("callID", "tool")}  # fmt: skip


def faults(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every broken rule, each with its place; empty when opencode could have exported these messages.

    There is a message; each has a role, an id behind the one before it, the session's id and a time; parts belong to it,
    have ids of their own, types that its role has, and what their types want. A call has an id and a name, an object as
    input, and is over: it gave something, or failed.
    """
    if not messages:
        return ["messages: there is none"]
    found: list[str] = []
    ids: set[Any] = set()
    calls: set[str] = set()
    before = ""
    for i, message in enumerate(messages):
        at, info, parts = f"messages[{i}]", message.get("info"), message.get("parts")
        if not isinstance(info, Mapping) or not isinstance(parts, list):
            found.append(f"{at}: needs info, and a list of parts")
            continue
        found += [f"{at}.info.{why}" for why in _info(info, before)]
        before = str(info.get("id"))
        for k, part in enumerate(parts):
            here = f"{at}.parts[{k}]"
            if not isinstance(part, Mapping):
                found.append(f"{here}: is no object")
                continue
            if not isinstance(part.get("id"), str) or part["id"] in ids:
                found.append(f"{here}.id: must be text that no other part has")
            ids.add(part.get("id"))
            found += [f"{here}: {why}" for why in _part(part, info)]
            if part.get("type") == "tool":
                call_id = str(part.get("callID"))
                found += [f"{here}: callID {call_id!r} is used twice"] if call_id in calls else []
                calls.add(call_id)
    return found


def _info(info: Mapping[str, Any], before: str) -> Iterator[str]:
    own, time = info.get("id"), info.get("time")
    if info.get("role") not in ("user", "assistant"):
        yield f"role: {info.get('role')!r} is neither user nor assistant"
    if not isinstance(own, str) or own <= before:
        yield "id: must be text, behind that of the message before"
    if not isinstance(info.get("sessionID"), str):
        yield "sessionID: must be text"
    if not isinstance(time, Mapping) or not isinstance(time.get("created"), int | float):
        yield "time: must say when it was created"
    if info.get("role") == "assistant" and not isinstance(info.get("parentID"), str):
        yield "parentID: must be text"


def _part(part: Mapping[str, Any], info: Mapping[str, Any]) -> Iterator[str]:
    kind = part.get("type")
    allowed = OF_USER if info.get("role") == "user" else OF_MODEL | NOTES
    if not isinstance(kind, str) or (kind in KNOWN and kind not in allowed):
        yield f"{kind!r} is no part of the {info.get('role')}"
        return
    if part.get("messageID") != info.get("id") or part.get("sessionID") != info.get("sessionID"):
        yield "belongs to another message"
    yield from (f"{name} must be text" for name in _MEMBERS.get(kind, ()) if not isinstance(part.get(name), str))
    if kind == "tool":
        if part.get("tool") == "":
            yield "a tool must have a name: nothing calls it"
        yield from _state(part.get("state"))


def _state(state: Any) -> Iterator[str]:
    status = state.get("status") if isinstance(state, Mapping) else None
    if status in ("pending", "running"):
        yield "the call has no result"
    elif status not in _STATES:
        yield f"status {status!r} is none of pending, running, completed, error"
    else:
        wrong = [name for name, wanted in _STATES[status].items() if not isinstance(state.get(name), wanted)]
        yield from (f"state.{name} is missing, or of another kind" for name in wrong)
