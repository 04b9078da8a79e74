"""The tail of a window: recalled memories as quoted data, within what the window leaves."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from lamina._counting import CheckedCounter
from lamina.model import Hit, Message
from lamina.protocols import Entry, Verbatim
from lamina.rendering import notice, quoted, recalled_text
from lamina.window import Slot

_LEAST = 40
"""A memory cut below this many tokens is left out: a shred helps nobody."""


@frozen
class Tail:
    """The recalled memories of one window."""

    messages: tuple[Message, ...] = ()
    tokens: int = 0
    slots: tuple[Slot, ...] = ()
    """For the ledger."""
    hits: tuple[Hit, ...] = ()
    """Those that stand in it, best first."""


def build_tail(hits: Sequence[Hit], room: int, count: CheckedCounter, frame: int) -> Tail:
    """As many of the hits, best first, as fit the room; the last one may be cut at a line's or word's end."""
    taken: list[tuple[Hit, str]] = []
    tokens = 0

    def size(chosen: list[tuple[Hit, str]]) -> int:
        return frame + count((recalled_text(chosen),))[0]

    for hit in hits:
        text = hit.memory.text.strip()
        if not text:
            continue
        grown = size([*taken, (hit, text)])
        if grown > room:
            text = _cut(text, room - (tokens or size([])), count)
            grown = size([*taken, (hit, text)]) if text else room + 1
            if grown > room:
                break
        taken.append((hit, text))
        tokens = grown
    if not taken:
        return Tail()
    entries = tuple(
        Entry(hit.page or 0, hit.page or 0, Verbatim(), f"recalled from {hit.tier}", hit.score) for hit, _ in taken
    )
    message = notice(recalled_text(taken))
    return Tail((message,), tokens, (Slot(entries, (message,), tokens),), tuple(hit for hit, _ in taken))


def _cut(text: str, room: int, count: CheckedCounter) -> str:
    """A beginning of the text that is surely within the room, with a mark; empty where that is too little."""
    room -= 30  # the label with the source, and the mark
    if room < _LEAST:
        return ""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count((quoted(text[:middle]),))[0] <= room:
            low = middle
        else:
            high = middle - 1
    cut = text[:low]
    end = max(cut.rfind("\n"), cut.rfind(" "))
    return (cut[:end] if end > len(cut) // 2 else cut).rstrip() + " […]"
