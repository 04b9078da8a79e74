"""From the content of a chat message to lamina's parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from lamina.kit.documents import pages
from lamina.kit.forms import MalformedError
from lamina.kit.sources import arguments
from lamina.model import Extra, Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.verbatim import extra, unmarked
from lamina_format_openai._rules import FAMILY

_BLOCKS = "anthropic"
"""Histories of mixed origin hold blocks of this family in their content."""


def content(value: Any) -> list[Part]:
    """The parts of a message's content; empty text is no part, unless it is a part by itself."""
    match value:
        case None:
            return []
        case str():
            return [Text(value)] if value else []
        case list():
            parts = [_part(part) for part in value]
            texts = [part for part in parts if isinstance(part, Text)]
            if len(texts) < len(parts):
                return parts
            # Nothing else says that they came as parts: they go out as one text otherwise.
            return [evolve(text, extra=text.extra or {FAMILY: {}}) for text in texts]
        case _:
            raise MalformedError(f"content must be text, a list of parts or null, not {type(value).__name__}")


def _part(part: Any) -> Part:
    match part:
        case str():
            return Text(part)
        case {"type": "text", "text": str(text)}:
            return Text(text, extra=extra(FAMILY, part, ("type", "text")))
        case {"type": "refusal", "refusal": str(text)}:
            return Text(text, extra=extra(FAMILY, part, ("refusal",)))
        case {"type": "image_url", "image_url": {"url": str(url)} | str(url)}:
            return _image(part, url)
        case {"type": "file", "file": {"file_data": str(data)} as file}:
            name = file.get("filename")
            said = name if isinstance(name, str) else ""
            return Opaque(f"{FAMILY}:file", unmarked(part), text=said, pages=pages(data.partition(",")[2] or data))
        case {"type": "tool_use" | "tool_result" | "thinking" | "redacted_thinking" | "image" as kind}:
            return _block(kind, part)
        case {"type": str(kind)}:
            return Opaque(f"{FAMILY}:{kind}", unmarked(part), text=_said(part))
        case _:
            raise MalformedError("a part of the content must be an object with a type")


def _said(part: Mapping[str, Any]) -> str:
    text = part.get("text")
    return text if isinstance(text, str) else ""


def _image(part: Mapping[str, Any], url: str) -> Image:
    inner = part["image_url"]
    members = dict(extra(FAMILY, inner, ("url",)).get(FAMILY, {})) if isinstance(inner, dict) else {}
    if beside := extra(FAMILY, part, ("type", "image_url")):
        members["part"] = beside[FAMILY]
    head, comma, data = url.partition(",")
    given: Extra = {FAMILY: members} if members else {}
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return Image(head[len("data:") : -len(";base64")], data, extra=given)
    return Image("url", url, extra=given)


def _block(kind: str, block: Mapping[str, Any]) -> Part:
    """A block of another provider's form, which a history of mixed origin holds."""
    match block:
        case {"type": "tool_use", "id": str(call_id), "name": str(name)}:
            more = extra(_BLOCKS, block, ("type", "id", "name", "input"))
            return ToolCall(call_id, name, arguments(block.get("input", {})), extra=more)
        case {"type": "tool_result", "tool_use_id": str(call_id)}:
            inner = [part for part in content(block.get("content")) if isinstance(part, Text | Image | Opaque)]
            return ToolResult.of(call_id, inner, block.get("is_error") is True)
        case {"type": "thinking", "thinking": str(text)}:
            signature = block.get("signature")
            return Reasoning(text, signature if isinstance(signature, str) and signature else None)
        case {"type": "redacted_thinking", "data": str(data)}:
            return Reasoning(data, redacted=True)
        case {"type": "image", "source": {"type": "base64", "media_type": str(media), "data": str(data)}}:
            return Image(media, data)
        case {"type": "image", "source": {"type": "url", "url": str(url)}}:
            return Image("url", url)
        case {"type": "tool_use" | "tool_result"}:
            raise MalformedError(f"a block of type {kind!r} lacks what it must have")
        case _:
            return Opaque(f"{_BLOCKS}:{kind}", unmarked(block))
