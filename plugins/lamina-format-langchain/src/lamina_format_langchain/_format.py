"""The format's parts put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamina.kit import forms, harness
from lamina.kit.sources import MAX_RECORD_BYTES, peek
from lamina.model import Message
from lamina.protocols import ExportRequest, Parsed, ParseRequest, Passage, RenderRequest
from lamina.verbatim import LeftOut
from lamina_format_langchain._check import faults
from lamina_format_langchain._read import read
from lamina_format_langchain._rules import TYPES, unpacked
from lamina_format_langchain._write import write

_OWN = TYPES.keys() - {"system", "function", "chat", "remove", "tool"}
"""Types that nobody else's messages have."""


class LangChainFormat:
    """Messages that LangChain dumped, alone or in conversations."""

    sends = "langchain"

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._max = max_record_bytes

    def sniff(self, request: ParseRequest) -> float:
        """0.97 for messages as LangChain dumps them; else 0."""
        return 0.97 if any(_is_message(m) for value in peek(request.data) for m in _messages(value)) else 0.0

    def plain(self, given: object) -> Any | None:
        """A message of langchain-core as it dumps it; ``None`` for any other object."""
        if not type(given).__module__.startswith("langchain") or not hasattr(given, "model_dump"):
            return None
        kind = getattr(given, "type", None)
        return {"type": kind, "data": given.model_dump(mode="json")} if isinstance(kind, str) else None

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        """The messages of every conversation in the source; see :func:`lamina_format_langchain._read.read`."""
        return read(request, self._max)

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        """The messages as LangChain loads them; see :func:`lamina_format_langchain._write.write`."""
        return write(request.messages, piece=request.piece)

    def left_out(self, messages: Sequence[Message]) -> list[str]:
        """What of these messages does not go out as it came."""
        told = LeftOut()
        write(messages, told=told, piece=True)
        return told.notes()

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """Every rule of LangChain's that the messages break; see :func:`lamina_format_langchain._check.faults`."""
        return faults(messages)

    def passages(self, message: Message) -> Sequence[Passage]:
        """What a person wrote; see :func:`lamina.kit.harness.passages`."""
        return harness.passages(message)

    def export(self, request: ExportRequest) -> bytes:
        """One conversation, ``{"id": …, "messages": […]}``: on one line unless a source record has several."""
        return forms.document(request, lambda messages: write(messages, kept=True))


def _messages(value: Any, deep: int = 3) -> Iterator[Any]:
    """What looks like messages in a value: of a conversation, a prompt, a list of them, or the value itself."""
    inner = value.get("kwargs") if isinstance(value, dict) else None
    held = inner if isinstance(inner, dict) else value
    if isinstance(held, dict) and isinstance(held.get("messages"), list):
        value = held["messages"]
    if not isinstance(value, list) or not deep:
        yield value
        return
    for item in value:
        yield from _messages(item, deep - 1)


def _is_message(value: Any) -> bool:
    if not isinstance(value, dict) or unpacked(value) is None:
        return False
    dumped = value.get("type") == "constructor" or ("data" in value and "content" not in value)
    return dumped or value["type"] in _OWN if "type" in value else False
