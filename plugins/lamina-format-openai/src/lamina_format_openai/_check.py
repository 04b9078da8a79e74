"""Checking: which rules of chat completions do messages break?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lamina.kit.forms import is_torn
from lamina_format_openai._rules import ID_CHARS, KNOWN, NAME_CHARS, PARTS, SPEAKER, URL, is_json

_NAME = re.compile(r"[a-zA-Z0-9_-]+")


def faults(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every broken rule, each with its place; empty when a request with these messages is valid.

    - There is a message; roles are known; content is text or a list of parts that is not empty (null only beside
      calls), each of which may stand there; images are links by http or data of an image.
    - Each call has an id of its own of at most 40 characters, a name of at most 64 letters, digits, ``_`` and ``-``, and
      JSON text as arguments; the results of a message's calls follow it at once, each once and in any order, and
      nothing else is a result.
    - A speaker's name has no white space and is short. No text has half a surrogate pair.
    """
    if not messages:
        return ["messages: there is none"]
    found: list[str] = []
    waiting: dict[str, str] = {}
    for i, message in enumerate(messages):
        at, role = f"messages[{i}]", message.get("role")
        if is_torn(message):
            found.append(f"{at}: half a surrogate pair")
        name = message.get("name")
        if name is not None and not (isinstance(name, str) and SPEAKER.fullmatch(name)):
            found.append(f"{at}.name: must be short and without white space")
        if role == "tool":
            found += _result(message, at, waiting)
            continue
        found += [f"{at}: comes before the result of call {call_id!r} of {made}" for call_id, made in waiting.items()]
        waiting = {}
        if role not in PARTS:
            found.append(f"{at}.role: {role!r} is none of {', '.join(PARTS)}")
        calls = message.get("tool_calls")
        found += _content(message.get("content"), at, role, may_be_null=role == "assistant" and bool(calls))
        if calls is not None:
            found += _calls(calls, at, role, waiting)
    return found + [f"{made}: call {call_id!r} has no result" for call_id, made in waiting.items()]


def _result(message: Mapping[str, Any], at: str, waiting: dict[str, str]) -> list[str]:
    found = _content(message.get("content"), at, "tool", may_be_null=False)
    call_id = message.get("tool_call_id")
    if not isinstance(call_id, str):
        found.append(f"{at}.tool_call_id: must be text")
    elif waiting.pop(call_id, None) is None:
        found.append(f"{at}.tool_call_id: {call_id!r} is no unanswered call of the message before")
    return found


def _content(content: Any, at: str, role: Any, *, may_be_null: bool) -> list[str]:
    if isinstance(content, str) or (content is None and may_be_null):
        return []
    if content is None:
        return [f"{at}.content: is empty"]
    if not isinstance(content, list):
        return [f"{at}.content: must be text or a list of parts"]
    if not content:
        return [f"{at}.content: has no parts"]
    return [f"{at}.content[{k}]: {why}" for k, part in enumerate(content) if (why := _part(part, role))]


def _part(part: Any, role: Any) -> str:
    """What is wrong with a part, if anything."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(kind, str):
        return "is no part with a type"
    if kind in KNOWN and kind not in PARTS.get(role, KNOWN):
        return f"{kind} is not for the {role}"
    if kind == "text" and not isinstance(part.get("text"), str):
        return "has no text"
    if kind == "image_url":
        inner = part.get("image_url")
        url = inner.get("url") if isinstance(inner, Mapping) else None
        return "" if isinstance(url, str) and URL.match(url) else "must be a link by http, or data of an image"
    return ""


def _calls(calls: Any, at: str, role: Any, waiting: dict[str, str]) -> list[str]:
    if role != "assistant":
        return [f"{at}.tool_calls: only an assistant calls tools"]
    if not isinstance(calls, list) or not calls:
        return [f"{at}.tool_calls: must be a list that is not empty"]
    found: list[str] = []
    for k, call in enumerate(calls):
        here = f"{at}.tool_calls[{k}]"
        match call:
            case {"id": str(call_id), "type": "function", "function": {"name": str(name), "arguments": str(args)}}:
                found += [] if is_json(args) else [f"{here}: arguments are no JSON"]
            case {"id": str(call_id), "type": "custom", "custom": {"name": str(name), "input": str()}}:
                pass
            case _:
                found.append(f"{here}: needs id, type, and a function with name and arguments as text")
                continue
        if not _NAME.fullmatch(name) or len(name) > NAME_CHARS:
            found.append(f"{here}: a name has 1 to {NAME_CHARS} letters, digits, _ and -, not {name!r}")
        if not call_id or len(call_id) > ID_CHARS:
            found.append(f"{here}: an id has 1 to {ID_CHARS} characters")
        if call_id in waiting:
            found.append(f"{here}: id {call_id!r} is used twice")
        waiting[call_id] = here
    return found
