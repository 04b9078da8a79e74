"""From the content blocks of a message, LangChain's own and those of providers, to lamina's parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from lamina.kit.blocks import opaque
from lamina.kit.documents import pages
from lamina.kit.forms import MalformedError
from lamina.kit.sources import arguments
from lamina.model import Extra, Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.verbatim import unmarked
from lamina_format_langchain._rules import CALLS, FAMILY

_THOUGHTS = {"thinking": "thinking", "redacted_thinking": "data", "reasoning": "reasoning"}
"""Blocks that are reasoning, and the member that holds the text."""


def content(value: Any) -> list[Part]:
    """The parts of a message's content; empty text is no part."""
    match value:
        case None:
            return []
        case str():
            return [Text(value)] if value else []
        case list():
            parts = [_part(block) for block in value]
            if any(not isinstance(part, Text) for part in parts):
                return parts
            # Nothing else says that they came as blocks: they go out as one text otherwise.
            return [evolve(p, extra=p.extra or {FAMILY: {}}) for p in parts if isinstance(p, Text)]
        case _:
            raise MalformedError(f"content must be text or a list of blocks, not {type(value).__name__}")


def _part(block: Any) -> Part:
    if isinstance(block, str):
        return Text(block)
    if not isinstance(block, dict):
        raise MalformedError(f"a block of the content must be text or an object, not {type(block).__name__}")
    match block:
        case {"type": "text", "text": str(text)} if "source_type" not in block:
            return Text(text, extra=extra(block, "type", "text"))
        case {"type": str(kind)} if kind in CALLS and (call := _call(block, *CALLS[kind])):
            return call
        case {"type": "tool_result", "tool_use_id": str(call_id)}:
            inner = [part for part in content(block.get("content")) if isinstance(part, Text | Image | Opaque)]
            return ToolResult.of(call_id, inner, block.get("is_error") is True)
        case {"type": str(kind)} if kind in _THOUGHTS:
            return _thought(block, _THOUGHTS[kind])
        case {"type": "image" | "image_url"} if shown := _image(block):
            return shown
        case {"type": str(kind)}:
            return _carried(kind, block)
        case _:
            # Bedrock's blocks have no type, but a member of their own.
            return _carried(next(iter(block), "block"), block)


def extra(block: Mapping[str, Any], *known: str) -> Extra:
    """The members that are not known, as LangChain's own."""
    rest = {key: unmarked(value) for key, value in block.items() if key not in known}
    return {FAMILY: rest} if rest else {}


def _call(block: Mapping[str, Any], id_key: str, args_key: str) -> ToolCall | None:
    call_id, name = block.get(id_key), block.get("name")
    if not (isinstance(call_id, str) and isinstance(name, str)):
        return None
    rest = {key: unmarked(value) for key, value in block.items() if key not in (id_key, "name", args_key)}
    return ToolCall(call_id, name, arguments(block.get(args_key) or {}), extra={FAMILY: {"block": rest}})


def _thought(block: Mapping[str, Any], key: str) -> Reasoning:
    text, signature = block.get(key), block.get("signature")
    held = {name: unmarked(value) for name, value in block.items() if name != key}
    if not isinstance(text, str):
        # OpenAI's reasoning says what it says in a summary.
        held = dict(unmarked(dict(block)))
        summary = block.get("summary")
        lines = [item.get("text") for item in summary if isinstance(item, dict)] if isinstance(summary, list) else []
        return Reasoning("\n".join(line for line in lines if isinstance(line, str)), extra={FAMILY: {"whole": held}})
    if block["type"] != "thinking" or not (isinstance(signature, str) and signature):
        return Reasoning(text, redacted=block["type"] == "redacted_thinking", extra={FAMILY: held})
    del held["signature"]
    return Reasoning(text, signature, extra={FAMILY: held})


def _image(block: Mapping[str, Any]) -> Image | None:
    """An image in any of the shapes that LangChain knows, which is kept but for the data (``@``)."""
    media = block.get("mime_type")
    match block:
        case {"type": "image_url", "image_url": {"url": str(url)} as inner}:
            return _linked(url, {**block, "image_url": {**inner, "url": "@"}})
        case {"type": "image_url", "image_url": str(url)}:
            return _linked(url, {**block, "image_url": "@"})
        case {"type": "image", "source": {"type": "base64", "media_type": str(kind), "data": str(data)} as source}:
            return _shaped(kind, data, {**block, "source": {**source, "data": "@"}})
        case {"type": "image", "source": {"type": "url", "url": str(url)} as source}:
            return _shaped("url", url, {**block, "source": {**source, "url": "@"}})
        case {"type": "image", "base64": str(data)} if isinstance(media, str):
            rest = {key: value for key, value in block.items() if key not in ("base64", "mime_type", "type")}
            return Image(media, data, extra={FAMILY: dict(unmarked(rest))} if rest else {})
        case {"type": "image", "source_type": "base64", "data": str(data)} if isinstance(media, str):
            return _shaped(media, data, {**block, "data": "@"})
        case {"type": "image", "url": str(url)}:
            return _shaped("url", url, {**block, "url": "@"}) if block.keys() != {"type", "url"} else Image("url", url)
        case _:
            return None


def _linked(url: str, shape: dict[str, Any]) -> Image:
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return _shaped(head[len("data:") : -len(";base64")], data, shape)
    return _shaped("url", url, shape)


def _shaped(media: str, data: str, shape: dict[str, Any]) -> Image:
    return Image(media, data, extra={FAMILY: {"shape": unmarked(shape)}})


def _carried(kind: str, block: Mapping[str, Any]) -> Opaque:
    media, data = block.get("mime_type"), block.get("base64") or block.get("data")
    held = block.get("file")
    if isinstance(held, dict) and isinstance(held.get("file_data"), str):
        media, data = "application/pdf", held["file_data"].partition(",")[2] or held["file_data"]
    said = [block[key] for key in ("title", "context", "filename", "text", "url") if isinstance(block.get(key), str)]
    if isinstance(data, str) and isinstance(media, str) and kind in ("file", "audio", "video", "image"):
        # Sound and films cost by their length; what a page of a document costs for so many bytes is more.
        return Opaque(f"{FAMILY}:{kind}", unmarked(block), text="\n".join(said), pages=pages(data))
    if kind == "text-plain" or said:
        return Opaque(f"{FAMILY}:{kind}", unmarked(block), text="\n".join(said))
    return evolve(opaque(kind, block), kind=f"{FAMILY}:{kind}")
