"""From lamina's parts to the content blocks and calls of a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamina.kit.images import mended
from lamina.kit.sources import as_object
from lamina.model import Extra, Image, Opaque, Part, Reasoning, Text, ToolCall
from lamina.verbatim import Ids, LeftOut, foreign, members
from lamina_format_langchain._rules import CALLS, FAMILY

Block = dict[str, Any]


class Blocks:
    """Makes blocks of parts, and tells what it leaves out.

    Args:
        told: Collects what is left out.
        kept: Whether the blocks are written to be kept: images stay as they are then.
    """

    def __init__(self, told: LeftOut, *, kept: bool) -> None:
        self.told, self._kept = told, kept
        self.ids = Ids(plain=False)

    def members(self, extra: Extra) -> Block:
        """The members that go out again, as a new object."""
        if not extra:
            return {}
        self.told(*foreign(extra, FAMILY))
        return dict(members(extra, FAMILY))

    def of(self, part: Part) -> Block | None:
        """The block of a part that is neither a call nor a result; ``None`` where there is nothing to show."""
        match part:
            case Text(text):
                return {"type": "text", "text": text, **self.members(part.extra)}
            case Image():
                return self._image(part)
            case Reasoning() if FAMILY in part.extra:
                return self._thought(part)
            case Opaque(kind, data):
                family, _, name = kind.partition(":")
                return dict(data) if family == FAMILY else self._as_text(part, name)
            case _:
                self.told("reasoning")
                return None

    def call(self, call: ToolCall) -> tuple[Block, Block | None]:
        """The call as it stands beside the content, and as a block of the content where it came as one, too."""
        given, unique = self.members(call.extra), self.ids.call(call.id)
        block = given.pop("block", None)
        args = as_object(call.arguments) if call.arguments.strip() else {}
        fit: Any = {"_raw": call.arguments} if args is None else dict(args)
        shown = None
        if isinstance(block, Mapping) and (keys := CALLS.get(str(block.get("type")))):
            as_text = block["type"] == "function_call"
            shown = {**block, keys[0]: unique, "name": call.name, keys[1]: call.arguments if as_text else fit}
        if given.get("type") == "invalid_tool_call":
            text = given.pop("args", call.arguments)
            return {"error": None, **given, "name": call.name, "args": text, "id": unique}, shown
        return {"type": "tool_call", **given, "name": call.name, "args": fit, "id": unique}, shown

    def _thought(self, part: Reasoning) -> Block:
        given = self.members(part.extra)
        if isinstance(whole := given.get("whole"), Mapping):
            return dict(whole)
        kind = given.pop("type", "reasoning")
        key = {"thinking": "thinking", "redacted_thinking": "data"}.get(str(kind), "reasoning")
        signed = {"signature": part.signature} if part.signature else {}
        return {"type": kind, key: part.text, **signed, **given}

    def _as_text(self, part: Opaque, name: str) -> Block:
        if not part.text.strip():
            self.told(name)
            return {"type": "text", "text": f"[{name} left out]"}
        self.told.as_text(name)
        return {"type": "text", "text": part.text}

    def _image(self, image: Image) -> Block:
        given = self.members(image.extra)
        shape = given.pop("shape", None)
        if isinstance(shape, Mapping):
            return _filled(shape, image)
        image = image if self._kept else mended(image)
        if image.media_type == "url":
            return {"type": "image", "url": image.data, **given}
        return {"type": "image", "base64": image.data, "mime_type": image.media_type, **given}


def _filled(shape: Mapping[str, Any], image: Image) -> Block:
    """The shape that an image came in, with its data where ``@`` stands."""
    data = image.data
    if shape.get("type") == "image_url":
        data = data if image.media_type == "url" else f"data:{image.media_type};base64,{data}"
    made = {key: data if value == "@" else value for key, value in shape.items()}
    for key in ("image_url", "source"):
        if isinstance(inner := made.get(key), Mapping):
            made[key] = {name: data if value == "@" else value for name, value in inner.items()}
    return made
