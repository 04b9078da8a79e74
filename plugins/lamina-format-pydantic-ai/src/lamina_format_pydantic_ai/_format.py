"""The format's parts put together."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamina.kit import forms, harness
from lamina.kit.sources import MAX_RECORD_BYTES, peek
from lamina.model import Message
from lamina.protocols import ExportRequest, Parsed, ParseRequest, Passage, RenderRequest
from lamina.verbatim import LeftOut, members
from lamina_format_pydantic_ai._check import faults
from lamina_format_pydantic_ai._read import read
from lamina_format_pydantic_ai._rules import FAMILY
from lamina_format_pydantic_ai._write import write

_FAR = 1 << 22
"""So far into a source a kind is looked for."""


class PydanticAIFormat:
    """Messages of Pydantic AI, alone or in conversations."""

    sends = "pydantic-ai"

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._max = max_record_bytes

    def sniff(self, request: ParseRequest) -> float:
        """0.97 for requests and responses with parts of a ``part_kind``; else 0."""
        found = [one for value in peek(request.data) for one in _messages(value)]
        if any(map(_is_message, found)):
            return 0.97
        # What names the kind stands behind the content: of a long one, only the beginning is seen.
        cut = any(isinstance(one, dict) and one.keys() == {"parts"} for one in found)
        return 0.9 if cut and request.data.find(b'"part_kind":', 0, _FAR) > 0 else 0.0

    def plain(self, given: object) -> Any | None:
        """A message of Pydantic AI as it dumps it; ``None`` for any other object."""
        messages = sys.modules.get("pydantic_ai.messages")
        if messages is None or type(given).__name__ not in ("ModelRequest", "ModelResponse"):
            return None
        return messages.ModelMessagesTypeAdapter.dump_python([given], mode="json")[0]

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        """The messages of every conversation in the source; see :func:`lamina_format_pydantic_ai._read.read`."""
        return read(request, self._max)

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        """The messages as Pydantic AI loads them; see :func:`lamina_format_pydantic_ai._write.write`."""
        return write(request.messages, piece=request.piece)

    def left_out(self, messages: Sequence[Message]) -> list[str]:
        """What of these messages does not go out as it came."""
        told = LeftOut()
        write(messages, told=told, piece=True)
        return told.notes()

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """Every rule of Pydantic AI's that the messages break; see :func:`lamina_format_pydantic_ai._check.faults`."""
        return faults(messages)

    def passages(self, message: Message) -> Sequence[Passage]:
        """What a person wrote, of prompts only; see :func:`lamina.kit.harness.passages`."""
        # What asks the model to try again is said by the program.
        return () if "part_kind" in members(message.extra, FAMILY) else harness.passages(message)

    def export(self, request: ExportRequest) -> bytes:
        """One conversation, ``{"id": …, "messages": […]}``: on one line unless a source record has several."""
        return forms.document(request, lambda messages: write(messages, kept=True))


def _messages(value: Any) -> list[Any]:
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        return list(value["messages"])
    return value if isinstance(value, list) else [value]


def _is_message(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("kind") not in ("request", "response"):
        return False
    parts = value.get("parts")
    return isinstance(parts, list) and any(isinstance(part, dict) and "part_kind" in part for part in parts)
