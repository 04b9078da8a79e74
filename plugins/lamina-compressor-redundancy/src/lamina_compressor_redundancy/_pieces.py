"""Texts as pieces (lines, and clauses of long lines), and what is known of a page's results."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence

from attrs import frozen

from lamina.model import Page, Text, ToolResult

Key = tuple[int, int]

WINDOW = 3
"""So many pieces in a row are looked up at once."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# Cuts depend on what stands around them only, so that equal clauses are cut alike wherever they stand.
_CLAUSE = re.compile(r".+?(?:[,;.!?}\]] |[。！？；，]|[,}\]](?=[\"\[{]))|.+", re.DOTALL)
_LONG = 240
_GUTTER = re.compile(r" *(\d{1,9})(?:→|\t)")
_PATHS = ("file_path", "path", "filename", "file", "notebook_path", "uri")


@frozen(eq=False)
class Source:
    """A text of a page in pieces; joined, they are the text."""

    page: int
    key: Key
    pieces: tuple[str, ...]
    bare: tuple[str, ...]
    """The pieces without line numbers: these are compared."""
    looked_up: tuple[int, ...]
    """A hash for each window of :data:`WINDOW` pieces; what it finds is compared exactly."""
    numbers: tuple[int | None, ...]
    """The line number that each piece begins with."""
    call: tuple[str, str] | None
    """Name and arguments of the call that it answers."""
    file: tuple[str, str] | None
    """Name of the call, and the file that it names."""

    @property
    def length(self) -> int:
        """Characters of the text."""
        return sum(map(len, self.pieces))


def split(text: str) -> list[str]:
    """Lines; of long lines, clauses. O(n).

    No piece begins with a mark that would be read as one with what stands before it.
    """
    made: list[str] = []
    for line in _LINE.findall(text):
        for piece in [line] if len(line) < _LONG else _CLAUSE.findall(line):
            if made and _joins(piece):
                made[-1] += piece
            else:
                made.append(piece)
    return made


def sources(page: Page, min_chars: int) -> tuple[Source, ...]:
    """The texts and results of a page that are long enough to be worth a reference."""
    calls = {call.id: (call.name, call.arguments) for message in page.messages for call in message.calls}
    made: list[Source] = []
    for m, message in enumerate(page.messages):
        for p, part in enumerate(message.parts):
            if not isinstance(part, Text | ToolResult) or len(part.text) < min_chars:
                continue
            pieces = split(part.text)
            gutters = [_GUTTER.match(piece) for piece in pieces]
            bare = [piece[g.end() :] if g else piece for piece, g in zip(pieces, gutters, strict=True)]
            # The last line of a text has no line feed, which is no difference.
            bare = [piece.rstrip() for piece in bare]
            hashes = [hash(piece) for piece in bare]
            windows = [hash(tuple(hashes[i : i + WINDOW])) for i in range(max(1, len(hashes) - WINDOW + 1))]
            call = calls.get(part.call_id) if isinstance(part, ToolResult) else None
            numbers = tuple(int(g.group(1)) if g else None for g in gutters)
            made.append(
                Source(
                    page.id, (m, p), tuple(pieces), tuple(bare), tuple(windows), numbers, call, _file(call)
                )
            )  # fmt: skip
    return tuple(made)


def _file(call: tuple[str, str] | None) -> tuple[str, str] | None:
    try:
        arguments = json.loads(call[1]) if call else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(arguments, dict) or call is None:
        return None
    named = next((arguments[key] for key in _PATHS if isinstance(arguments.get(key), str)), None)
    return (call[0], named) if named else None


def lines_of(source: Source, start: int = 0, end: int | None = None) -> tuple[int, int] | None:
    """The first and last line number of these pieces, or ``None``."""
    numbers: Sequence[int] = [n for n in source.numbers[start:end] if n is not None]
    return (numbers[0], numbers[-1]) if numbers else None


def _joins(text: str) -> bool:
    first = text[:1]
    return first >= "\u0300" and (first in "\u200c\u200d\ufe0e\ufe0f" or unicodedata.category(first)[0] == "M")
