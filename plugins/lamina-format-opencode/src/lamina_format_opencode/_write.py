"""Writing: from messages to those of an export."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from lamina.kit.blocks import FAMILY as BLOCKS
from lamina.kit.sources import as_object
from lamina.model import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.verbatim import Ids, LeftOut, foreign
from lamina_format_opencode._rules import FAMILY

Shown = dict[str, Any]

_SPACE = uuid.UUID("6f3c1d0e-6a57-4c0a-9f5e-6c616d696e61")
_UNKNOWN = {"providerID": "unknown", "modelID": "unknown"}
_TICKS = 0x1000
"""opencode's ids begin with so many ticks for each millisecond, because it orders messages by them."""


def write(
    messages: Sequence[Message], *, session: str = "", first: int = 0, told: LeftOut | None = None
) -> list[Shown]:
    """Give the messages with their parts, as an export has them; results stand in the parts of their calls.

    Ids follow from ``session`` and the order, so that the same session is written the same way each time, and ascend.
    What the system says first is the ``system`` of the user's message that follows; later it is a text that the user did
    not write. Reasoning is kept with its signature, if any. Parts of other providers are carried as text, where they say
    something, or left out.

    Args:
        messages: In the order of the conversation.
        session: The ``sessionID``.
        first: How many messages stand before.
        told: Collects what is left out.
    """
    writer = _Writer(session, first, LeftOut() if told is None else told)
    for message in messages:
        writer.add(message)
    return writer.finished()


class _Writer:
    """Writes message by message."""

    def __init__(self, session: str, first: int, told: LeftOut) -> None:
        self._session, self._number, self._told = session, first, told
        self._ids, self._tools = Ids(plain=False), dict[str, Shown]()
        self._system: list[str] = []
        self._parent = ""
        self._group: str | None = None
        self._clock = 0
        self._made: list[Shown] = []

    def finished(self) -> list[Shown]:
        """All messages; what the system said without anybody else is a user's message."""
        if self._system:
            self._user(Message("user", ()))
        return self._made

    def add(self, message: Message) -> None:
        """Add a message."""
        self._told(*foreign(message.extra, FAMILY))
        match message.role:
            case "system" if not self._made:
                self._system.append(message.text)
            case "system" | "user":
                self._user(message)
            case "assistant":
                self._assistant(message)
            case "tool":
                for result in message.results:
                    self._result(result, message)

    def _user(self, message: Message) -> None:
        made = self._begin(message, {"role": "user", "agent": "build", "model": dict(_UNKNOWN)})
        self._parent = made["info"]["id"]
        if self._system:
            made["info"]["system"] = "\n".join(self._system)
            self._system = []
        for part in message.parts:
            if isinstance(part, Reasoning):
                self._told("reasoning")
                continue
            shown = self._shown(part)
            if shown is None:
                continue
            if message.role == "system" or (isinstance(part, Text) and FAMILY in part.extra):
                shown["synthetic"] = True
            self._put(made, shown)

    def _assistant(self, message: Message) -> None:
        same = self._made and message.group is not None and message.group == self._group
        made = self._made[-1] if same else self._begin(message, self._answer())
        self._group = message.group
        for part in message.parts:
            shown = self._call(part) if isinstance(part, ToolCall) else self._shown(part)
            if shown is not None:
                self._put(made, shown)
        if message.parts and not made["parts"]:
            self._made.pop()

    def _answer(self) -> Shown:
        nothing = {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}
        path = {"cwd": ".", "root": "."}
        return {
            "role": "assistant", "parentID": self._parent, **_UNKNOWN, "mode": "build", "agent": "build", "path": path,
            "cost": 0, "tokens": nothing,
        }  # fmt: skip

    def _begin(self, message: Message, known: Shown) -> Shown:
        ms = max(self._clock, int((message.created_s or 0) * 1000))
        self._clock = ms
        info = {"id": self._id("msg", ms), "sessionID": self._session, "time": {"created": ms}, **known}
        if known["role"] == "assistant":
            info["time"] = {"created": ms, "completed": ms}
        self._made.append({"info": info, "parts": []})
        self._group = None
        return self._made[-1]

    def _id(self, kind: str, ms: int) -> str:
        self._number += 1
        tick = (ms * _TICKS + self._number) % (1 << 48)
        return f"{kind}_{tick:012x}{uuid.uuid5(_SPACE, f'{self._session} {self._number}').hex[:14]}"

    def _put(self, message: Shown, part: Shown) -> None:
        info = message["info"]
        own = {"id": self._id("prt", info["time"]["created"]), "sessionID": self._session, "messageID": info["id"]}
        message["parts"].append({**own, **part})

    # ------------------------------------------------------------------------------------------- parts

    def _shown(self, part: Part) -> Shown | None:
        self._told(*foreign(getattr(part, "extra", {}), FAMILY))
        match part:
            case Text(text):
                return {"type": "text", "text": text}
            case Image():
                return _file(part)
            case Reasoning(text):
                held = {"redactedData": text} if part.redacted else {"signature": part.signature}
                metadata = {"metadata": {BLOCKS: held}} if part.redacted or part.signature else {}
                said = "" if part.redacted else text
                return {"type": "reasoning", "text": said, **metadata, "time": {"start": self._clock}}
            case Opaque():
                return self._opaque(part)
            case _:
                return None

    def _opaque(self, part: Opaque) -> Shown | None:
        family, _, kind = part.kind.partition(":")
        match part.data:
            case {"source": {"type": "base64", "media_type": str(mime), "data": str(data)}} if family == BLOCKS:
                name = {"filename": part.text} if part.text else {}
                return {"type": "file", "mime": mime, **name, "url": f"data:{mime};base64,{data}"}
            case _ if family == FAMILY:
                return dict(part.data)
            case _ if part.text.strip():
                self._told.as_text(kind)
                return {"type": "text", "text": part.text}
            case _:
                self._told(kind)
                return {"type": "text", "text": f"[{kind} left out]"}

    def _call(self, call: ToolCall) -> Shown:
        self._told(*foreign(call.extra, FAMILY))
        args = as_object(call.arguments) if call.arguments.strip() else {}
        state: Shown = {"status": "pending", "input": {"_raw": call.arguments} if args is None else args, "raw": ""}
        unique = self._ids.call(call.id)
        self._tools[unique] = state
        return {"type": "tool", "callID": unique, "tool": call.name or "unknown", "state": state}

    def _result(self, result: ToolResult, message: Message) -> None:
        self._told(*foreign(result.extra, FAMILY))
        unique = self._ids.result(result.call_id)
        tool = self._tools.get(unique)
        if tool is None or tool["status"] != "pending":
            # No call waits for it: it stands by itself, which is a fault that the check names.
            tool = {"status": "pending", "input": {}, "raw": ""}
            self._put(
                self._begin(message, self._answer()), {"type": "tool", "callID": unique, "tool": "", "state": tool}
            )
        time = {"start": self._clock, "end": self._clock}
        del tool["raw"]
        others = [shown for block in (result.blocks or result.images) if not isinstance(block, Text) and (shown := self._shown(block))]  # fmt: skip
        words = [shown["text"] for shown in others if shown["type"] == "text"]
        text = "\n".join([*([result.text] if result.text else ()), *words])
        files = [shown for shown in others if shown["type"] == "file"]
        if result.error:
            self._told(*(["image"] if files else ()))
            tool |= {"status": "error", "error": text, "time": time}
            return
        own = {"sessionID": self._session, "messageID": self._made[-1]["info"]["id"]}
        attached = [{"id": self._id("prt", self._clock), **own, **shown} for shown in files]
        tool |= {"status": "completed", "output": text, "title": "", "metadata": {}, "time": time}
        tool |= {"attachments": attached} if attached else {}


def _file(image: Image) -> Shown:
    if image.media_type == "url":
        return {"type": "file", "mime": "image/*", "url": image.data}
    return {"type": "file", "mime": image.media_type, "url": f"data:{image.media_type};base64,{image.data}"}
