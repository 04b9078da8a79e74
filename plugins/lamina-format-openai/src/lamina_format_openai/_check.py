"""Checking: which rules of chat completions do messages break?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_ROLES = ("system", "developer", "user", "assistant", "tool")


def faults(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every broken rule, each with its place; empty when a request with these messages is valid.

    There is a message; roles are known; content is text or a list of parts that is not empty (null only beside
    calls); each call has an id of its own, a name and arguments as text; the results of a message's calls follow
    it at once, each once and in any order, and nothing else is a result.
    """
    if not messages:
        return ["messages: there is none"]
    found: list[str] = []
    waiting: dict[str, str] = {}
    for i, message in enumerate(messages):
        at, role = f"messages[{i}]", message.get("role")
        if role == "tool":
            found += _result(message, at, waiting)
            continue
        found += [f"{at}: comes before the result of call {call_id!r} of {made}" for call_id, made in waiting.items()]
        waiting = {}
        if role not in _ROLES:
            found.append(f"{at}.role: {role!r} is none of {', '.join(_ROLES)}")
        calls = message.get("tool_calls")
        found += _content(message.get("content"), at, may_be_null=role == "assistant" and bool(calls))
        if calls is not None:
            found += _calls(calls, at, role, waiting)
    return found + [f"{made}: call {call_id!r} has no result" for call_id, made in waiting.items()]


def _result(message: Mapping[str, Any], at: str, waiting: dict[str, str]) -> list[str]:
    found = _content(message.get("content"), at, may_be_null=False)
    call_id = message.get("tool_call_id")
    if not isinstance(call_id, str):
        found.append(f"{at}.tool_call_id: must be text")
    elif waiting.pop(call_id, None) is None:
        found.append(f"{at}.tool_call_id: {call_id!r} is no unanswered call of the message before")
    return found


def _content(content: Any, at: str, *, may_be_null: bool) -> list[str]:
    if isinstance(content, str) or (content is None and may_be_null):
        return []
    if content is None:
        return [f"{at}.content: is empty"]
    if not isinstance(content, list):
        return [f"{at}.content: must be text or a list of parts"]
    if not content:
        return [f"{at}.content: has no parts"]
    wrong = (
        k for k, part in enumerate(content) if not isinstance(part, Mapping) or not isinstance(part.get("type"), str)
    )
    return [f"{at}.content[{k}]: is no part with a type" for k in wrong]


def _calls(calls: Any, at: str, role: Any, waiting: dict[str, str]) -> list[str]:
    if role != "assistant":
        return [f"{at}.tool_calls: only an assistant calls tools"]
    if not isinstance(calls, list) or not calls:
        return [f"{at}.tool_calls: must be a list that is not empty"]
    found: list[str] = []
    for k, call in enumerate(calls):
        here = f"{at}.tool_calls[{k}]"
        match call:
            case {"id": str(call_id), "type": "function", "function": {"name": str(name), "arguments": str()}}:
                if not name:
                    found.append(f"{here}: has no name")
                if call_id in waiting:
                    found.append(f"{here}: id {call_id!r} is used twice")
                waiting[call_id] = here
            case _:
                found.append(f"{here}: needs id, type, and a function with name and arguments as text")
    return found
