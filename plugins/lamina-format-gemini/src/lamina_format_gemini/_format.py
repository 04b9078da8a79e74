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
from lamina_format_gemini._chats import is_chat_line
from lamina_format_gemini._check import faults
from lamina_format_gemini._read import CONTENTS, read
from lamina_format_gemini._rules import DATA, ROLES, SIGNATURE, camel
from lamina_format_gemini._write import write

_FOREIGN = frozenset({"type", "kind", "part_kind"})
"""Members that parts of other makers have, who also speak of parts."""
_MARKS = DATA | {SIGNATURE, "thought"}


class GeminiFormat:
    """Contents of the Gemini API, alone or in requests, and chats that Gemini CLI saved."""

    sends = "gemini"

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES, *, sign_calls: bool = True) -> None:
        self._max, self._sign = max_record_bytes, sign_calls

    def sniff(self, request: ParseRequest) -> float:
        """0.97 for contents with parts that only the API has, and for a chat of Gemini CLI; else 0."""
        for value in peek(request.data):
            if isinstance(value, dict) and is_chat_line(value):
                return 0.97
            if isinstance(value, list | dict) and any(_is_content(content) for content in _contents(value)):
                return 0.97
        return 0.0

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        """The contents of every conversation in the source; see :func:`lamina_format_gemini._read.read`."""
        return read(request, self._max)

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        """The messages as the API takes them; see :func:`lamina_format_gemini._write.write`."""
        return write(request.messages, sign=self._sign, piece=request.piece)

    def left_out(self, messages: Sequence[Message]) -> list[str]:
        """What of these messages the API does not take as it came."""
        told = LeftOut()
        write(messages, told=told, piece=True)
        return told.notes()

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """Every rule of the API that the contents break; see :func:`lamina_format_gemini._check.faults`."""
        return faults(messages)

    def passages(self, message: Message) -> Sequence[Passage]:
        """What a person wrote; see :func:`lamina.kit.harness.passages`."""
        return harness.passages(message)

    def export(self, request: ExportRequest) -> bytes:
        """One request, ``{"id", "systemInstruction", "contents"}``, or the chat of Gemini CLI that it came from."""
        system: bytes | None = None
        pieces: list[bytes] = []
        foreign: list[Message] = []
        lines = chat = False

        def flush() -> None:
            nonlocal system
            made = write(foreign, kept=True)
            foreign.clear()
            if system is None and not pieces and made and made[0]["role"] == "system":
                system = _json({"parts": made.pop(0)["parts"]})
            pieces.extend(map(_json, made))

        for raw, messages in request.records:
            if not (request.own and raw is not None):
                foreign.extend(messages)
                continue
            if raw.startswith(b"\0"):
                continue  # zeros that stood between records: no document can hold them
            if not pieces and system is None and not foreign:
                lines, chat = _shape(raw)
            if not (lines or chat or pieces) and system is None and [m.role for m in messages] == ["system"]:
                flush()
                system = raw
            else:
                flush()
                pieces.append(raw)
        flush()
        if lines:
            return b"".join(piece + b"\n" for piece in pieces)
        members = [b'"id": ' + _json(request.session), b'"contents": [' + b", ".join(pieces) + b"]"]
        if chat:
            # The hash names a folder of the machine that it was saved on.
            members = [b'"sessionId": ' + _json(request.session), b'"projectHash": ""', b'"messages": [' + b", ".join(pieces) + b"]"]  # fmt: skip
        if system is not None:
            members.insert(1, b'"systemInstruction": ' + system)
        return b"{" + b", ".join(members) + b"}\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _shape(raw: bytes) -> tuple[bool, bool]:
    """Whether a first record begins a chat in lines, and whether it is a message of a chat."""
    found = peek(raw, len(raw))
    value = found[0] if found and isinstance(found[0], dict) else {}
    return is_chat_line(value), "parts" not in value and isinstance(value.get("type"), str)


def _contents(value: Any) -> Iterator[Any]:
    """What looks like contents in a value: of a list, a request, a saved chat, answers, or the value itself."""
    if isinstance(value, list):
        for item in value:
            yield from _contents(item) if isinstance(item, dict) else ()
        return
    held = next((value[name] for name in CONTENTS if isinstance(value.get(name), list)), None)
    answers = value.get("candidates")
    if isinstance(held, list):
        yield from held
    elif isinstance(answers, list):
        yield from (answer.get("content") for answer in answers if isinstance(answer, dict))
    else:
        yield value


def _is_content(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() & _FOREIGN or value.get("role") not in (*ROLES, "function", None):
        return False
    parts = value.get("parts")
    if not isinstance(parts, list):
        return False
    held = [part for part in parts if isinstance(part, dict)]
    if any(_FOREIGN & part.keys() for part in held):
        return False
    # Google's first library for Python writes a text as it is; of one that is cut off by the look at the start, nothing is left.
    plain = value.get("role") in ROLES and any(isinstance(part, str) or part == {} for part in parts)
    return plain or any(_MARKS & camel(part).keys() for part in held)
