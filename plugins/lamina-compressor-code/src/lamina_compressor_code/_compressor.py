"""The sources of a page as outlines, as offers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from lamina.model import Page, ToolCall, ToolResult
from lamina.protocols import CompressRequest, Shortened
from lamina_compressor_code._languages import by_content, by_path
from lamina_compressor_code._outline import outline

if TYPE_CHECKING:
    from lamina_compressor_code import CodeSettings

Key = tuple[int, int]
Count = Callable[[Sequence[str]], Sequence[int]]

_PATHS = ("file_path", "path", "filename", "file", "notebook_path", "uri", "target_file")
_WRITTEN = ("content", "file_text", "contents", "code")
_COMMANDS = ("command", "cmd")
_SHOWS = re.compile(r"\s*(?:cat|head|tail|sed|bat|less|nl|type)\b")
_WORD = re.compile(r"[^\s'\"|;&<>]+")
_GUTTER = re.compile(r" *(\d{1,9})(?:→|\t)")
_WORTH = 0.85
"""An outline of a larger share of the characters is not worth its loss."""


class CodeCompressor:
    """Offers one form for each page that shows source files: their outlines."""

    def __init__(self, settings: CodeSettings) -> None:
        self._settings = settings
        self._offers: WeakKeyDictionary[Page, tuple[Count, tuple[Shortened, ...]]] = WeakKeyDictionary()

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """At most one offer per page, whatever the targets; each page is parsed once; one call of the counter."""
        new = [p for p in request.pages if p not in self._offers or self._offers[p][0] != request.count]
        read = [(page, list(self._outlines(page))) for page in new]
        sizes = iter(
            request.count([text for _, found in read for _, before, after in found for text in (before, after)])
        )
        for page, found in read:
            texts: dict[Key, str | None] = {}
            saved = 0
            for key, _, after in found:
                size, cost = next(sizes), next(sizes)
                if cost < size:
                    texts[key] = after
                    saved += size - cost
            covers = max(0.0, 1 - 0.6 * saved / max(1, page.tokens))
            made = (Shortened(page=page.id, texts=texts, covers=covers),) if texts else ()
            self._offers[page] = (request.count, made)
        return [offer for page in request.pages for offer in self._offers[page][1]]

    def _outlines(self, page: Page) -> Iterator[tuple[Key, str, str]]:
        """Place, text and outline of each source of the page."""
        calls = {call.id: _arguments(call) for message in page.messages for call in message.calls}
        for m, message in enumerate(page.messages):
            for p, part in enumerate(message.parts):
                made = None
                if isinstance(part, ToolResult):
                    made = self._result(page.id, part.text, calls.get(part.call_id, {}))
                    before = part.text
                elif isinstance(part, ToolCall) and self._settings.arguments:
                    made = self._written(page.id, calls[part.id])
                    before = part.arguments
                if made is not None and len(made) < len(before):
                    yield (m, p), before, made

    def _result(self, page: int, text: str, arguments: Mapping[str, Any]) -> str | None:
        if text.count("\n") + 1 < self._settings.min_lines or not _encodable(text):
            return None
        head, code, tail, first = _source(text)
        named = _path(arguments)
        # A file of another language is none of these, whatever stands in it.
        language = by_path(named) if named and "." in named.rsplit("/", 1)[-1] else None
        if language is None and (not named or named.endswith((".txt", ".log"))):
            language = by_content(code)
        if language is None:
            return None
        made = self._outline(code, language, first)
        return None if made is None else f"{head}{_remark(page, language)}\n{made}{tail}"

    def _written(self, page: int, arguments: Mapping[str, Any]) -> str | None:
        path = _path(arguments)
        language = by_path(path) if path else None
        key = next((key for key in _WRITTEN if isinstance(arguments.get(key), str)), None)
        if language is None or key is None:
            return None
        text = arguments[key]
        if text.count("\n") + 1 < self._settings.min_lines or not _encodable(json.dumps(arguments, ensure_ascii=False)):
            return None
        made = self._outline(text, language, 1)
        if made is None:
            return None
        return json.dumps({**arguments, key: f"{_remark(page, language)}\n{made}"}, ensure_ascii=False)

    def _outline(self, code: str, language: str, first: int | None) -> str | None:
        made = outline(code, language, first_line=first, max_literal=self._settings.max_literal)
        return made if made is not None and len(made) <= _WORTH * len(code) else None


def _remark(page: int, language: str) -> str:
    return f"[outline of {language} in page {page}; bodies: expand {page}]"


def _arguments(call: ToolCall) -> dict[str, Any]:
    try:
        value = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _path(arguments: Mapping[str, Any]) -> str | None:
    """The file that a call names, or that its shell command shows."""
    for key in _PATHS:
        if isinstance(arguments.get(key), str):
            return str(arguments[key])
    for key in _COMMANDS:
        command = arguments.get(key)
        if isinstance(command, str) and _SHOWS.match(command):
            named = [word for word in _WORD.findall(command) if by_path(word)]
            return named[0] if len(set(named)) == 1 else None
    return None


def _source(text: str) -> tuple[str, str, str, int | None]:
    """What stands before the source, the source without line numbers, what stands after it, its first line's number.

    The source is the longest run of numbered lines, or all of the text where there is none.
    """
    lines = text.split("\n")
    best = (0, 0, 0)
    at = 0
    while at < len(lines):
        found = _GUTTER.match(lines[at])
        start, first = at, int(found.group(1)) if found else 0
        while found and int(found.group(1)) == first + at - start:
            at += 1
            found = _GUTTER.match(lines[at]) if at < len(lines) else None
        if at - start > best[1] - best[0]:
            best = (start, at, first)
        at = max(at, start + 1)
    start, end, first = best
    if end - start < 3:
        return "", text, "", None
    code = "\n".join(_GUTTER.sub("", line, count=1) for line in lines[start:end])
    head = "\n".join(lines[:start]) + "\n" if start else ""
    tail = "\n" + "\n".join(lines[end:]) if end < len(lines) else ""
    return head, code, tail, first


def _encodable(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)
