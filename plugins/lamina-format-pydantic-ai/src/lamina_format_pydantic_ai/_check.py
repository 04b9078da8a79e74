"""Checking: which rules of Pydantic AI's messages do requests and responses break?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamina.kit.forms import is_torn
from lamina_format_pydantic_ai._rules import IN_REQUESTS, IN_RESPONSES, ITEMS, KNOWN, LINKS, RETRIES, decodes

Shown = Mapping[str, Any]


def faults(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every broken rule, each with its place; empty when Pydantic AI loads the messages and a model can be given them.

    - The first message is a request; each has a known kind and a list of parts, which may stand where they stand and have
      the members that the library wants: content, names of tools, ids, arguments that are an object or text.
    - What a prompt holds has a known kind, and a link, or data in base64 and a media type.
    - A call has an id of its own, and one result, in the requests before the next response; nothing else is a result.
    - No text has half a surrogate pair.
    """
    if not messages:
        return ["messages: there is none"]
    found: list[str] = []
    if messages[0].get("kind") == "response":
        found.append("messages[0].kind: the first message must be a request")
    waiting: dict[str, str] = {}
    for i, message in enumerate(messages):
        at, kind, parts = f"messages[{i}]", message.get("kind"), message.get("parts")
        if is_torn(message):
            found.append(f"{at}: half a surrogate pair")
        if kind not in ("request", "response") or not isinstance(parts, list):
            found.append(f"{at}: needs a kind, request or response, and a list of parts")
            continue
        if not isinstance(message.get("instructions"), str | None):
            found.append(f"{at}.instructions: must be text")
        if kind == "response":
            found += [f"{at}: comes before the result of call {call!r} of {made}" for call, made in waiting.items()]
            waiting = {}
        allowed = IN_REQUESTS if kind == "request" else IN_RESPONSES
        for k, part in enumerate(parts):
            here, name = f"{at}.parts[{k}]", part.get("part_kind") if isinstance(part, Mapping) else None
            if not isinstance(name, str) or (name in KNOWN and name not in allowed):
                found.append(f"{here}: a part of a {kind} cannot be {name!r}")
                continue
            found += [f"{here}: {why}" for why in _part(part, name)]
            found += _pairs(part, name, here, waiting)
    return found + [f"{made}: call {call!r} has no result" for call, made in waiting.items()]


def _part(part: Shown, kind: str) -> Iterator[str]:
    """What is wrong with a part by itself."""
    content = part.get("content")
    match kind:
        case "system-prompt" | "text" | "thinking" if not isinstance(content, str):
            yield "content must be text"
        case "user-prompt":
            yield from _prompt(content)
        case "tool-return" | "builtin-tool-return" if "content" not in part:
            yield "content is missing"
        case "file" if not isinstance(content, Mapping) or _item(content) or content.get("kind") != "binary":
            yield "content must be binary"
        case "tool-call" | "builtin-tool-call" if not isinstance(part.get("args"), str | Mapping | None):
            yield "args must be an object or text"
        case _ if kind in RETRIES and not isinstance(content, str | list):
            yield "content must be text or a list of errors"
        case _:
            pass
    if "tool-" in kind and kind in KNOWN and not kind.endswith("-delta"):
        yield from (
            f"{key} must be text" for key in ("tool_name", "tool_call_id") if not isinstance(part.get(key), str)
        )


def _prompt(content: Any) -> Iterator[str]:
    if isinstance(content, list):
        yield from (f"content[{k}]: {why}" for k, item in enumerate(content) if (why := _item(item)))
    elif not isinstance(content, str):
        yield "content must be text or a list"


def _item(item: Any) -> str:
    """What is wrong with one of the things that a prompt holds, if anything."""
    if isinstance(item, str):
        return ""
    kind = item.get("kind") if isinstance(item, Mapping) else None
    if kind not in ITEMS:
        return f"kind {kind!r} is none of {', '.join(sorted(ITEMS))}"
    if kind in LINKS and not isinstance(item.get("url"), str):
        return "needs a url"
    if kind == "binary" and not (isinstance(item.get("media_type"), str) and decodes(item.get("data"))):
        return "needs a media_type, and data in base64"
    return "" if kind not in ("text-content", "structured-content") or isinstance(item.get("content"), str) else "needs content"  # fmt: skip


def _pairs(part: Shown, kind: str, at: str, waiting: dict[str, str]) -> list[str]:
    """What is wrong with a call or a result among the others; keeps the open calls."""
    call_id = str(part.get("tool_call_id"))
    if kind == "tool-call":
        twice = [f"{at}: id {call_id!r} is used twice"] if call_id in waiting else []
        waiting[call_id] = at
        return twice
    answers = kind == "tool-return" or (kind == "retry-prompt" and bool(part.get("tool_name")))
    if answers and waiting.pop(call_id, None) is None:
        return [f"{at}: a result of {call_id!r}, which is no open call"]
    return []
