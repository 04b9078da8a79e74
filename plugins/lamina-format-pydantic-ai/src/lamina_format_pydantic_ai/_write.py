"""Writing: from messages to requests and responses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lamina.kit.forms import joined
from lamina.kit.images import mended, readable
from lamina.kit.sources import as_object
from lamina.model import Extra, Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.rendering import OPENING
from lamina.verbatim import Ids, LeftOut, foreign, members
from lamina_format_pydantic_ai._rules import FAMILY, IN_RESPONSES, KNOWN, decodes

Shown = dict[str, Any]


def write(
    messages: Sequence[Message], *, told: LeftOut | None = None, piece: bool = False, kept: bool = False
) -> list[Shown]:
    """Give the messages as ``ModelMessagesTypeAdapter`` loads them: requests, and responses to them.

    What the system, tools and the user say until the model does is one request, unless it came as several. Pieces of one
    message of the model are one response. Instructions stand in the requests that had them, and in the last.

    Reasoning of other forms is left out, because only the provider that gave it takes it; a message of which nothing else
    would remain is gone. Images that cannot be decoded are said in words. Arguments that are no JSON object become
    ``{"_raw": …}``, unless they came so.

    Args:
        messages: In the order of the conversation.
        told: Collects what is left out.
        piece: Whether they are a piece of a conversation, whose beginning may be anything.
        kept: Whether they are written to be kept, and not to be sent.
    """
    writer = _Writer(LeftOut() if told is None else told)
    for message in joined(messages):
        if message.role == "assistant":
            writer.response(message)
        else:
            writer.request(message)
    if messages and not (piece or kept) and (not writer.made or writer.made[0]["kind"] == "response"):
        writer.made.insert(0, {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": OPENING}]})
    return writer.finished()


class _Writer:
    """Writes message by message, and tells what it leaves out."""

    def __init__(self, told: LeftOut) -> None:
        self._told, self._ids = told, Ids(plain=False)
        self._names: dict[str, str] = {}
        self._instructions: str | None = None
        self._notes: list[tuple[Shown, list[Any]]] = []
        self.made: list[Shown] = []

    def finished(self) -> list[Shown]:
        """The requests and responses, with what is carried beside their parts."""
        for request, notes in self._notes:
            for place, note in notes:
                request["parts"].insert(place, dict(note))
        last = next((one for one in reversed(self.made) if one["kind"] == "request"), None)
        if last is not None and self._instructions is not None:
            last.setdefault("instructions", self._instructions)
        return self.made

    # ----------------------------------------------------------------------------------------- requests

    def request(self, message: Message) -> None:
        """Add what the system, a tool or the user says."""
        given = self._members(message.extra)
        if given.get("part_kind") == "instructions":
            self._instructions = message.text
            return
        begun = given.pop("request", None)
        if message.role == "tool":
            parts = [self._result(result) for result in message.results]
            begun = next((part.pop("request") for part in parts if "request" in part), None)
        else:
            parts = [self._said(message, given)]
        if begun is not None or not self.made or self.made[-1]["kind"] == "response":
            self.made.append({"kind": "request", "parts": []})
        self.made[-1]["parts"] += parts
        if isinstance(begun, Mapping):
            self._begin(self.made[-1], dict(begun))

    def _begin(self, request: Shown, known: Shown) -> None:
        if notes := known.pop("notes", None):
            self._notes.append((request, notes))
        if known.pop("instructions", False) and self._instructions is not None:
            request["instructions"] = self._instructions
        request |= known

    def _said(self, message: Message, given: Shown) -> Shown:
        kind = given.pop("part_kind", "system-prompt" if message.role == "system" else "user-prompt")
        if kind in ("speech", "compaction") and isinstance(whole := message.parts[0], Opaque):
            return dict(whole.data)
        if kind == "user-prompt":
            content: Any = self._content(message.parts)
        else:
            # Of a message of the system only texts remain, each of which the library has in a part of its own.
            shown = [one for part in message.parts if (one := self._item(part)) is not None]
            texts = [one if isinstance(one, str) else one.get("content") for one in shown]
            content = "\n".join(text for text in texts if isinstance(text, str))
            if given.pop("content", None) == "json":
                content = _loaded(content)
        return {"part_kind": kind, "content": content, **given}

    def _content(self, parts: Sequence[Part]) -> str | list[Any]:
        shown = [one for part in parts if (one := self._item(part)) is not None]
        came = any(isinstance(part, Text) and FAMILY in part.extra for part in parts)
        if came or not all(isinstance(one, str) for one in shown):
            return shown
        return "\n".join(shown)

    def _item(self, part: Part) -> Any:
        match part:
            case Text(text):
                given = self._members(part.extra)
                return {"kind": "text-content", "content": text, **given} if given else text
            case Image():
                return self._image(part)
            case Opaque(kind, data):
                family, _, name = kind.partition(":")
                own = family == FAMILY and "kind" in data and _loads(data)
                return dict(data) if own else self._as_text(part, name)
            case _:
                self._told("reasoning")
                return None

    def _image(self, image: Image) -> Any:
        given = self._members(image.extra)
        given.pop("part_kind", None)
        given |= given.pop("file", {})
        image = mended(image)
        if image.media_type == "url":
            if not image.data.startswith("data:"):
                return {"kind": "image-url", "url": image.data, **given}
        elif readable(image.data):
            return {"kind": "binary", "data": image.data, "media_type": image.media_type, **given}
        self._told("image")
        return f"[image left out: {image.data[:80] if image.media_type == 'url' else 'damaged'}]"

    def _result(self, result: ToolResult) -> Shown:
        given, unique = self._members(result.extra), self._ids.result(result.call_id)
        shape = given.pop("content", "")
        content: Any = result.text
        if result.blocks or result.images:
            blocks = result.blocks or (*((Text(result.text),) if result.text else ()), *result.images)
            content = [self._item(block) for block in blocks]
            content = content[0] if shape == "file" and len(content) == 1 else content
        elif shape == "json":
            content = _loaded(result.text)
        kind = given.pop("part_kind", "tool-return")
        failed = {"outcome": "failed"} if result.error and kind == "tool-return" else {}
        name = self._names.get(unique, "unknown")
        made = {"part_kind": kind, "tool_name": name, "content": content, "tool_call_id": unique}
        return {**made, **failed, **given}

    # ---------------------------------------------------------------------------------------- responses

    def response(self, message: Message) -> None:
        """Add what the model says."""
        parts = [shown for part in message.parts if (shown := self._part(part)) is not None]
        if message.parts and all(isinstance(part, Reasoning) for part in message.parts) and not parts:
            return
        self.made.append({"kind": "response", "parts": parts, **self._members(message.extra)})

    def _part(self, part: Part) -> Shown | None:
        match part:
            case Text(text):
                return {"part_kind": "text", "content": text, **self._members(part.extra)}
            case ToolCall():
                return self._call(part)
            case Reasoning() if FAMILY in part.extra:
                given = self._members(part.extra)
                if part.redacted:
                    return {"part_kind": "thinking", "content": "", "signature": part.text, **given}
                signed = {"signature": part.signature} if part.signature else {}
                return {"part_kind": "thinking", "content": part.text, **signed, **given}
            case Image():
                return self._file(part)
            case Opaque(kind, data):
                family, _, name = kind.partition(":")
                fits = data.get("part_kind") in IN_RESPONSES or data.get("part_kind") not in KNOWN
                if family == FAMILY and "part_kind" in data and fits and _loads(data.get("content")):
                    return dict(data)
                return {"part_kind": "text", "content": self._as_text(part, name)}
            case _:
                self._told("reasoning")
                return None

    def _call(self, call: ToolCall) -> Shown:
        given, unique = self._members(call.extra), self._ids.call(call.id)
        self._names[unique] = call.name
        shape = given.pop("args", "object")
        args = as_object(call.arguments) if call.arguments.strip() else {}
        fit: Any = {"_raw": call.arguments} if args is None else dict(args)
        if shape == "text":
            fit = call.arguments
        elif shape == "none" and not fit:
            fit = None
        return {"part_kind": "tool-call", "tool_name": call.name, "args": fit, "tool_call_id": unique, **given}

    def _file(self, image: Image) -> Shown:
        shown = self._image(image)
        beside = {key: value for key, value in members(image.extra, FAMILY).items() if key not in ("part_kind", "file")}
        if isinstance(shown, dict) and shown["kind"] == "binary":
            came = "file" in members(image.extra, FAMILY)
            return (
                {"part_kind": "file", "content": shown, **beside} if came else {"part_kind": "file", "content": shown}
            )
        text = shown if isinstance(shown, str) else f"[image left out: {image.data[:80]}]"
        self._told("image")
        return {"part_kind": "text", "content": text}

    # ------------------------------------------------------------------------------------------- both

    def _members(self, extra: Extra) -> Shown:
        if not extra:
            return {}
        self._told(*foreign(extra, FAMILY))
        return dict(members(extra, FAMILY))

    def _as_text(self, part: Opaque, name: str) -> str:
        if not part.text.strip():
            self._told(name)
            return f"[{name} left out]"
        self._told.as_text(name)
        return part.text


def _loads(item: Any) -> bool:
    """Whether the library loads this, if it is a file: its data are base64."""
    return not (isinstance(item, Mapping) and item.get("kind") == "binary") or decodes(item.get("data"))


def _loaded(text: str) -> Any:
    """What this JSON says; the text itself where it was shortened since."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
