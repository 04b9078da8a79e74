"""The format's parts put together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve

from lamina.kit import harness
from lamina.kit.sources import MAX_RECORD_BYTES, peek
from lamina.model import Message, Text
from lamina.protocols import ExportRequest, Parsed, ParseRequest, Passage, RenderRequest
from lamina.verbatim import LeftOut
from lamina_format_opencode._check import faults
from lamina_format_opencode._read import read
from lamina_format_opencode._rules import FAMILY, is_info, is_message, part_of
from lamina_format_opencode._write import write


class OpencodeFormat:
    """opencode's exports, and files of its storage."""

    sends = "anthropic"
    """opencode sends to many providers; this one's form has a place for all that it records."""

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._max = max_record_bytes

    def sniff(self, request: ParseRequest) -> float:
        """0.97 for messages with opencode's ids, with parts or apart from them; else 0."""
        found = (one for value in peek(request.data) for one in _messages(value))
        return 0.97 if any(is_message(one) or is_info(one) or part_of(one) is not None for one in found) else 0.0

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        """The messages of the source; see :func:`lamina_format_opencode._read.read`."""
        return read(request, self._max)

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        """The messages as an export has them; see :func:`lamina_format_opencode._write.write`."""
        return write(request.messages)

    def left_out(self, messages: Sequence[Message]) -> list[str]:
        """What of these messages an export cannot hold as it came."""
        told = LeftOut()
        write(messages, told=told)
        return told.notes()

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """What keeps the messages from being a session; see :func:`lamina_format_opencode._check.faults`."""
        return faults(messages)

    def passages(self, message: Message) -> Sequence[Passage]:
        """What a person wrote, of the texts that opencode did not put there; see :func:`lamina.kit.harness.passages`."""
        own = tuple(part for part in message.parts if not (isinstance(part, Text) and FAMILY in part.extra))
        return harness.passages(message if len(own) == len(message.parts) else evolve(message, parts=own))

    def export(self, request: ExportRequest) -> bytes:
        """One session, ``{"info", "messages"}``; files of the storage one after the other, as they came."""
        pieces: list[bytes] = []
        foreign: list[Message] = []
        apart = False

        def flush() -> None:
            made = write(foreign, session=request.session, first=1000 * len(pieces))
            pieces.extend(json.dumps(m, ensure_ascii=False).encode() for m in made)
            foreign.clear()

        for raw, messages in request.records:
            if not (request.own and raw is not None):
                foreign.extend(messages)
                continue
            if raw.startswith(b"\0"):
                continue  # zeros that stood between records: no document can hold them
            flush()
            if not pieces:
                found = peek(raw, len(raw))
                apart = not (found and isinstance(found[0], dict) and "parts" in found[0])
            pieces.append(raw)
        flush()
        if apart:
            return b"".join(piece + b"\n" for piece in pieces)
        time = {"created": 0, "updated": 0}
        info = {"id": request.session, "projectID": "global", "directory": ".", "title": request.session, "version": "1", "time": time}  # fmt: skip
        head = json.dumps(info, ensure_ascii=False).encode()
        return b'{"info": ' + head + b', "messages": [' + b", ".join(pieces) + b"]}\n"


def _messages(value: Any) -> list[Any]:
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        return list(value["messages"])
    return value if isinstance(value, list) else [value]
