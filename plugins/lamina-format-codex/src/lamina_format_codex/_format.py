"""The format's parts put together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve

from lamina.kit import harness
from lamina.kit.items import DEVELOPER, is_item
from lamina.kit.sources import MAX_RECORD_BYTES, peek
from lamina.model import Message
from lamina.protocols import ExportRequest, Parsed, ParseRequest, Passage, RenderRequest
from lamina.verbatim import LeftOut
from lamina_format_codex._check import faults
from lamina_format_codex._lines import KINDS, is_head
from lamina_format_codex._read import read
from lamina_format_codex._write import head, write


class CodexFormat:
    """Codex's rollouts: one JSON object a line, items among notes of other types."""

    sends = "responses"

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._max = max_record_bytes

    def sniff(self, request: ParseRequest) -> float:
        """0.98 for lines with a type and a payload, or for the first line of an early rollout with items behind it."""
        values = [value for value in peek(request.data) if isinstance(value, dict)]
        if any(_is_line(value) for value in values):
            return 0.98
        early = bool(values) and is_head(values[0])
        rest = [value for value in values[1:] if "record_type" not in value]
        return 0.98 if early and all(map(is_item, rest)) else 0.0

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        """Every line of the rollout; see :func:`lamina_format_codex._read.read`."""
        return read(request, self._max)

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        """The messages as lines of a rollout; see :func:`lamina_format_codex._write.write`."""
        return write(request.messages)

    def left_out(self, messages: Sequence[Message]) -> list[str]:
        """What of these messages the lines of a rollout cannot hold as it came."""
        told = LeftOut()
        write(messages, told=told)
        return told.notes()

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """What keeps the lines from being a rollout; see :func:`lamina_format_codex._check.faults`."""
        return faults(messages)

    def passages(self, message: Message) -> Sequence[Passage]:
        """What a person wrote; see :func:`lamina.kit.harness.passages`. What is told to the model as a developer is a rule."""
        found = harness.passages(message)
        return [evolve(passage, rules=True) for passage in found] if DEVELOPER in message.extra else found

    def export(self, request: ExportRequest) -> bytes:
        """One line per record; lines that came from Codex byte for byte."""
        lines: list[bytes] = []
        foreign: list[Message] = []

        def flush() -> None:
            if foreign and not lines:
                lines.append(_json(head(request.session, foreign[0])))
            lines.extend(map(_json, write(foreign)))
            foreign.clear()

        for raw, messages in request.records:
            if not (request.own and raw is not None):
                foreign.extend(messages)
                continue
            flush()
            lines.append(raw)
        flush()
        return b"".join(line + b"\n" for line in lines)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _is_line(value: Mapping[str, Any]) -> bool:
    known = value.get("type") in KINDS or "timestamp" in value
    return isinstance(value.get("type"), str) and isinstance(value.get("payload"), dict) and known
