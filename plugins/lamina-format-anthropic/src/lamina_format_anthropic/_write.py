"""Writing: from lamina's messages to Anthropic's."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from typing import Any

from lamina.model import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.sources import as_object

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NOT_NAME = re.compile(r"[^a-zA-Z0-9_-]")


def write(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Give the messages in the form of the Messages API, content always as a list of blocks.

    System messages before all others become one first element of role ``system``: take it out and send its
    content as the parameter ``system``. Later ones are said by the user, where they stand. Messages of one side
    that follow each other become one, in which tool results come first. Blank texts, reasoning without a
    signature, images of the assistant and messages of which nothing remains are left out. Arguments that are no
    JSON object become ``{"_raw": …}``. In names and ids of calls, what the API refuses becomes ``_``.
    """
    made: list[dict[str, Any]] = []
    for message in messages:
        leading = message.role == "system" and (not made or made[-1]["role"] == "system")
        role = "system" if leading else "assistant" if message.role == "assistant" else "user"
        blocks = [block for part in message.parts if (block := _block(part, message.role)) is not None]
        if not blocks:
            continue
        if not made or made[-1]["role"] != role:
            made.append({"role": role, "content": []})
        content = made[-1]["content"]
        results = [block for block in blocks if block["type"] == "tool_result"]
        first = next((k for k, block in enumerate(content) if block["type"] != "tool_result"), len(content))
        content[first:first] = results
        content += [block for block in blocks if block["type"] != "tool_result"]
    return made


def _block(part: Part, role: str) -> dict[str, Any] | None:
    match part:
        case Text(text):
            return {"type": "text", "text": text} if text.strip() else None
        case ToolResult():
            return _result(part)
        case ToolCall(call_id, name, args):
            given = as_object(args)
            return {
                "type": "tool_use",
                "id": _id(call_id),
                "name": _NOT_NAME.sub("_", name)[:128] or "_",
                "input": {"_raw": args} if given is None else given,
            }
        case Image() if role != "assistant":
            return _image(part)
        case Reasoning(data, _, redacted=True):
            return {"type": "redacted_thinking", "data": data}
        case Reasoning(text, signature) if signature:
            return {"type": "thinking", "thinking": text, "signature": signature}
        case Opaque(kind, data) if kind.startswith("anthropic:"):
            return dict(data)
        case _:
            return None


def _result(result: ToolResult) -> dict[str, Any]:
    content: str | list[dict[str, Any]] = result.text
    if result.images:
        text = [{"type": "text", "text": result.text}] if result.text.strip() else []
        content = [*text, *map(_image, result.images)]
    block = {"type": "tool_result", "tool_use_id": _id(result.call_id), "content": content}
    return block | {"is_error": True} if result.error else block


def _image(image: Image) -> dict[str, Any]:
    if image.media_type == "url":
        return {"type": "image", "source": {"type": "url", "url": image.data}}
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": image.data}}


def _id(call_id: str) -> str:
    """The id, if the API takes it; else one that it takes, and that no other id of the window becomes."""
    if _ID.fullmatch(call_id):
        return call_id
    return f"{_NOT_NAME.sub('_', call_id)}_{zlib.crc32(call_id.encode('utf-8', 'surrogatepass')):08x}"
