"""The format's parts put together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamina.kit import harness
from lamina.kit.items import is_item, write
from lamina.kit.sources import MAX_RECORD_BYTES, peek
from lamina.model import Message
from lamina.protocols import ExportRequest, Parsed, ParseRequest, Passage, RenderRequest
from lamina.verbatim import LeftOut
from lamina_format_responses._check import faults
from lamina_format_responses._read import FRAMES, read


class ResponsesFormat:
    """Items of OpenAI's Responses API, alone, in requests, in responses and in conversations."""

    sends = "responses"

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._max = max_record_bytes

    def sniff(self, request: ParseRequest) -> float:
        """0.96 for items that nothing else has, 0.9 for a request or response around others, 0.3 for plain messages.

        Half as sure where something else stands beside them: recordings of other products hold items too.
        """
        score, mixed = 0.0, False
        for value in peek(request.data):
            items, framed = _items(value)
            plain = [i for i in items if isinstance(i, str) or (isinstance(i, dict) and _is_plain(i))]
            own = any(map(is_item, items))
            empty = framed and not items and not value.keys().isdisjoint(FRAMES)
            mixed = mixed or not (own or plain or empty)
            score = max(score, 0.96 if own else 0.0 if not plain else 0.9 if framed else 0.3)
        return score / 2 if mixed else score

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        """The items of every conversation in the source; see :func:`lamina_format_responses._read.read`."""
        return read(request, self._max)

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        """The messages as items; see :func:`lamina.kit.items.write`."""
        return write(request.messages, piece=request.piece)

    def left_out(self, messages: Sequence[Message]) -> list[str]:
        """What of these messages the API does not take as it came."""
        told = LeftOut()
        write(messages, told=told, piece=True)
        return told.notes()

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """Every rule of the API that the items break; see :func:`lamina_format_responses._check.faults`."""
        return faults(messages)

    def passages(self, message: Message) -> Sequence[Passage]:
        """What a person wrote; see :func:`lamina.kit.harness.passages`."""
        return harness.passages(message)

    def export(self, request: ExportRequest) -> bytes:
        """One conversation, ``{"id", "instructions", "input"}``: on one line unless a source record has several."""
        pieces: list[bytes] = []
        instructions: bytes | None = None
        foreign: list[Message] = []

        def flush() -> None:
            pieces.extend(map(_json, write(foreign, kept=True)))
            foreign.clear()

        for raw, messages in request.records:
            if not (request.own and raw is not None):
                foreign.extend(messages)
            elif raw.startswith(b"\0"):
                continue  # zeros that stood between records: no document can hold them
            elif not raw.startswith(b"{") and messages and messages[0].role == "system":
                instructions = raw  # text or a list, where an item is an object
            else:
                flush()
                pieces.append(raw)
        flush()
        members = [b'"id": ' + _json(request.session), b'"input": [' + b", ".join(pieces) + b"]"]
        if instructions is not None:
            members.insert(1, b'"instructions": ' + instructions)
        return b"{" + b", ".join(members) + b"}\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _items(value: Any) -> tuple[list[Any], bool]:
    """What may be items in a value, and whether they stand in a request, a response or a listing."""
    if isinstance(value, list):
        return value, False
    if not isinstance(value, dict) or "type" in value or "role" in value:
        return [value], False
    found = [item for name in FRAMES if isinstance(held := value.get(name), list) for item in held]
    if isinstance(value.get("input"), str) and not isinstance(value.get("messages"), list):
        found.append(value["input"])
    return found, True


def _is_plain(item: dict[str, Any]) -> bool:
    known = item.get("role") in ("system", "developer", "user", "assistant")
    return known and isinstance(item.get("content"), str) and not {"tool_calls", "tool_call_id"} & item.keys()
