"""Chats that Gemini CLI saved: an object with ``messages``, or a line for each message and each change.

Source: gemini-cli, ``chatRecordingTypes.ts`` and ``chatRecordingService.ts``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lamina.errors import FormatError
from lamina.kit.forms import MalformedError
from lamina.kit.sources import ORPHAN, Source, arguments
from lamina.model import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina_format_gemini._parts import parts

REPEATED = "repeated line"
BRANCH = "earlier branch"
"""Why a line says nothing: the user went back to before it."""

_NOTES = ("info", "error", "warning")
_KNOWN = ("user", "gemini", *_NOTES)


def is_chat_line(value: dict[str, Any]) -> bool:
    """Whether this begins a chat: the chat itself, or its first line."""
    return isinstance(value.get("sessionId"), str) and isinstance(value.get("projectHash"), str)


class Chat:
    """Reads the records of a chat one by one.

    Gemini CLI writes a message again whenever something of it changes: again it says what is new in it, calls and their
    results. Lines that the user went back to before (``$rewindTo``) are skipped, and so are notes of the program and
    changes of what is known of the chat (``$set``): what it masks or summarises there stands in the lines before.
    """

    def __init__(self, source: Source) -> None:
        self.session: str | None = None
        self._left = _rewound(source) if source.holds(b"$rewindTo") else {}
        self._rewinds = 0
        self._seen: dict[str, bool] = {}
        """Each message that was read, and whether its content was more than nothing."""
        self._calls: set[str] = set()
        self._answered: set[str] = set()

    def messages(self, value: Any) -> tuple[tuple[Message, ...], str | None]:
        """The messages of a record, and why it or a part of it says nothing."""
        if not isinstance(value, dict):
            raise MalformedError(f"a message must be an object, not {type(value).__name__}")
        if is_chat_line(value):
            self.session = self.session or value["sessionId"]
            return (), "chat"
        for change in ("$set", "$rewindTo"):
            if change in value:
                self._rewinds += change == "$rewindTo"
                return (), change
        kind, own = value.get("type"), value.get("id")
        if kind not in _KNOWN:
            raise MalformedError(f"unknown type of message {kind!r}; known: {', '.join(_KNOWN)}")
        if kind in _NOTES:
            return (), str(kind)
        if self._left.get(str(own), 0) > self._rewinds:
            return (), BRANCH
        again = str(own) in self._seen
        found = [] if self._seen.get(str(own)) else parts(value.get("content"))
        if isinstance(own, str):
            self._seen[own] = self._seen.get(own, False) or bool(found)
        if kind == "user":
            return self._user(found, _time(value), again=again)
        made = tuple(self._answer(value, found if again else [*_thoughts(value), *found]))
        return made, None if made else REPEATED if again else "empty"

    def _user(
        self, found: list[Part], created_s: float | None, *, again: bool
    ) -> tuple[tuple[Message, ...], str | None]:
        said = tuple(part for part in found if not isinstance(part, ToolCall | ToolResult))
        results = [part for part in found if isinstance(part, ToolResult)]
        fresh = tuple(part for part in results if part.call_id in self._calls - self._answered)
        self._answered.update(part.call_id for part in fresh)
        made = (*((Message("tool", fresh, created_s=created_s),) if fresh else ()),)
        if said:
            made = (*made, Message("user", said, created_s=created_s))
        if any(part.call_id not in self._calls for part in results):
            return made, ORPHAN
        return made, None if made else REPEATED if again or results else "empty"

    def _answer(self, value: dict[str, Any], found: list[Part]) -> Iterator[Message]:
        """What the model said, called and was given."""
        records = [_named(call) for call in value.get("toolCalls") or ()]
        ids, names = {call["id"] for call in records}, {call["name"] for call in records}
        # A call may stand in the content too, by its id or without any.
        said = [p for p in found if not isinstance(p, ToolCall) or p.id in ids or p.name not in names]
        self._calls.update(part.id for part in said if isinstance(part, ToolCall))
        results: list[Part] = []
        for call in records:
            if call["id"] not in self._calls:
                self._calls.add(call["id"])
                said.append(ToolCall(call["id"], call["name"], arguments(call.get("args") or {})))
            if call["id"] not in self._answered and call.get("result") is not None:
                self._answered.add(call["id"])
                results.append(_result(call["id"], call))
        own, created_s = value.get("id"), _time(value)
        if any(not isinstance(part, Reasoning) for part in said):
            yield Message("assistant", tuple(said), own if isinstance(own, str) and own else None, created_s)
        if results:
            yield Message("tool", tuple(results), created_s=created_s)


def _rewound(source: Source) -> dict[str, int]:
    """The number of the last going back that each message was left by, from 1."""
    left: dict[str, int] = {}
    order: dict[str, None] = {}
    number = 0
    try:
        for record in source.records("messages"):
            value = record.value if isinstance(record.value, dict) else {}
            if isinstance(to := value.get("$rewindTo"), str):
                number += 1
                ids = list(order)
                gone = ids[ids.index(to) if to in order else 0 :]
                left.update(dict.fromkeys(gone, number))
                order = dict.fromkeys(ids[: len(ids) - len(gone)])
            elif isinstance(own := value.get("id"), str):
                order.setdefault(own)
    except FormatError:
        return left  # whoever reads the records next says what is wrong
    return left


def _named(call: Any) -> dict[str, Any]:
    match call:
        case {"id": str(), "name": str()}:
            return dict(call)
        case _:
            raise MalformedError("a tool call must have an id and a name")


def _thoughts(value: dict[str, Any]) -> list[Part]:
    found = value.get("thoughts")
    made: list[Part] = []
    for thought in found if isinstance(found, list) else ():
        heads = [thought.get(name) for name in ("subject", "description")] if isinstance(thought, dict) else []
        text = "\n".join(head for head in heads if isinstance(head, str) and head)
        made += [Reasoning(text)] if text else []
    return made


def _result(call_id: str, call: dict[str, Any]) -> ToolResult:
    """The result of a call: the response to it, and what was shown beside it."""
    found, failed = parts(call["result"]), call.get("status") == "error"
    own = [part for part in found if isinstance(part, ToolResult)]
    answer = next((part for part in own if part.call_id == call_id), own[0] if own else ToolResult("", ""))
    blocks = answer.blocks or (*((Text(answer.text),) if answer.text else ()), *answer.images)
    beside = [part for part in found if isinstance(part, Text | Image | Opaque)]
    error = answer.error or failed
    if not beside and not answer.blocks and not answer.images:
        return ToolResult(call_id, answer.text, error, extra=answer.extra)
    return ToolResult.of(call_id, [*blocks, *beside], error, answer.extra)


def _time(value: dict[str, Any]) -> float | None:
    stamp = value.get("timestamp")
    if not isinstance(stamp, str):
        return None
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except (ValueError, OverflowError):
        return None
