"""Writing: from messages to the lines of a session file."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from lamina.kit.blocks import FAMILY
from lamina.kit.sources import as_object
from lamina.model import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.verbatim import Ids, LeftOut, foreign, members
from lamina_format_claude_code._read import PROMPT

_SPACE = uuid.UUID("6f3c1d0e-6a57-4c0a-9f5e-6c616d696e61")


def write(
    messages: Iterable[Message], *, session: str = "", first: int = 0, told: LeftOut | None = None
) -> list[dict[str, Any]]:
    """Give one line per message, each with a ``uuid`` and its predecessor's as ``parentUuid``.

    The uuids follow from ``session`` and the line's index (``first`` is the first one's), so that the same
    session is written the same way each time. System messages become lines of type ``system``, subtype
    ``prompt``. Reasoning without a signature is left out; parts of other providers are carried as text, where they
    say something, or left out. Messages of which nothing remains are gone.

    Args:
        messages: In the order of the conversation.
        session: The ``sessionId`` of each line, if any.
        first: How many lines stand before.
        told: Collects what is left out.
    """
    told, ids = LeftOut() if told is None else told, Ids(plain=False)
    lines: list[dict[str, Any]] = []
    parent: str | None = None
    for message in messages:
        blocks = [block for part in message.parts if (block := _block(part, told, ids)) is not None]
        told(*foreign(message.extra, FAMILY))
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
    content: str | list[dict[str, Any]] = blocks or ""
    match message.parts:
        case (Text(text) as part,) if message.role != "assistant" and not part.extra:
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


def _block(part: Part, told: LeftOut, ids: Ids) -> dict[str, Any] | None:
    if isinstance(part, Opaque):
        return _opaque(part, told)
    made = _own(part, told, ids)
    if made is None:
        told("reasoning")
        return None
    told(*foreign(part.extra, FAMILY))
    return {**made, **members(part.extra, FAMILY)}


def _own(part: Part, told: LeftOut, ids: Ids) -> dict[str, Any] | None:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case ToolCall(call_id, name, args):
            given = as_object(args)
            return {
                "type": "tool_use",
                "id": ids.call(call_id),
                "name": name,
                "input": args if given is None else given,
            }
        case ToolResult(call_id, text, error, images):
            inner = part.blocks or (*((Text(text),) if images else ()), *images)
            blocks = [block for shown in inner if (block := _block(shown, told, ids)) is not None]
            content: str | list[dict[str, Any]] = blocks or text
            made = {"type": "tool_result", "tool_use_id": ids.result(call_id), "content": content}
            return made | {"is_error": True} if error else made
        case Image():
            return _image(part)
        case Reasoning(data, _, redacted=True):
            return {"type": "redacted_thinking", "data": data}
        case Reasoning(text, signature) if signature and (not part.extra or FAMILY in part.extra):
            return {"type": "thinking", "thinking": text, "signature": signature}
        case _:
            return None


def _opaque(part: Opaque, told: LeftOut) -> dict[str, Any] | None:
    family, _, kind = part.kind.partition(":")
    if family == FAMILY:
        return dict(part.data)
    if part.text.strip():
        told.as_text(kind)
        return {"type": "text", "text": part.text}
    told(kind)
    return None


def _image(image: Image) -> dict[str, Any]:
    if image.media_type == "url":
        return {"type": "image", "source": {"type": "url", "url": image.data}}
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": image.data}}
