"""Checking: which rules of LangChain's messages do dumped ones break?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamina.kit.forms import is_torn
from lamina_format_langchain._rules import CLASSES, TYPES, fits


def faults(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every broken rule, each with its place; empty when LangChain loads the messages and a model can be given them.

    - There is a message; each has a known type and data with content: text, or a list of texts and objects, in which
      texts hold a text. Metadata are objects, names and ids text.
    - A call has a name, an object as arguments (text, where it is invalid) and an id of its own; its results follow its
      message at once, each once, and nothing else is a result. A result says that it is a success or an error.
    - Usage is in whole numbers. No text has half a surrogate pair.
    """
    if not messages:
        return ["messages: there is none"]
    found: list[str] = []
    waiting: dict[str, str] = {}
    for i, message in enumerate(messages):
        at, kind, data = f"messages[{i}]", message.get("type"), message.get("data")
        if kind not in TYPES or not isinstance(data, Mapping):
            found.append(f"{at}: needs a type of {', '.join(CLASSES.values())}, and data")
            continue
        if is_torn(message):
            found.append(f"{at}: half a surrogate pair")
        found += [f"{at}.data.{key}: {why}" for key, why in _members(str(kind), data)]
        if TYPES[kind] == "tool":
            call_id = data.get("tool_call_id")
            if waiting.pop(str(call_id), None) is None:
                found.append(f"{at}.data.tool_call_id: {call_id!r} is no unanswered call of the message before")
            continue
        found += [f"{at}: comes before the result of call {call_id!r} of {made}" for call_id, made in waiting.items()]
        waiting = {}
        if TYPES[kind] == "ai":
            found += _calls(data, at, waiting)
    return found + [f"{made}: call {call_id!r} has no result" for call_id, made in waiting.items()]


def _members(kind: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with the members of a message, by name."""
    if data.get("type", kind) != kind:
        yield "type", f"must be {kind!r}"
    content = data.get("content")
    if isinstance(content, list):
        for k, block in enumerate(content):
            if not isinstance(block, str | Mapping):
                yield f"content[{k}]", "is neither text nor an object"
            elif isinstance(block, Mapping) and block.get("type") == "text" and not isinstance(block.get("text"), str):
                yield f"content[{k}]", "has no text"
    elif not isinstance(content, str):
        yield "content", "must be text or a list of blocks"
    for key in {"tool": ("tool_call_id",), "chat": ("role",)}.get(kind, ()):
        if key not in data:
            yield key, "is missing"
    yield from ((key, f"is of another kind: {value!r:.80}") for key, value in data.items() if not fits(key, value))
    if kind == "tool" and data.get("status", "success") not in ("success", "error"):
        yield "status", "must be success or error"


def _calls(data: Mapping[str, Any], at: str, waiting: dict[str, str]) -> list[str]:
    found: list[str] = []
    for key, wanted in (("tool_calls", dict), ("invalid_tool_calls", str | None)):
        calls = data.get(key, [])
        if not isinstance(calls, list):
            found.append(f"{at}.data.{key}: must be a list")
            continue
        for k, call in enumerate(calls):
            here = f"{at}.data.{key}[{k}]"
            match call:
                case {"id": str(call_id), "name": str(), "args": args} if call_id and isinstance(args, wanted):
                    found += [f"{here}: id {call_id!r} is used twice"] if call_id in waiting else []
                    waiting[call_id] = here
                case _:
                    found.append(f"{here}: needs an id, a name, and args: an object, or text where it is invalid")
    return found
