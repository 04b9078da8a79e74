"""Writing: from messages to the lines of a session file."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from lamina.model import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.sources import as_object
from lamina_format_claude_code._read import PROMPT

_SPACE = uuid.UUID("6f3c1d0e-6a57-4c0a-9f5e-6c616d696e61")


def write(messages: Iterable[Message], *, session: str = "", first: int = 0) -> list[dict[str, Any]]:
    """Give one line per message, each with a ``uuid`` and its predecessor's as ``parentUuid``.

    The uuids follow from ``session`` and the line's index (``first`` is the first one's), so that the same
    session is written the same way each time. System messages become lines of type ``system``, subtype
    ``prompt``. Reasoning without a signature and parts of other providers are left out, and messages of which
    nothing remains.

    Args:
        messages: In the order of the conversation.
        session: The ``sessionId`` of each line, if any.
        first: How many lines stand before.
    """
    lines: list[dict[str, Any]] = []
    parent: str | None = None
    for message in messages:
        blocks = [block for part in message.parts if (block := _block(part)) is not None]
        if message.parts and not blocks:
            continue
        own = str(uuid.uuid5(_SPACE, f"{session}\n{first + len(lines)}"))
        line: dict[str, Any] = {"parentUuid": parent, "isSidechain": False, "userType": "external"}
        if session:
            line["sessionId"] = session
        lines.append(line | _said(message, blocks) | {"uuid": own} | _stamp(message))
        parent = own
    return lines


def _said(message: Message, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    content: str | list[dict[str, Any]] = blocks
    match message.parts:
        case (Text(text),) if message.role != "assistant":
            content = text
    if message.role == "system":
        return {"type": "system", "subtype": PROMPT, "content": content}
    role = "assistant" if message.role == "assistant" else "user"
    said: dict[str, Any] = {"role": role, "content": content}
    return {"type": role, "message": said | ({"id": message.group} if message.group else {})}


def _stamp(message: Message) -> dict[str, Any]:
    if message.created_s is None:
        return {}
    try:
        at = datetime.fromtimestamp(message.created_s, UTC)
    except (ValueError, OverflowError, OSError):
        return {}
    return {"timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def _block(part: Part) -> dict[str, Any] | None:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case ToolCall(call_id, name, args):
            given = as_object(args)
            return {"type": "tool_use", "id": call_id, "name": name, "input": args if given is None else given}
        case ToolResult(call_id, text, error, images):
            content: str | list[dict[str, Any]] = text
            if images:
                content = [{"type": "text", "text": text}, *map(_image, images)]
            block = {"type": "tool_result", "tool_use_id": call_id, "content": content}
            return block | {"is_error": True} if error else block
        case Image():
            return _image(part)
        case Reasoning(data, _, redacted=True):
            return {"type": "redacted_thinking", "data": data}
        case Reasoning(text, signature) if signature:
            return {"type": "thinking", "thinking": text, "signature": signature}
        case Opaque(kind, data) if kind.startswith("anthropic:"):
            return dict(data)
        case _:
            return None


def _image(image: Image) -> dict[str, Any]:
    if image.media_type == "url":
        return {"type": "image", "source": {"type": "url", "url": image.data}}
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": image.data}}
