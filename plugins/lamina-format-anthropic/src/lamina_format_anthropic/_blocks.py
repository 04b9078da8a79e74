"""From Anthropic's blocks to lamina's parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamina.kit.blocks import opaque
from lamina.kit.forms import MalformedError
from lamina.kit.sources import arguments, as_object
from lamina.model import Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.verbatim import extra
from lamina_format_anthropic._rules import FAILED, FAMILY, NO_OUTPUT


def content(value: Any) -> list[Part]:
    """The parts of a message's content, in order; empty text is no part."""
    match value:
        case None:
            return []
        case str():
            return [Text(value)] if value else []
        case list():
            return [_part(block) for block in value]
        case _:
            raise MalformedError(f"content must be text or a list of blocks, not {type(value).__name__}")


def _part(block: Any) -> Part:
    match block:
        case {"type": "text", "text": str(text)}:
            return Text(text, extra=_extra(block, "text"))
        case {"type": "tool_use", "id": str(call_id), "name": str(name)}:
            return ToolCall(call_id, name, _input(block.get("input", {})), extra=_extra(block, "id", "name", "input"))
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


def _input(value: Any) -> str:
    """The input as JSON text; what was wrapped because it is no object is unwrapped again."""
    match value:
        case {"_raw": str(raw)} if len(value) == 1 and as_object(raw) is None:
            return raw
        case _:
            return arguments(value)


def _result(call_id: str, block: dict[str, Any]) -> ToolResult:
    """A result; what stands for nothing in it, because the API wants text, is nothing again."""
    said, error = block.get("content"), block.get("is_error") is True
    more = _extra(block, "tool_use_id", "content", "is_error")
    if not isinstance(said, list):
        parts = content(said)
        text = "".join(part.text for part in parts if isinstance(part, Text))
        return ToolResult(call_id, "" if error and text == NO_OUTPUT else text, error, extra=more)
    parts = content(said)
    inner = [part if isinstance(part, Text | Image | Opaque) else opaque("block", raw) for part, raw in zip(parts, said, strict=True)]  # fmt: skip
    if inner[:1] == [Text(FAILED)] and any(not isinstance(part, Text) for part in inner):
        inner, error = inner[1:], True
    return ToolResult.of(call_id, inner, error, more)
