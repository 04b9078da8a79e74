"""From items to messages."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from lamina.kit.items._content import MalformedError, content, more, opaque, reasoning
from lamina.kit.items._results import call_of, result_of
from lamina.kit.items.rules import DEVELOPER, EASY, FAMILY, ITEM, KINDS, OURS, OUTPUTS, TYPES
from lamina.kit.sources import ORPHAN, Calls, arguments
from lamina.model import Extra, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult

REASONED = "reasoned "
"""Begins the group of a turn that began with reasoning: without it, the ids of what follows are refused."""

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_EMPTY = "empty"

Read = tuple[tuple[Message, ...], str | None]


def is_item(value: Any) -> bool:
    """Whether a value can be nothing but an item: its type, or the parts of its content, are known nowhere else."""
    if not isinstance(value, dict):
        return False
    kind, held = value.get("type"), value.get("content")
    if kind in TYPES and kind != "message":
        return kind not in ("reasoning", "compaction", "program") or "role" not in value
    kinds = {part.get("type") for part in held if isinstance(part, dict)} if isinstance(held, list) else set()
    if kinds & {"input_text", "output_text", "input_image", "input_file"}:
        return isinstance(value.get("role"), str)
    return kind == "message" and isinstance(value.get("role"), str) and (isinstance(held, str) or held == [])


class Reader:
    """Reads the items of one conversation, one after the other.

    What the model said and did in one turn, item by item, are pieces of one message (``Message.group``), so that
    reasoning stays with what follows it. A call of any kind is a call, its output a result; what the provider did
    itself, and items of a later API, are carried as they came.
    """

    def __init__(self, calls: Calls | None = None) -> None:
        self._calls = calls or Calls()
        self._group: str | None = None
        self._turns = 0
        self._running: set[Any] = set()
        """Programs whose output the assistant's next items bring."""

    def read(self, item: Any) -> Read:
        """The messages that an item says, and why it or a part of it says nothing.

        Raises:
            MalformedError: It is no item.
        """
        if isinstance(item, str):
            return self._message({"role": "user", "content": item, "type": None})
        if not isinstance(item, dict):
            raise MalformedError(f"an item must be an object, not {type(item).__name__}")
        kind = item.get("type")
        if kind in (None, "message") and "role" in item:
            return self._message(item)
        if kind is None and not isinstance(item.get("id"), str):
            raise MalformedError("an item must have a type, or a role and content")
        if kind is not None and not isinstance(kind, str):
            raise MalformedError(f"the type of an item must be text, not {type(kind).__name__}")
        if kind == "reasoning":
            return self._turn(item, reasoning(item)), None
        if kind in KINDS and (kind != "tool_search_call" or item.get("call_id") is not None):
            return self._turn(item, self._call(kind, item)), None
        if kind in OUTPUTS and (kind != "tool_search_output" or item.get("call_id") is not None):
            return self._result(kind, item)
        if kind in OURS:
            self._group = None
            return (Message("user", (opaque(item),)),), None
        return self._served(kind, item), None

    # ------------------------------------------------------------------------------------------ messages

    def _message(self, item: dict[str, Any]) -> Read:
        name = item.get("role")
        role = _ROLES.get(name) if isinstance(name, str) else None
        if role is None:
            raise MalformedError(f"unknown role {name!r}; known: {', '.join(_ROLES)}")
        parts = content(item.get("content"))
        if role == "tool":
            return self._answered(item.get("tool_call_id"), parts)
        marks: dict[str, Any] = {EASY: {}} if item.get("type") is None else {}
        if role == "assistant":
            return self._said(item, parts, marks)
        self._group = None
        if name == "developer":
            marks[DEVELOPER] = {}
        return (Message(role, tuple(parts), extra={**marks, **more(item, "type", "role", "content")}),), None

    def _said(self, item: dict[str, Any], given_parts: list[Part], marks: dict[str, Any]) -> Read:
        """What the assistant says: the members of its item stand with the first part."""
        given = more(item, "type", "role", "content", "tool_calls").get(FAMILY, {})
        held: Extra = {**marks, **({ITEM: given} if given or marks or isinstance(item.get("content"), list) else {})}
        texts = [part for part in given_parts if isinstance(part, Text)]
        if len(texts) < len(given_parts):
            return self._turn(item, opaque(item)), None  # parts of a later API
        if not texts and isinstance(item.get("content"), str):
            texts = [Text("")]
        if texts and held:
            texts[0] = evolve(texts[0], extra={**held, **texts[0].extra})
        parts: list[Part] = [*texts, *(self._chat_call(call) for call in item.get("tool_calls") or ())]
        if not parts:
            return (), _EMPTY
        return self._turn(item, *parts), None

    def _chat_call(self, call: Any) -> ToolCall:
        """A call as chat completions have it, in a history of mixed origin."""
        match call:
            case {"id": str(call_id), "function": {"name": str(name)} as function}:
                args = function.get("arguments") or "{}"
                return ToolCall(self._calls.call(call_id, name), name, arguments(args))
            case _:
                raise MalformedError("a tool call must be an object with an id, a function and its name")

    def _turn(self, item: Mapping[str, Any], *parts: Part) -> tuple[Message, ...]:
        if self._group is None:
            self._turns += 1
            begun = REASONED if isinstance(parts[0], Reasoning) else ""
            self._group = f"{begun}{_named(item) or f'{self._turns} {_hash(item)}'}"
        return (Message("assistant", parts, self._group),)

    # ------------------------------------------------------------------------------------------ calls

    def _call(self, kind: str, item: dict[str, Any]) -> ToolCall:
        found = item.get(KINDS[kind].key)
        given = item.get("id") if found is None else found
        if given is not None and not isinstance(given, str):
            raise MalformedError(f"the id of a call must be text, not {type(given).__name__}")
        call = call_of(kind, item, given or "call")
        return evolve(call, id=self._calls.call(call.id, call.name))

    def _result(self, output: str, item: dict[str, Any]) -> Read:
        known = KINDS[OUTPUTS[output]].answers
        # The guides and the types do not agree on which member it is.
        given = next((item[key] for key in (known, "call_id", "id") if isinstance(item.get(key), str)), None)
        name = item.get("name")
        if given is not None:
            unique = self._calls.result(given) or self._calls.repeated(given)
        elif isinstance(name, str):
            unique = self._calls.result_of(name)
        else:
            raise MalformedError(f"an item of type {output!r} must name its call in {known}")
        if not self._running:
            self._group = None
        if unique is None:
            return (), ORPHAN
        answers = next((key for key in (known, "call_id", "id") if isinstance(item.get(key), str)), known)
        return (Message("tool", (result_of(output, item, unique, answers),)),), None

    def _answered(self, call_id: Any, parts: list[Part]) -> Read:
        """A result as chat completions have it."""
        if not isinstance(call_id, str):
            raise MalformedError("a tool result must name its call in tool_call_id")
        self._group = None
        unique = self._calls.result(call_id) or self._calls.repeated(call_id)
        if unique is None:
            return (), ORPHAN
        said = ToolResult(unique, "\n".join(part.text for part in parts if isinstance(part, Text)))
        return (Message("tool", (said,)),), None

    # ------------------------------------------------------------------------------------------ the rest

    def _served(self, kind: str | None, item: dict[str, Any]) -> tuple[Message, ...]:
        if item.get("role") in ("user", "system", "developer"):  # of a later API, and not the assistant's
            self._group = None
            return (Message("user", (opaque(item),)),)
        made = self._turn(item, opaque(item))
        if kind == "program":
            self._running.add(item.get("call_id"))
        elif kind == "program_output":
            self._running.discard(item.get("call_id"))
        return made


def _named(item: Mapping[str, Any]) -> str:
    return next((v for key in ("id", "call_id") if isinstance(v := item.get(key), str) and v), "")


def _hash(item: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(item, ensure_ascii=True).encode()):08x}"
