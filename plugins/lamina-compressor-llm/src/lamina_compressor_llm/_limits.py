"""What may be spent, and when asking pauses."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, frozen

MOST_PAUSE_S = 3600.0
"""No server can make asking pause for longer."""


@frozen
class Cost:
    """Of one call."""

    input_tokens: int
    output_tokens: int


@define
class Budget:
    """What is left of calls and tokens. A call is charged its most before it is made, and what it used after."""

    calls: int
    input_tokens: int
    output_tokens: int

    def charge(self, cost: Cost) -> bool:
        """Take the cost of a call; false where it is not left."""
        if not self.calls or cost.input_tokens > self.input_tokens or cost.output_tokens > self.output_tokens:
            return False
        self.calls -= 1
        self.input_tokens -= cost.input_tokens
        self.output_tokens -= cost.output_tokens
        return True

    def correct(self, charged: Cost, used: Cost) -> None:
        """Replace what was charged by what was used; not below 0 where more was used."""
        self.input_tokens = max(0, self.input_tokens + charged.input_tokens - used.input_tokens)
        self.output_tokens = max(0, self.output_tokens + charged.output_tokens - used.output_tokens)


class Breaker:
    """Pauses asking after failures in a row; then lets one through, which decides.

    Args:
        failures: So many in a row.
        pause_s: For so many seconds.
        clock: Unix time in seconds.
    """

    def __init__(self, failures: int, pause_s: float, clock: Callable[[], float]) -> None:
        self._most, self._pause_s, self._clock = failures, pause_s, clock
        self._failures = 0
        self._from_s = self._until_s = 0.0
        self._trying = False

    def enter(self) -> bool:
        """Whether to ask now. Who may must say how it went, by :meth:`succeeded`, :meth:`failed` or :meth:`left`."""
        if not self._until_s:
            return True
        # A clock that was set back must not make the pause longer.
        if self._trying or self._from_s <= self._clock() < self._until_s:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """A usable answer came."""
        self._failures, self._until_s, self._trying = 0, 0.0, False

    def failed(self, wait_s: float = 0.0) -> float:
        """None came. The seconds for which asking pauses from now on, or 0.

        Args:
            wait_s: For how long the server asked to be left alone; that is a pause at once.
        """
        self._failures += 1
        paused = self._clock() < self._until_s and not self._trying
        if not wait_s and (paused or not (self._trying or self._failures >= self._most)):
            return 0.0
        pause_s = min(MOST_PAUSE_S, wait_s) if wait_s else self._pause_s
        self._from_s = self._clock()
        self._until_s, self._trying = max(self._until_s, self._from_s + pause_s), False
        return pause_s

    def left(self) -> None:
        """Nobody waits for the answer any more: it decides nothing."""
        self._trying = False
