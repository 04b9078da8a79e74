"""Which calls wait for their result and which have one, and which of them a result answers.

A result answers the oldest unanswered call of its id, else the one of that id that was answered last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

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
        """Call id to its unanswered uses, oldest first; an empty list hides those of the calls below."""
        self._answered: dict[str, Place] = {}
        """Call id to the use that was answered last."""
        self._older: list[bytes] = []
        """What a snapshot says of answered calls, oldest first: it is hardly ever asked for."""
        self._opened: dict[tuple[str, Place], None] = {}
        self._closed: list[tuple[str, Place]] = []
        self._newly: dict[str, Place] = {}
        """Since the changes were last asked for: what was opened and still waits, what waited and was answered, and what
        was answered."""

    def opened(self, id: str, place: Place) -> None:
        """A call of this id stands there and waits for its result."""
        self._queue(id).append(place)
        self._opened[id, place] = None

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
                if (id, place) in self._opened:
                    del self._opened[id, place]
                else:
                    self._closed.append((id, place))
            if not waiting and self._below is None:
                del self._waiting[id]  # else it would be there for ever
            self._answered[id] = self._newly[id] = place
        return places

    def waiting(self) -> list[tuple[str, Place]]:
        """The calls that wait for a result, each with its id, oldest first."""
        below = [] if self._below is None else [w for w in self._below.waiting() if w[0] not in self._waiting]
        own = [(id, place) for id, places in self._waiting.items() for place in places]
        return sorted([*below, *own], key=lambda waits: waits[1])

    def changes(self) -> Mapping[str, Any]:
        """What changed since :meth:`settled`, for a snapshot."""
        answered = msgspec.msgpack.encode(list(self._newly.items()))
        return {"opened": list(self._opened), "closed": self._closed, "answered": answered}

    def settled(self) -> None:
        """Begin to collect changes anew."""
        self._opened, self._closed, self._newly = {}, [], {}

    def restore(self, changes: Mapping[str, Any]) -> None:
        """Take over the next changes that a snapshot says."""
        for id, (position, index) in changes["closed"]:
            self._waiting[id].remove((position, index))
            if not self._waiting[id]:
                del self._waiting[id]
        for id, (position, index) in changes["opened"]:
            self._queue(id).append((position, index))
        self._older.append(changes["answered"])

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
        if found is None and self._below is not None:
            return self._below._last(id)
        if found is None and self._older:
            said = {i: (p, k) for changes in self._older for i, (p, k) in msgspec.msgpack.decode(changes)}
            self._answered, self._older = said | self._answered, []
            found = self._answered.get(id)
        return found
