"""Writing: from lamina's messages to chat messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from lamina.kit.forms import joined
from lamina.kit.images import mended, readable
from lamina.model import Extra, Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.rendering import OPENING
from lamina.verbatim import Ids, LeftOut, foreign, members, named
from lamina_format_openai._rules import FAMILY, ID_CHARS, MEDIA, NAME_CHARS, SPEAKER, URL, fits, is_json


def write(
    messages: Iterable[Message], *, told: LeftOut | None = None, piece: bool = False, kept: bool = False
) -> list[dict[str, Any]]:
    """Give the messages in the form of chat completions.

    Texts are joined by a line feed into one string; where a message shows images or other parts, or its texts came as
    parts, content is a list. Pieces of one message are joined. Members and parts that came in this form go out again.

    What the form cannot hold is left out, or said in words (``[image left out]``): reasoning of other providers,
    whether a result is an error, images in results. A message of which nothing would remain but such reasoning is
    gone; where no message would remain, a line stands for the conversation. Ids and names of calls that are too long end in a hash; arguments that are no JSON become ``{"_raw": …}``.

    Args:
        messages: In the order of the conversation.
        told: Collects what is left out.
        piece: Whether they are a piece of a conversation, of which nothing may remain.
        kept: Whether they are written to be kept, and not to be sent: images stay then, whatever the API takes.
    """
    writer, given = _Writer(LeftOut() if told is None else told, kept), joined(messages)
    made = [one for message in given for one in writer.messages(message)]
    return made or ([] if piece or kept else [{"role": "user", "content": OPENING} for _ in given[:1]])


class _Writer:
    """Writes message by message, and tells what it leaves out."""

    def __init__(self, told: LeftOut, kept: bool) -> None:
        self._told, self._kept, self._ids = told, kept, Ids(ID_CHARS, plain=False)

    def messages(self, message: Message) -> list[dict[str, Any]]:
        """The chat messages of a message: one for each result of a tool message, else one or none."""
        if message.role == "tool":
            return [self._result(result) for result in message.results]
        shown = [one for part in message.parts if (one := self._part(part, message.role)) is not None]
        made: dict[str, Any] = {"role": message.role, "content": self._content(message, shown)}
        thought = [p.text for p in message.parts if isinstance(p, Reasoning) and FAMILY in p.extra]
        if thought:
            made["reasoning_content"] = "\n".join(thought)
        calls = [self._call(call) for call in message.calls]
        if calls:
            # The API itself gives null beside calls, and no server asks for less than it gives.
            made |= {"content": made["content"] or None, "tool_calls": calls}
        elif not (shown or thought or not message.parts or message.extra):
            return []
        return [made | self._speaker(self._members(message.extra))]

    def _speaker(self, found: dict[str, Any]) -> dict[str, Any]:
        name = found.get("name")
        if name is not None and not (isinstance(name, str) and SPEAKER.fullmatch(name)):
            del found["name"]
            self._told("name")
        return found

    def _members(self, extra: Extra) -> dict[str, Any]:
        if not extra:
            return {}
        self._told(*foreign(extra, FAMILY))
        return dict(members(extra, FAMILY))

    def _content(self, message: Message, shown: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
        came = any(isinstance(part, Text) and FAMILY in part.extra for part in message.parts)
        if came or any(part["type"] != "text" for part in shown):
            return shown
        return "\n".join(part["text"] for part in shown)

    def _part(self, part: Part, role: str) -> dict[str, Any] | None:
        match part:
            case Text():
                return self._text(part, role)
            case Image():
                return self._image(part) if fits("image_url", role) else self._gone("image")
            case Opaque(kind, data):
                family, _, name = kind.partition(":")
                return dict(data) if family == FAMILY and fits(data.get("type"), role) else self._as_text(part, name)
            case Reasoning() if FAMILY not in part.extra:
                self._told("reasoning")
            case _:
                pass
        return None

    def _text(self, part: Text, role: str) -> dict[str, Any]:
        given = self._members(part.extra)
        if given.get("type") != "refusal":
            return {"type": "text", "text": part.text, **given}
        return {**given, "refusal": part.text} if fits("refusal", role) else {"type": "text", "text": part.text}

    def _as_text(self, part: Opaque, name: str) -> dict[str, Any]:
        if not part.text.strip():
            return self._gone(name)
        self._told.as_text(name)
        return {"type": "text", "text": part.text}

    def _gone(self, what: str, why: str = "") -> dict[str, Any]:
        self._told(what)
        return {"type": "text", "text": f"[{what} left out{': ' if why else ''}{why}]"}

    def _image(self, image: Image) -> dict[str, Any]:
        image = image if self._kept else mended(image)
        url = image.data if image.media_type == "url" else f"data:{image.media_type};base64,{image.data}"
        if image.media_type == "url":
            # What is left of data URLs is no base64.
            why = "" if URL.match(url) and not url.startswith("data:") else url.partition(",")[0]
        else:
            why = image.media_type if image.media_type not in MEDIA else "" if readable(image.data) else "damaged"
        if why and not self._kept:
            return self._gone("image", why[:80])
        given = self._members(image.extra)
        beside = given.pop("part", {})
        return {"type": "image_url", "image_url": {"url": url, **given}, **beside}

    def _call(self, call: ToolCall) -> dict[str, Any]:
        given = self._members(call.extra)
        kind = "custom" if given.get("type") == "custom" else "function"
        inner: dict[str, Any] = {"name": named(call.name, NAME_CHARS)}
        if kind == "custom":
            inner["input"] = call.arguments
        elif not call.arguments.strip():
            inner["arguments"] = "{}"
        else:
            fit = is_json(call.arguments)
            inner["arguments"] = call.arguments if fit else json.dumps({"_raw": call.arguments}, ensure_ascii=False)
        return {"id": self._ids.call(call.id), "type": kind, kind: {**inner, **given.pop(kind, {})}, **given}

    def _result(self, result: ToolResult) -> dict[str, Any]:
        if result.error:
            self._told("error mark")
        made: dict[str, Any] = {"role": "tool", "tool_call_id": self._ids.result(result.call_id)}
        blocks = result.blocks or (*((Text(result.text),) if result.text or not result.images else ()), *result.images)
        parts = [self._inner(block) for block in blocks]
        came = any(isinstance(block, Text) and FAMILY in block.extra for block in blocks)
        content = parts if came else "\n".join(part["text"] for part in parts)
        return {**made, "content": content, **self._members(result.extra)}

    def _inner(self, block: Text | Image | Opaque) -> dict[str, Any]:
        match block:
            case Text():
                return self._text(block, "tool")
            case Image():
                return self._gone("image")
            case Opaque(kind, data):
                family, _, name = kind.partition(":")
                return dict(data) if family == FAMILY and fits(data.get("type"), "tool") else self._as_text(block, name)
