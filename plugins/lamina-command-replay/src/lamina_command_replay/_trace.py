"""What stood in each window of a replayed session: kept only for a report, because it costs time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from lamina.protocols import Digest, Shortened
from lamina_command_replay._measures import FAR, Measured
from lamina_command_replay._recording import Steps
from lamina_command_replay._texts import Texts

if TYPE_CHECKING:
    from lamina import Window
    from lamina.window import Slot

KINDS = ("system", "user", "assistant", "results", "shortened", "digest", "stubs", "recalled")
"""What the tokens of a window are told apart by. The first four stand verbatim; ``shortened`` are those of a shortened
page that are not as they were said; ``stubs`` are the kernel's own lines."""

_ROLES = {"system": 0, "user": 1, "assistant": 2, "tool": 3}
_SHORTENED, _DIGEST, _STUBS, _RECALLED = range(4, 8)


@frozen
class Rows:
    """The rows of a ledger that read alike, told as one."""

    rendition: str
    rule: str
    compressor: str
    first: int
    """The lowest page id."""
    last: int
    """The highest one; pages between may stand otherwise."""
    pages: int
    before: int
    """Tokens of the pages as they were said."""
    after: int
    """Tokens of what stands for them."""


@frozen
class Missing:
    """A needed atom that did not stand in the window."""

    atom: str
    page: int
    """The id of the page that last said it."""
    far: bool
    """Whether that was ten or more messages before."""
    rendition: str
    """How the page stood in the window."""


@frozen
class Step:
    """One window."""

    tokens: int
    """By the kernel's count, which the budget holds."""
    kinds: tuple[int, ...]
    """The same, by :data:`KINDS`."""
    compacted: bool
    ledger: tuple[Rows, ...]
    measured: Measured
    missing: tuple[Missing, ...]


@define(eq=False)
class Trace:
    """The windows of one session under one configuration, in order.

    :meth:`window` is called for each window, then :meth:`measured`.
    """

    recorded: Steps
    """What was said."""
    texts: Texts
    steps: list[Step] = field(factory=list)
    _window: Window | None = None

    def window(self, window: Window) -> None:
        """Take the next window."""
        self._window = window

    def measured(self, measured: Measured) -> None:
        """Take what that window came to."""
        window = self._window
        assert window is not None
        self._window = None
        missing = [
            Missing(
                atom,
                page := self.recorded.pages[last],
                measured.index - last >= FAR,
                window.ledger.page(page).rendition,
            )
            for atom, last in measured.lost
        ]
        self.steps.append(
            Step(window.tokens, composition(window), window.compacted, _rows(window), measured, tuple(missing))
        )


def composition(window: Window) -> tuple[int, ...]:
    """The window's tokens by :data:`KINDS`; they add up to all of them."""
    tokens = [0] * len(KINDS)
    for slot in window.slots:
        for kind, count in _shares(slot):
            tokens[kind] += count
    tokens[_RECALLED] += window.tokens - sum(slot.tokens for slot in window.slots)
    return tuple(tokens)


def _shares(slot: Slot) -> list[tuple[int, int]]:
    page = slot.page
    if page is None:
        digest = any(isinstance(entry.rendition, Digest) for entry in slot.entries)
        return [(_DIGEST if digest else _STUBS, slot.tokens)]
    said = zip(page.messages, page.message_tokens, strict=True)
    if not isinstance(slot.entries[0].rendition, Shortened):
        return [(_ROLES[message.role], count) for message, count in said]
    # A shortened page has the messages that it had, some of them with other texts.
    same = [
        (_ROLES[message.role], count)
        for (message, count), stands in zip(said, slot.messages, strict=True)
        if message == stands
    ]
    return [*same, (_SHORTENED, slot.tokens - sum(count for _, count in same))]


def _rows(window: Window) -> tuple[Rows, ...]:
    found: dict[tuple[str, str, str], list[int]] = {}
    for row in window.ledger.rows:
        pages = row.last - row.first + 1
        known = found.setdefault((row.rendition, row.rule, row.compressor), [row.first, row.last, 0, 0, 0])
        known[0], known[1] = min(known[0], row.first), max(known[1], row.last)
        known[2:] = known[2] + pages, known[3] + row.tokens_before, known[4] + row.tokens_after
    return tuple(Rows(*key, *value) for key, value in found.items())


def pages_of(recorded: Steps) -> dict[int, Sequence[int]]:
    """The indices of each page's messages in the history, by the page's id."""
    found: dict[int, list[int]] = {}
    for index, page in enumerate(recorded.pages):
        found.setdefault(page, []).append(index)
    return dict(found)
