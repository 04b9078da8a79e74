r"""Regular expressions of strangers, matched in time that is linear in the text.

``re`` backtracks: ``^(a+)+$`` takes years on forty letters. Here a pattern becomes states, all of which are followed
at once; sets of states that were met before are kept with where each character leads. The dialect is that of JSON
Schema (ECMA 262): ``\d`` and ``\w`` are ASCII, ``^`` and ``$`` stand for the text's ends. Back-references and
look-behind are refused, because nothing matches them in bounded time.

Source:
    Russ Cox 2007, "Regular Expression Matching Can Be Simple And Fast": the construction, and states made when
    they are met. Ours adds look-ahead, followed from each place where it is asked for, within the same bound.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

from lamina.tools._syntax import Node, parse

STEPS = 400_000
"""States that one match may look at, before it is given up: some tenths of a second."""
STATES = 5_000
"""States of one pattern at most; ``{1,1000}`` costs as many as its part a thousand times."""
_KEPT = 1_000
"""Sets of states that are remembered for one pattern."""

States: TypeAlias = frozenset[int]


class TooCostlyError(ValueError):
    """A match would take too long; what was checked is too long for the pattern."""


class Pattern:
    """One compiled pattern.

    Raises:
        ValueError: It is no regular expression, or one that cannot be matched in bounded time; says what.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._steps: list[tuple[str, object, int, int]] = []
        """(operation, operand, next, other) by number."""
        self._simple = True
        end = self._add("match", None, -1)
        self._start = self._build(parse(source), end)
        self._moves: dict[States, dict[str, States]] = {}
        self._ends: dict[States, bool] = {}

    def _add(self, operation: str, operand: object, to: int, other: int = -1) -> int:
        if len(self._steps) >= STATES:
            raise ValueError(f"has more than {STATES} states; write smaller repetitions")
        self._steps.append((operation, operand, to, other))
        return len(self._steps) - 1

    def _build(self, node: Node, to: int) -> int:
        """Add the states of a node that leads to ``to``, from its end to its beginning; gives the first."""
        match node:
            case ("empty",):
                return to
            case ("set", test):
                return self._add("set", test, to)
            case ("assert", kind):
                self._simple = self._simple and kind in "^$"
                return self._add("assert", kind, to)
            case ("look", inner, wanted):
                self._simple = False
                return self._add("look", (self._build(inner, self._add("match", None, -1)), wanted), to)
            case ("seq", nodes):
                for inner in reversed(nodes):
                    to = self._build(inner, to)
                return to
            case ("alt", nodes):
                first = self._build(nodes[-1], to)
                for inner in reversed(nodes[:-1]):
                    first = self._add("split", None, self._build(inner, to), first)
                return first
            case ("repeat", inner, least, most):
                return self._repeat(inner, least, most, to)
        raise AssertionError(node)

    def _repeat(self, inner: Node, least: int, most: int | None, to: int) -> int:
        if max(least, most or 0) > STATES:
            raise ValueError(f"repeats more than {STATES} times")
        if most is None:
            loop = self._add("split", None, -1, to)
            body = self._build(inner, loop)
            self._steps[loop] = ("split", None, body, to)
            to = loop
        else:
            end = to
            for _ in range(most - least):
                to = self._add("split", None, self._build(inner, to), end)
        for _ in range(least):
            to = self._build(inner, to)
        return to

    def search(self, text: str) -> bool:
        """Whether it matches anywhere in the text.

        Raises:
            TooCostlyError: Not within :data:`STEPS`.
        """
        cost = _Cost()
        return (
            self._search_kept(text, cost) if self._simple else self._follow(text, self._start, 0, cost, anywhere=True)
        )

    def _search_kept(self, text: str, cost: _Cost) -> bool:
        again = self._closure((self._start,), "", 1, False, cost)
        state = self._closure((self._start,), text, 0, not text, cost)
        for at, character in enumerate(text, 1):
            if 0 in state:
                return True
            moves = self._moves.get(state)
            if moves is None:
                if len(self._moves) >= _KEPT:
                    self._moves.clear()
                    self._ends.clear()
                moves = self._moves[state] = {}
            following = moves.get(character)
            if following is None:
                following = self._closure(self._stepped(state, character, cost), "", at, False, cost) | again
                if len(moves) < _KEPT:
                    moves[character] = following
            state = following
        return 0 in state or self._closes(state, text, cost)

    def _closes(self, state: States, text: str, cost: _Cost) -> bool:
        known = self._ends.get(state) if text else None
        if known is None:
            known = 0 in self._closure(tuple(state), text, len(text), True, cost)
            if text:
                self._ends[state] = known
        return known

    def _stepped(self, state: States, character: str, cost: _Cost) -> tuple[int, ...]:
        cost.take(len(state))
        out = []
        for number in state:
            operation, test, to, _ = self._steps[number]
            if operation == "set" and test(character):  # type: ignore[operator]
                out.append(to)
        return tuple(out)

    def _closure(self, numbers: tuple[int, ...], text: str, at: int, ends: bool, cost: _Cost) -> States:
        """What is reached without a character. States that wait for the text's end stay in, in case it comes."""
        seen: set[int] = set()
        waiting = list(numbers)
        out: set[int] = set()
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            cost.take(1)
            operation, operand, to, other = self._steps[number]
            if operation == "split":
                waiting += (to, other)
            elif operation == "assert" or operation == "look":
                if operand == "$" and not ends:
                    out.add(number)
                elif self._holds(operation, operand, text, at, ends, cost):
                    waiting.append(to)
            else:
                out.add(number)
        return frozenset(out)

    def _holds(self, operation: str, operand: object, text: str, at: int, ends: bool, cost: _Cost) -> bool:
        if operation == "look":
            start, wanted = operand  # type: ignore[misc]
            return self._follow(text, start, at, cost, anywhere=False) is wanted  # type: ignore[has-type]
        if operand == "^":
            return at == 0
        if operand == "$":
            return ends
        bound = _is_word(text[at - 1 : at]) is not _is_word(text[at : at + 1])
        return bound is (operand == "b")

    def _follow(self, text: str, start: int, at: int, cost: _Cost, *, anywhere: bool) -> bool:
        """As :meth:`_search_kept`, where what holds depends on the place; a match is any state that leads nowhere."""
        state = self._closure((start,), text, at, at == len(text), cost)
        for place in range(at, len(text) + 1):
            if any(self._steps[number][0] == "match" for number in state):
                return True
            if place == len(text) or not (state or anywhere):
                return False
            to = self._stepped(state, text[place], cost)
            state = self._closure((*to, start) if anywhere else to, text, place + 1, place + 1 == len(text), cost)
        return False


class _Cost:
    """Counts down."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = STEPS

    def take(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooCostlyError("would take too long to match")


def _is_word(character: str) -> bool:
    return bool(character) and character.isascii() and (character.isalnum() or character == "_")


@functools.lru_cache(maxsize=512)
def compiled(source: str) -> Callable[[str], bool]:
    """The search of a pattern; see :class:`Pattern`."""
    return Pattern(source).search
