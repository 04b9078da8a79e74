"""The format's parts put together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamina.kit import harness
from lamina.kit.sources import MAX_RECORD_BYTES, peek
from lamina.model import Message
from lamina.protocols import ExportRequest, Parsed, ParseRequest, Passage, RenderRequest
from lamina.verbatim import LeftOut
from lamina_format_anthropic._check import faults
from lamina_format_anthropic._read import read
from lamina_format_anthropic._write import write

_OWN_BLOCKS = frozenset({"tool_use", "tool_result", "thinking", "redacted_thinking", "image", "document"})
_FOREIGN_PARTS = frozenset({"image_url", "input_audio", "file", "refusal"})
_RESPONSES = frozenset({"input_text", "output_text", "input_image", "input_file"})
"""Parts that only the Responses API has."""
_FOREIGN_KEYS = frozenset({"tool_calls", "tool_call_id", "tool_call_ids", "function_call"})
_FOREIGN_ROLES = frozenset({"tool", "developer", "function"})


class AnthropicFormat:
    """Messages of Anthropic's API, alone or in conversations."""

    sends = "anthropic"

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES, cache_marks: int = 2) -> None:
        self._max, self._marks = max_record_bytes, cache_marks

    def sniff(self, request: ParseRequest) -> float:
        """0.95 for content blocks or a ``system`` beside messages, 0.4 for plain messages, 0.1 for those of others, 0 for items."""
        score, own, foreign, answers = 0.0, False, False, False
        for value in peek(request.data):
            messages, frame = _messages(value)
            if messages and "system" in frame:
                return 0.95
            for message in messages:
                score = 0.4
                content = message.get("content")
                blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
                kinds = {kind for block in blocks if isinstance(kind := block.get("type"), str)}
                if kinds & _RESPONSES:
                    return 0.0
                own = own or bool(kinds & _OWN_BLOCKS)
                foreign = foreign or bool(_FOREIGN_KEYS & message.keys() or kinds & _FOREIGN_PARTS)
                foreign = foreign or message["role"] in _FOREIGN_ROLES
                # Both forms allow a list here; Anthropic answers with one, OpenAI with text.
                answers = answers or (bool(kinds) and message["role"] == "assistant")
        # Where both forms are mixed, the other one reads it: its results stand in messages of their own.
        return 0.1 if foreign else 0.95 if own else 0.65 if answers else score

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        """The messages of every conversation in the source; see :func:`lamina_format_anthropic._read.read`."""
        return read(request, self._max)

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        """The messages as the API takes them; see :func:`lamina_format_anthropic._write.write`."""
        return write(request.messages, stable=request.stable, marks=self._marks, piece=request.piece)

    def left_out(self, messages: Sequence[Message]) -> list[str]:
        """What of these messages the API does not take as it came."""
        told = LeftOut()
        write(messages, told=told, piece=True)
        return told.notes()

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """Every rule of the API that the messages break; see :func:`lamina_format_anthropic._check.faults`."""
        return faults(messages)

    def passages(self, message: Message) -> Sequence[Passage]:
        """What a person wrote; see :func:`lamina.kit.harness.passages`."""
        return harness.passages(message)

    def export(self, request: ExportRequest) -> bytes:
        """One conversation, ``{"id", "system", "messages"}``: on one line unless a source record has several."""
        system: bytes | None = None
        pieces: list[bytes] = []
        foreign: list[Message] = []

        def flush() -> None:
            nonlocal system
            made = write(foreign, kept=True)
            foreign.clear()
            if system is None and not pieces and made and made[0]["role"] == "system":
                system = _json(made.pop(0)["content"])
            pieces.extend(map(_json, made))

        for raw, messages in request.records:
            if not (request.own and raw is not None):
                foreign.extend(messages)
            elif raw.startswith(b"\0"):
                continue  # zeros that stood between records: no document can hold them
            elif not raw.startswith(b"{"):
                system = raw  # the member ``system`` is text or a list, a message is an object
            else:
                flush()
                pieces.append(raw)
        flush()
        members = [b'"id": ' + _json(request.session), b'"messages": [' + b", ".join(pieces) + b"]"]
        if system is not None:
            members.insert(1, b'"system": ' + system)
        return b"{" + b", ".join(members) + b"}\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _messages(value: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What looks like messages in a value, and the members beside them."""
    if isinstance(value, list):
        found, frame = value, {}
    elif isinstance(value, dict) and isinstance(value.get("messages"), list):
        found, frame = value["messages"], value
    else:
        found, frame = [value], {}
    known = {"user", "assistant", "system", *_FOREIGN_ROLES}
    return [m for m in found if isinstance(m, dict) and isinstance(r := m.get("role"), str) and r in known], frame
