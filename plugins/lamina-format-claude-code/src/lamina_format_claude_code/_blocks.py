"""From the blocks that Claude Code records, which are Anthropic's, to lamina's parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamina.documents import pages
from lamina.model import Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.sources import arguments
from lamina.verbatim import extra, unmarked

FAMILY = "anthropic"
"""Whose members and blocks these are."""


class MalformedError(Exception):
    """Why a message cannot be read; the caller adds the place."""


def content(value: Any) -> list[Part]:
    """The parts of a message's content, in order."""
    match value:
        case None:
            return []
        case str():
            return [Text(value)]
        case list():
            return [_part(block) for block in value]
        case _:
            raise MalformedError(f"content must be text or a list of blocks, not {type(value).__name__}")


def _part(block: Any) -> Part:
    match block:
        case str():
            return Text(block)
        case {"type": "text", "text": str(text)}:
            return Text(text, extra=_extra(block, "text"))
        case {"type": "tool_use", "id": str(call_id), "name": str(name)}:
            return ToolCall(
                call_id, name, arguments(block.get("input", {})), extra=_extra(block, "id", "name", "input")
            )
        case {"type": "tool_result", "tool_use_id": str(call_id)}:
            return _result(call_id, block)
        case {"type": "image", "source": {"type": "base64", "media_type": str(media), "data": str(data)}}:
            return Image(media, data, extra=_extra(block, "source"))
        case {"type": "image", "source": {"type": "url", "url": str(url)}}:
            return Image("url", url, extra=_extra(block, "source"))
        case {"type": "thinking", "thinking": str(text)}:
            signature = block.get("signature")
            signed = signature if isinstance(signature, str) and signature else None
            return Reasoning(text, signed, extra=_extra(block, "thinking", "signature"))
        case {"type": "redacted_thinking", "data": str(data)}:
            return Reasoning(data, redacted=True, extra=_extra(block, "data"))
        case {"type": "text" | "tool_use" | "tool_result" as kind}:
            raise MalformedError(f"a block of type {kind!r} lacks what it must have")
        case {"type": str(kind)}:
            return opaque(kind, block)
        case _:
            raise MalformedError("a block of the content must be an object with a type")


def _extra(block: Mapping[str, Any], *known: str) -> Any:
    return extra(FAMILY, block, ("type", *known))


def _result(call_id: str, block: dict[str, Any]) -> ToolResult:
    said, error = block.get("content"), block.get("is_error") is True
    more, parts = _extra(block, "tool_use_id", "content", "is_error"), content(said)
    if not isinstance(said, list):
        return ToolResult(call_id, "".join(p.text for p in parts if isinstance(p, Text)), error, extra=more)
    inner = [part if isinstance(part, Text | Image | Opaque) else opaque("block", raw) for part, raw in zip(parts, said, strict=True)]  # fmt: skip
    return ToolResult.of(call_id, inner, error, more)


def opaque(kind: str, block: Mapping[str, Any]) -> Opaque:
    """A block that the model has no word for, with what it says."""
    data = unmarked(block)
    match block:
        case {"type": "document", "source": {"type": "text", "data": str(text)}}:
            return Opaque(f"{FAMILY}:{kind}", data, text=_said(block, text), pages=0)
        case {"type": "document", "source": {"type": "base64", "data": str(pdf)}}:
            return Opaque(f"{FAMILY}:{kind}", data, text=_said(block), pages=pages(pdf))
        case {"type": "document", "source": {"type": "content", "content": inner}}:
            # A picture in a document is charged as one, and so is a page.
            return Opaque(f"{FAMILY}:{kind}", data, text=_said(block, *_texts(inner)), pages=_images(inner))
        case {"type": "document"}:
            # A link or an uploaded file: there is a page at least.
            return Opaque(f"{FAMILY}:{kind}", data, text=_said(block, *_names(block.get("source"))), pages=1)
        case {"type": "search_result", "content": inner}:
            return Opaque(f"{FAMILY}:{kind}", data, text=_said(block, *_names(block), *_texts(inner)), pages=0)
        case {"type": "tool_reference", "tool_name": str(name)}:
            return Opaque(f"{FAMILY}:{kind}", data, text=name)
        case _:
            # What the provider's own tools took and gave is charged whole; only what is readable is recalled.
            return Opaque(f"{FAMILY}:{kind}", data, text="\n".join(_readable(block)))


def _said(block: Mapping[str, Any], *texts: str) -> str:
    heads = [block[name] for name in ("title", "context") if isinstance(block.get(name), str)]
    return "\n".join(text for text in (*heads, *texts) if text)


def _texts(value: Any) -> list[str]:
    blocks = value if isinstance(value, list) else [value]
    found = [b if isinstance(b, str) else b.get("text") if isinstance(b, dict) else None for b in blocks]
    return [text for text in found if isinstance(text, str)]


def _images(value: Any) -> int:
    return sum(isinstance(b, dict) and b.get("type") == "image" for b in value) if isinstance(value, list) else 0


def _names(value: Any) -> list[str]:
    members = value if isinstance(value, dict) else {}
    return [members[name] for name in ("source", "url") if isinstance(members.get(name), str)]


_READABLE = frozenset({"title", "url", "text", "query", "stdout", "stderr", "name", "command", "code"})


def _readable(value: Any) -> list[str]:
    """The texts of the members that people read, in order; base64 and signatures are none."""
    if isinstance(value, list):
        return [text for item in value for text in _readable(item)]
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for key, item in value.items():
        if isinstance(item, str):
            found += [item] if key in _READABLE and item else []
        else:
            found += _readable(item)
    return found
