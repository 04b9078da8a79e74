"""The format's parts put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamina.kit import forms, harness
from lamina.kit.sources import MAX_RECORD_BYTES, peek
from lamina.model import Message
from lamina.protocols import ExportRequest, Parsed, ParseRequest, Passage, RenderRequest
from lamina.verbatim import LeftOut
from lamina_format_openai._check import faults
from lamina_format_openai._read import read
from lamina_format_openai._write import write

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_OWN_ROLES = frozenset({"system", "developer", "tool", "function"})
_OWN_KEYS = frozenset({"tool_calls", "tool_call_id", "tool_call_ids", "function_call"})
_OWN_PARTS = frozenset({"image_url", "input_audio", "file", "refusal"})
_RESPONSES = frozenset({"input_text", "output_text", "input_image", "input_file"})
"""Parts that only the Responses API has."""
_FOREIGN_PARTS = frozenset({"tool_use", "tool_result", "thinking", "redacted_thinking", "image", "document"})


class OpenAIFormat:
    """Messages of OpenAI's chat completions, alone or in conversations."""

    sends = "openai"

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._max = max_record_bytes

    def sniff(self, request: ParseRequest) -> float:
        """1 at most for messages that only OpenAI writes, 0.6 for plain ones, 0.1 for blocks of others, 0 for items."""
        score, own, foreign = 0.0, False, False
        for value in peek(request.data):
            messages, frame = _messages(value)
            if messages:
                score = max(score, 0.1 if "system" in frame else 0.6)
            for message in messages:
                content = message.get("content")
                parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
                kinds = {kind for part in parts if isinstance(kind := part.get("type"), str)}
                if kinds & _RESPONSES:
                    return 0.0
                foreign = foreign or bool(kinds & _FOREIGN_PARTS)
                if _OWN_KEYS & message.keys() or message["role"] in _OWN_ROLES or kinds & _OWN_PARTS:
                    # Where both forms are mixed, this one reads it: its results stand in messages of their own.
                    own = own or "system" not in frame
        return 0.95 if own else 0.1 if foreign else score

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        """The messages of every conversation in the source; see :func:`lamina_format_openai._read.read`."""
        return read(request, self._max)

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        """The messages as chat completions take them; see :func:`lamina_format_openai._write.write`."""
        return write(request.messages, piece=request.piece)

    def left_out(self, messages: Sequence[Message]) -> list[str]:
        """What of these messages chat completions do not take as it came."""
        told = LeftOut()
        write(messages, told=told, piece=True)
        return told.notes()

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """Every rule of chat completions that the messages break; see :func:`lamina_format_openai._check.faults`."""
        return faults(messages)

    def passages(self, message: Message) -> Sequence[Passage]:
        """What a person wrote; see :func:`lamina.kit.harness.passages`."""
        return harness.passages(message)

    def export(self, request: ExportRequest) -> bytes:
        """One conversation, ``{"id": …, "messages": […]}``: on one line unless a source record has several."""
        return forms.document(request, lambda messages: write(messages, kept=True))


def _messages(value: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What looks like messages in a value, and the members beside them."""
    if isinstance(value, list):
        found, frame = value, {}
    elif isinstance(value, dict) and isinstance(value.get("messages"), list):
        found, frame = value["messages"], value
    else:
        found, frame = [value], {}
    return [m for m in found if isinstance(m, dict) and isinstance(r := m.get("role"), str) and r in _ROLES], frame
