"""Writing: from lamina's messages to chat messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from lamina.model import Image, Message, Opaque, Text, ToolCall


def write(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Give the messages in the form of chat completions.

    Texts are joined by a line feed into one string; where a message shows images or other parts, content is a
    list. Pieces of one message are joined. What the form cannot hold is left out: reasoning, whether a result is
    an error, images in results, and messages of which nothing remains.
    """
    made: list[dict[str, Any]] = []
    for message in _joined(messages):
        if message.role == "tool":
            made += [{"role": "tool", "tool_call_id": r.call_id, "content": r.text} for r in message.results]
            continue
        content = _content(message)
        if message.role == "assistant" and (calls := [_call(call) for call in message.calls]):
            # The API itself gives null beside calls, and no server asks for less than it gives.
            made.append({"role": "assistant", "content": content or None, "tool_calls": calls})
        elif content or not message.parts or any(isinstance(part, Text) for part in message.parts):
            made.append({"role": message.role, "content": content})
    return made


def _joined(messages: Iterable[Message]) -> list[Message]:
    joined: list[Message] = []
    for message in messages:
        last = joined[-1] if joined else None
        if last and message.role == last.role == "assistant" and message.group and message.group == last.group:
            joined[-1] = attrs.evolve(last, parts=last.parts + message.parts)
        else:
            joined.append(message)
    return joined


def _content(message: Message) -> str | list[dict[str, Any]]:
    parts = [_part(part) for part in message.parts if isinstance(part, Text | Image | Opaque)]
    shown = [part for part in parts if part is not None]
    if all(part["type"] == "text" for part in shown):
        return message.text
    return shown


def _part(part: Text | Image | Opaque) -> dict[str, Any] | None:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image(media_type, data):
            url = data if media_type == "url" else f"data:{media_type};base64,{data}"
            return {"type": "image_url", "image_url": {"url": url}}
        case Opaque(kind, data) if kind.startswith("openai:"):
            return dict(data)
        case _:
            return None


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
