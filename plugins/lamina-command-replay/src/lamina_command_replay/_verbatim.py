"""Which parts of a window's text stand in runs of complete lines of the messages before."""

from __future__ import annotations

from collections.abc import Callable, Set

_RUN = 200
"""From so many characters on, complete lines in a row read as text and not as shreds."""

_NOWHERE: frozenset[int] = frozenset()


class Originals:
    """An index of the lines of all messages so far.

    Lines are numbered through all messages with a gap between two, so that the line after number ``n`` of the same
    message is ``n + 1`` and a run never crosses from one message to the next.
    """

    def __init__(self, tokens: Callable[[str], int]) -> None:
        self._tokens = tokens
        self._whole: set[str] = set()
        self._places: dict[str, set[int]] = {}
        self._long: list[str] = []
        self._next = 0
        self._judged: dict[str, int] = {}

    def add(self, text: str) -> None:
        """Index one more message's text."""
        self._whole.add(text)
        for line in text.split("\n"):
            self._places.setdefault(line, set()).add(self._next)
            self._next += 1
            if len(line) >= _RUN:
                self._long.append(line)
        self._next += 1

    def solid(self, text: str) -> int:
        """Tokens of ``text`` that stand in a whole message, or in runs of at least 200 characters of lines.

        A text is judged when it is first seen: what is said later does not make it more of a quotation.
        """
        if text in self._whole:
            return self._tokens(text)
        if text not in self._judged:
            self._judged[text] = sum(map(self._tokens, self._quoted(text)))
        return self._judged[text]

    def _quoted(self, text: str) -> list[str]:
        """The runs, and the pieces of at least 200 characters of longer lines."""
        found: list[str] = []
        run: list[str] = []
        ends: Set[int] = _NOWHERE

        def close() -> None:
            if sum(map(len, run)) >= _RUN:
                found.append("\n".join(run))

        for line in text.split("\n"):
            places: Set[int] = self._places.get(line, _NOWHERE)
            goes_on = _following(ends, places) if run else places
            if goes_on:
                run.append(line)
                ends = goes_on
                continue
            close()
            run, ends = ([line], places) if places else ([], _NOWHERE)
            if not places and len(line) >= _RUN and any(line in longer for longer in self._long):
                found.append(line)
        close()
        return found


def _following(ends: Set[int], places: Set[int]) -> Set[int]:
    """Those of ``places`` that come right after one of ``ends``; as fast as the smaller of the two is small."""
    if len(ends) <= len(places):
        return {end + 1 for end in ends if end + 1 in places}
    return {place for place in places if place - 1 in ends}
