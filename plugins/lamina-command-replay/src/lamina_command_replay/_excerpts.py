"""What a report quotes of a page: its beginning, and what stands around the values that were missing."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from lamina_command_replay._texts import ChatMessage, Texts, last_word

PAGE = 1600
"""At most so many characters of a page are quoted, besides headings."""
_HEAD = 240
"""So many of a message's first ones."""
_REACH = 160
"""So many on each side of a value."""
_NEAR = 60
"""A gap shorter than this is quoted too: a mark for it would be as long."""


@frozen
class Quoted:
    """What is quoted of one message."""

    role: str
    tools: tuple[str, ...]
    """The tools that it calls."""
    pieces: tuple[str | int, ...]
    """Texts in order; a number stands for so many characters left out."""


def quote(messages: Sequence[ChatMessage], values: Sequence[str], texts: Texts) -> tuple[Quoted, ...]:
    """Quote a page.

    Args:
        messages: The page's.
        values: What should be seen; the first come first where not all fit.
        texts: Knows what messages say.
    """
    said = [texts.facts(message).said.strip("\n") for message in messages]
    spans: list[list[tuple[int, int]]] = [[] for _ in said]
    room = PAGE
    for at, text in enumerate(said):
        room -= _take(spans[at], 0, _line_end(text, _HEAD // 2, _HEAD), room)
    for value in values:
        for at, text in enumerate(said):
            start = last_word(text, value)
            if start >= 0:
                end = start + min(len(value), PAGE)
                room -= _take(spans[at], _line_start(text, start), _line_end(text, end, end + _REACH), room)
                break
    return tuple(
        Quoted(message["role"], _tools(message), tuple(_pieces(text, _joined(marked, len(text)))))
        for message, text, marked in zip(messages, said, spans, strict=True)
    )


def _tools(message: ChatMessage) -> tuple[str, ...]:
    return tuple(call["function"]["name"] for call in message.get("tool_calls") or ())


def _line_start(text: str, at: int) -> int:
    """Where quoting begins for what stands at ``at``: at the start of a line, if one is in reach."""
    far = max(0, at - _REACH)
    return (text.find("\n", far, at) + 1 or far) if far else 0


def _line_end(text: str, least: int, most: int) -> int:
    """Where quoting ends: at the end of a line, if there is one between ``least`` and ``most``."""
    if most >= len(text):
        return len(text)
    end = text.rfind("\n", least, most)
    return most if end < 0 else end


def _take(spans: list[tuple[int, int]], start: int, end: int, room: int) -> int:
    """Quote from ``start`` to ``end`` if there is room for what is not quoted yet; how much that is."""
    quoted = sum(max(0, min(end, b) - max(start, a)) for a, b in _joined(spans, end))
    if end <= start or end - start - quoted > room:
        return 0
    spans.append((start, end))
    return end - start - quoted


def _joined(spans: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Ascending and apart; short gaps closed."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start - found[-1][1] < _NEAR:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start if start >= _NEAR else 0, end))
    if found and length - found[-1][1] < _NEAR:
        found[-1] = (found[-1][0], length)
    return found


def _pieces(text: str, spans: Sequence[tuple[int, int]]) -> list[str | int]:
    pieces: list[str | int] = []
    at = 0
    for start, end in spans:
        if start > at:
            pieces.append(start - at)
        pieces.append(text[start:end])
        at = end
    if at < len(text):
        pieces.append(len(text) - at)
    return pieces
