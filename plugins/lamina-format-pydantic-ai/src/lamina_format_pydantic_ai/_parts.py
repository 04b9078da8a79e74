"""From the parts of responses and what prompts hold to lamina's parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from lamina.kit.documents import pages
from lamina.kit.forms import MalformedError
from lamina.kit.sources import arguments
from lamina.model import Extra, Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.verbatim import unmarked
from lamina_format_pydantic_ai._rules import FAILED, FAMILY, LINKS, rest

UNNAMED = "call"
"""The id of a call that has none."""
REDACTED = "redacted_thinking"


def extra(value: Mapping[str, Any], *known: str) -> Extra:
    """The members that are not known, as Pydantic AI's own."""
    kept = {key: unmarked(item) for key, item in rest(value, *known).items()}
    return {FAMILY: kept} if kept else {}


def said(part: Mapping[str, Any]) -> Part:
    """A part of a response."""
    content = part.get("content")
    match part:
        case {"part_kind": "text", "content": str(text)}:
            return Text(text, extra=extra(part, "part_kind", "content"))
        case {"part_kind": "thinking", "content": str(text)}:
            return _thought(part, text)
        case {"part_kind": "tool-call", "tool_name": str(name)}:
            return _call(part, name)
        case {"part_kind": "file", "content": dict(file)}:
            shown = item(file)
            members = {"part_kind": "file", **extra(part, "part_kind", "content").get(FAMILY, {})}
            if isinstance(shown, Image):
                return evolve(shown, extra={FAMILY: {**members, "file": dict(shown.extra.get(FAMILY, {}))}})
            pages = shown.pages if isinstance(shown, Opaque) else None
            return Opaque(f"{FAMILY}:file", unmarked(part), text=_name(file), pages=pages)
        case {"part_kind": "text" | "thinking" | "tool-call" as kind}:
            raise MalformedError(f"a part of kind {kind!r} lacks what it must have")
        case {"part_kind": str(kind)}:
            return opaque(kind, part, content if content is not None else part.get("args") or part.get("transcript"))
        case _:
            raise MalformedError("a part must be an object with a part_kind")


def opaque(kind: str, part: Mapping[str, Any], content: Any) -> Opaque:
    """A part that the model has no word for, and what it says."""
    text = content if isinstance(content, str) else "" if content is None else json.dumps(unmarked(content))
    return Opaque(f"{FAMILY}:{kind}", unmarked(part), text=text)


def _thought(part: Mapping[str, Any], text: str) -> Reasoning:
    members = {key: unmarked(value) for key, value in rest(part, "part_kind", "content", "signature").items()}
    signature = part.get("signature")
    signed = signature if isinstance(signature, str) and signature else None
    if signed and part.get("provider_name") != "anthropic":
        # Marked by its provider: others would take the signature for one of theirs.
        return Reasoning(text, extra={FAMILY: {**members, "signature": signed}})
    if signed and not text and part.get("id") == REDACTED:
        return Reasoning(signed, redacted=True, extra={FAMILY: members})
    return Reasoning(text, signed, extra={FAMILY: members})


def _call(part: Mapping[str, Any], name: str) -> ToolCall:
    args, call_id = part.get("args"), part.get("tool_call_id")
    members = dict(extra(part, "part_kind", "tool_name", "args", "tool_call_id").get(FAMILY, {}))
    if not isinstance(args, dict):
        members["args"] = "text" if isinstance(args, str) else "none"
    given = arguments({} if args is None else args)
    own = call_id if isinstance(call_id, str) and call_id else UNNAMED
    return ToolCall(own, name, given, extra={FAMILY: members} if members else {})


def prompt(content: Any) -> list[Part]:
    """The parts of a user's prompt."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    if not isinstance(content, list):
        raise MalformedError(f"content of a prompt must be text or a list, not {type(content).__name__}")
    # Marks for a provider's cache are dropped: lamina's stable prefix ends elsewhere.
    held = [one for one in content if not (isinstance(one, dict) and one.get("kind") == "cache-point")]
    parts = [item(one) for one in held]
    if any(not isinstance(part, Text) for part in parts):
        return list(parts)
    # Nothing else says that they came as a list: they go out as one text otherwise.
    return [evolve(part, extra=part.extra or {FAMILY: {}}) for part in parts if isinstance(part, Text)]


def item(value: Any) -> Text | Image | Opaque:
    """One of the things that a prompt, or the result of a tool, holds."""
    match value:
        case str():
            return Text(value)
        case {"kind": "text-content", "content": str(text)}:
            return Text(text, extra=extra(value, "content"))
        case {"kind": "image-url", "url": str(url)}:
            return Image("url", url, extra=extra(value, "kind", "url"))
        case {"kind": "binary", "data": str(data), "media_type": str(media)}:
            plain = data.replace("-", "+").replace("_", "/")
            if media.startswith("image/"):
                return Image(media, plain, extra=extra(value, "kind", "data", "media_type"))
            # Sound and films cost by their length; what a page of a document costs for so many bytes is more.
            return Opaque(f"{FAMILY}:binary", unmarked(value), text=_name(value), pages=pages(plain))
        case {"kind": str(kind), "url": str(url)} if kind in LINKS:
            return Opaque(f"{FAMILY}:{kind}", unmarked(value), text=url, pages=1)
        case {"kind": str(kind)}:
            return opaque(kind, value, value.get("content") or value.get("file_id"))
        case _:
            raise MalformedError("what a prompt holds must be text or an object with a kind")


def _name(value: Mapping[str, Any]) -> str:
    name = value.get("identifier")
    return name if isinstance(name, str) else ""


def result(part: Mapping[str, Any], call_id: str, kind: str) -> ToolResult:
    """The result of a call, or what asks the model to call again.

    What is no text and holds no files is its JSON, and says so.
    """
    content, members = part.get("content"), dict(extra(part, "part_kind", "content", "tool_call_id", "tool_name").get(FAMILY, {}))  # fmt: skip
    error = kind == "retry-prompt" or part.get("outcome") in FAILED
    if members.get("outcome") == "failed":
        del members["outcome"]  # what every error is
    if kind != "tool-return":
        members["part_kind"] = kind
    if isinstance(content, str):
        return ToolResult(call_id, content, error, extra={FAMILY: members} if members else {})
    if isinstance(content, list) and any(_is_file(one) for one in content) and all(_is_file(one) or isinstance(one, str) for one in content):  # fmt: skip
        return ToolResult.of(call_id, [item(one) for one in content], error, {FAMILY: members} if members else {})
    if _is_file(content):
        return ToolResult.of(call_id, [item(content)], error, {FAMILY: {**members, "content": "file"}})
    text = json.dumps(unmarked(content), ensure_ascii=False)
    return ToolResult(call_id, text, error, extra={FAMILY: {**members, "content": "json"}})


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and value.get("kind") in LINKS | {"binary"} and ("url" in value or "data" in value)
