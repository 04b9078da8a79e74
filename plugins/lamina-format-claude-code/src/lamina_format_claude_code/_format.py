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
from lamina_format_claude_code._check import faults
from lamina_format_claude_code._read import read
from lamina_format_claude_code._write import write

_MARKS = ("sessionId", "leafUuid", "isSnapshotUpdate")


class ClaudeCodeFormat:
    """Claude Code's session files: one JSON object a line, messages among notes of other types."""

    sends = "anthropic"

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._max = max_record_bytes

    def sniff(self, request: ParseRequest) -> float:
        """0.98 for lines with Claude Code's type and ids; 0.05 for an empty source, because it leaves such files."""
        if not request.data[:65_536].strip():
            return 0.05
        values = peek(request.data)
        return 0.98 if any(_is_line(value) for value in values) else 0.0

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        """Every line of the session; see :func:`lamina_format_claude_code._read.read`."""
        return read(request, self._max)

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        """The messages as lines of a session; see :func:`lamina_format_claude_code._write.write`."""
        return write(request.messages)

    def left_out(self, messages: Sequence[Message]) -> list[str]:
        """What of these messages the lines of a session cannot hold as it came."""
        told = LeftOut()
        write(messages, told=told)
        return told.notes()

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """What keeps the lines from being a session; see :func:`lamina_format_claude_code._check.faults`."""
        return faults(messages)

    def passages(self, message: Message) -> Sequence[Passage]:
        """What a person wrote; see :func:`lamina.kit.harness.passages`."""
        return harness.passages(message)

    def export(self, request: ExportRequest) -> bytes:
        """One line per record; lines that came from Claude Code byte for byte."""
        lines: list[bytes] = []
        foreign: list[Message] = []

        def flush() -> None:
            made = write(foreign, session=request.session, first=len(lines))
            lines.extend(json.dumps(line, ensure_ascii=False).encode() for line in made)
            foreign.clear()

        for raw, messages in request.records:
            if not (request.own and raw is not None):
                foreign.extend(messages)
                continue
            flush()
            lines.append(raw)
        flush()
        return b"".join(line + b"\n" for line in lines)


def _is_line(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str) and any(mark in value for mark in _MARKS)
