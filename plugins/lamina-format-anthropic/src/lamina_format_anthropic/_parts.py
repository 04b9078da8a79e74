"""From lamina's parts to Anthropic's blocks."""

from __future__ import annotations

from typing import Any

from lamina.kit.images import mended
from lamina.kit.sources import as_object
from lamina.model import Extra, Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.verbatim import Ids, LeftOut, foreign, members, named, unmarked
from lamina_format_anthropic._images import refused, short
from lamina_format_anthropic._rules import FAILED, FAMILY, INSIDE, KNOWN, NAME_CHARS, NO_OUTPUT, fits

Block = dict[str, Any]


class Blocks:
    """Makes blocks of parts, and tells what it leaves out.

    Args:
        ids: Of the window's calls.
        told: Collects what is left out.
        kept: Whether the blocks are written to be kept: images stay then, whatever the API takes.
    """

    def __init__(self, ids: Ids, told: LeftOut, *, kept: bool = False) -> None:
        self._ids, self.told, self._kept = ids, told, kept

    def of(self, part: Part, role: str) -> list[Block]:
        """The blocks of a part in a message of this role: one, or none where there is nothing to show."""
        match part:
            case Text(text):
                return [{"type": "text", "text": text, **self._members(part.extra)}] if text.strip() else []
            case ToolResult():
                return [self._result(part)]
            case ToolCall(call_id, name, args):
                given = as_object(args) if args.strip() else {}
                made = {"type": "tool_use", "id": self._ids.call(call_id), "name": named(name, NAME_CHARS)}
                return [{**made, "input": {"_raw": args} if given is None else given, **self._members(part.extra)}]
            case Image():
                return [self._image(part) if fits("image", role) else self._gone("image")]
            case Reasoning():
                return self._reasoning(part, role)
            case Opaque():
                return [self._opaque(part, fits(part.data.get("type"), role))]

    def _members(self, extra: Extra) -> Block:
        if not extra:
            return {}
        self.told(*foreign(extra, FAMILY))
        return dict(unmarked(dict(members(extra, FAMILY))))

    def _reasoning(self, part: Reasoning, role: str) -> list[Block]:
        others = bool(part.extra) and FAMILY not in part.extra  # signed by another provider
        if role != "assistant" or others or not (part.redacted or part.signature):
            self.told("reasoning")
            return []
        if part.redacted:
            return [{"type": "redacted_thinking", "data": part.text, **self._members(part.extra)}]
        made = {"type": "thinking", "thinking": part.text, "signature": part.signature}
        return [{**made, **self._members(part.extra)}]

    def _opaque(self, part: Opaque, fit: bool) -> Block:
        family, _, kind = part.kind.partition(":")
        # A document without a text is refused like a text without one.
        if family == FAMILY and fit and not (part.pages == 0 and not part.text.strip()):
            return dict(unmarked(dict(part.data)))
        if part.text.strip():
            self.told.as_text(kind)
            return {"type": "text", "text": part.text}
        return self._gone(kind)

    def _gone(self, what: str, why: str = "") -> Block:
        self.told(what)
        return {"type": "text", "text": f"[{what} left out{': ' if why else ''}{why}]"}

    def _result(self, result: ToolResult) -> Block:
        made: Block = {"type": "tool_result", "tool_use_id": self._ids.result(result.call_id)}
        if not (result.blocks or result.images):
            content: Any = result.text if result.text.strip() else NO_OUTPUT if result.error else ""
        else:
            inner = [self._inner(block) for block in result.blocks or (Text(result.text), *result.images)]
            content = [block for block in inner if block is not None]
        error = result.error
        if error and not content:
            content = NO_OUTPUT
        elif error and isinstance(content, list) and any(block["type"] != "text" for block in content):
            self.told("error mark")
            content, error = [{"type": "text", "text": FAILED}, *content], False
        made["content"] = content or ""
        return {**made, **({"is_error": True} if error else {}), **self._members(result.extra)}

    def _inner(self, block: Text | Image | Opaque) -> Block | None:
        match block:
            case Text(text):
                return {"type": "text", "text": text, **self._members(block.extra)} if text.strip() else None
            case Image():
                return self._image(block)
            case Opaque():
                kind = block.data.get("type")
                return self._opaque(block, kind in INSIDE or kind not in KNOWN)

    def _image(self, image: Image) -> Block:
        image = image if self._kept else mended(image)
        if image.media_type == "url":
            if not self._kept and not image.data.startswith("https://"):
                return self._gone("image", short(image.data))
            return {"type": "image", "source": {"type": "url", "url": image.data}, **self._members(image.extra)}
        why = "" if self._kept else refused(image)
        if why:
            return self._gone("image", why)
        source = {"type": "base64", "media_type": image.media_type, "data": image.data}
        return {"type": "image", "source": source, **self._members(image.extra)}
