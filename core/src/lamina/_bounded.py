"""A long text within a number of tokens: its head, its tail, and between them how to get the rest."""

from __future__ import annotations

from collections.abc import Callable

from lamina._counting import CheckedCounter

LEAST = 100
"""Fewer tokens leave hardly anything beside the remark."""

_HEAD = 2 / 3
"""The head's share: results say at their beginning what they are; errors and sums stand at their end."""


def bounded(text: str, page: int, limit: int, count: CheckedCounter) -> str:
    """The text where it has at most ``limit`` tokens; else its head and tail with a remark that names the page.

    Costs a few counts of texts of about ``limit`` tokens, and one of the whole.

    Args:
        text: What a tool said.
        page: The id of the page that holds all of it.
        limit: Tokens by ``count`` that what is given has at most, at least :data:`LEAST`.
        count: Counts.
    """

    def tokens(piece: str) -> int:
        return count((piece,))[0]

    total = tokens(text)
    if total <= limit:
        return text

    def framed(head: str, tail: str) -> str:
        left = total - tokens(head) - tokens(tail)
        return f"{head}\n[… {left} tokens left out; expand {page} …]\n{tail}"

    room = limit - tokens(framed("", ""))
    while room > 0:
        head = text[: _fitting(text, int(room * _HEAD), tokens, -1)]
        tail = text[max(len(head), _fitting(text, room - tokens(head), tokens, 1)) :]
        head, tail = _whole_lines(head, tail)
        made = framed(head, tail)
        over = tokens(made) - limit
        if over <= 0:
            return made
        room -= over  # pieces may cost more joined than each by itself
    return framed("", "").strip()


def _fitting(text: str, room: int, tokens: Callable[[str], int], end: int) -> int:
    """Where a piece of the text ends (``end`` -1: from its beginning) or begins (1: to its end) that fits the room."""

    def piece(size: int) -> str:
        return text[:size] if end < 0 else text[len(text) - size :]

    high = max(1, 4 * room)
    # A large text is not counted again and again: first a size that is too large, then between that and nothing.
    while high < len(text) and tokens(piece(high)) <= room:
        high *= 2
    low, high = 0, min(high, len(text))
    while low < high:
        middle = (low + high + 1) // 2
        if tokens(piece(middle)) <= room:
            low = middle
        else:
            high = middle - 1
    return low if end < 0 else len(text) - low


def _whole_lines(head: str, tail: str) -> tuple[str, str]:
    """Both cut at a line's end, where that costs less than half of them."""
    end, start = head.rfind("\n"), tail.find("\n") + 1
    return (head[:end] if end > len(head) // 2 else head), (tail[start:] if 0 < start < len(tail) // 2 else tail)
