"""Which calls wait for their result and which have one, and which of them a result answers.

A result answers the oldest unanswered call of its id, else the one of that id that was answered last.
"""

from __future__ import annotations

from collections.abc import Sequence

from lamina.errors import FormatError

Place = tuple[int, int]
"""A call: the position of its page, and its index among the calls there."""


class Calls:
    """The calls of a session.

    Args:
        below: Calls that these come on top of and that stay as they are: what is opened and answered here is known
            here only.
    """

    def __init__(self, below: Calls | None = None) -> None:
        self._below = below
        self._waiting: dict[str, list[Place]] = {}
        """Call id to its unanswered uses, oldest first; above others, an empty list hides theirs."""
        self._answered: dict[str, Place] = {}
        """Call id to the use that was answered last."""

    def opened(self, id: str, place: Place) -> None:
        """A call of this id stands there and waits for its result."""
        self._queue(id).append(place)

    def answered(self, ids: Sequence[str]) -> list[Place]:
        """Take results that came in one message; gives the call that each answers.

        Raises:
            FormatError: One of them answers no call. Nothing was changed.
        """
        places = self._places(ids)
        for id, place in zip(ids, places, strict=True):
            waiting = self._queue(id)
            if waiting and waiting[0] == place:
                del waiting[0]
            if not waiting and self._below is None:
                del self._waiting[id]
            self._answered[id] = place
        return places

    def _places(self, ids: Sequence[str]) -> list[Place]:
        places: list[Place] = []
        taken: dict[str, int] = {}
        for id in ids:
            waiting, used = self._look(id), taken.get(id, 0)
            before = self._last(id)
            if len(waiting) > used:
                places.append(waiting[used])
                taken[id] = used + 1
            elif before is not None:
                places.append(before)
            elif waiting:
                places.append(waiting[used - 1])
            else:
                raise FormatError(f"tool result {id!r} answers no call; add the assistant message with the call first")
        return places

    def _queue(self, id: str) -> list[Place]:
        found = self._waiting.get(id)
        if found is None:
            found = self._waiting[id] = list(self._look(id))
        return found

    def _look(self, id: str) -> Sequence[Place]:
        found = self._waiting.get(id)
        if found is None and self._below is not None:
            found = self._below._waiting.get(id)
        return found or ()

    def _last(self, id: str) -> Place | None:
        found = self._answered.get(id)
        return found if found is not None or self._below is None else self._below._answered.get(id)
