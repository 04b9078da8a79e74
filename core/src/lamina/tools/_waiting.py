"""What calls wait for: a free slot, their turn, the end of their time, a tool that works again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Slots:
    """At most so many at once, in the order in which they came; one that is free costs a comparison."""

    __slots__ = ("_waiting", "limit", "taken")

    def __init__(self, limit: int) -> None:
        self.limit, self.taken = limit, 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def try_take(self) -> bool:
        """Take one that is free and that nobody waits for."""
        if self.taken < self.limit and not self._waiting:
            self.taken += 1
            return True
        return False

    async def take(self) -> None:
        """Take one, once it is free."""
        if self.try_take():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter  # who frees one hands it over: the count stays
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.free()
            raise

    def free(self) -> None:
        """Give one back."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.taken -= 1


class Turns:
    """What can be used by one at a time. Whoever wants several things stands in all their lines at once.

    So nobody holds one and waits for another that was asked for earlier, and there is no deadlock; on each thing the
    order is that in which it was asked for.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[_Place]] = {}

    async def take(self, names: Sequence[str]) -> _Place:
        """Wait until all of them are free, and give what :meth:`leave` takes."""
        place = _Place(tuple(dict.fromkeys(names)))
        for name in place.names:
            line = self._lines.setdefault(name, deque())
            line.append(place)
            place.before += len(line) > 1
        if place.before:
            place.ready = asyncio.get_running_loop().create_future()
            try:
                await place.ready
            except asyncio.CancelledError:
                self.leave(place)
                raise
        return place

    def leave(self, place: _Place) -> None:
        """Let those behind step forward."""
        for name in place.names:
            line = self._lines[name]
            first = line[0] is place
            line.remove(place)
            if not line:
                del self._lines[name]
            elif first:
                line[0].before -= 1
                if not line[0].before and line[0].ready is not None and not line[0].ready.done():
                    line[0].ready.set_result(None)


class _Place:
    """Where one stands in its lines: ``before`` counts those lines in which somebody is ahead."""

    __slots__ = ("before", "names", "ready")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names, self.before = names, 0
        self.ready: asyncio.Future[None] | None = None


class Deadlines(Generic[T]):
    """Tells when the time of something is over.

    Those of one length are due in the order in which they began: one timer for all of them, where a timer each would
    cost more than the call that it guards.
    """

    def __init__(self, ring: Callable[[T], None]) -> None:
        self._ring = ring
        self._due: dict[float, dict[T, float]] = {}
        self._timers: dict[float, asyncio.TimerHandle] = {}

    def add(self, what: T, seconds: float, now: float, loop: asyncio.AbstractEventLoop) -> None:
        """Ring for it after so many seconds."""
        due = self._due.get(seconds)
        if due is None:
            due = self._due[seconds] = {}
        due[what] = now + seconds
        if seconds not in self._timers:
            self._timers[seconds] = loop.call_at(now + seconds, self._over, seconds, loop)

    def drop(self, what: T, seconds: float) -> None:
        """Do not ring for it any more."""
        due = self._due.get(seconds)
        if due is not None:
            due.pop(what, None)

    def _over(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        due, now = self._due[seconds], loop.time()
        while due:
            what, when = next(iter(due.items()))
            if when > now:
                self._timers[seconds] = loop.call_at(when, self._over, seconds, loop)
                return
            del due[what]
            self._ring(what)
        # Kinds of time-outs may be many, if a tool has one of its own in each release.
        del self._timers[seconds], self._due[seconds]

    def close(self) -> None:
        """Ring no more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._due.clear()


class Breaker:
    """Stops calls of a tool that fails again and again, and lets one through now and then to see.

    Args:
        failures: So many in a row open it; 0 for never.
        rest_s: Seconds until the next try.
    """

    __slots__ = ("_count", "_failures", "_rest_s", "_trying", "_until")

    def __init__(self, failures: int, rest_s: float) -> None:
        self._failures, self._rest_s = failures, rest_s
        self._count, self._until, self._trying = 0, 0.0, False

    def left(self, now: float) -> float | None:
        """Seconds until a call may be tried; ``None`` where one may now."""
        if not self._failures or self._count < self._failures:
            return None
        if now < self._until or self._trying:
            return max(self._until - now, 0.0)
        self._trying = True
        return None

    def told(self, works: bool | None, now: float) -> None:
        """How a call ended: well, because of the tool's state, or (``None``) in a way that says nothing of it."""
        self._trying = False
        if works:
            self._count = 0
        elif works is False:
            self._count += 1
            self._until = now + self._rest_s
