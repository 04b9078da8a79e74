"""What values are checked by: one function for each keyword of JSON Schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from attrs import define

from lamina.tools._patterns import TooCostlyError

STEPS = 200_000
"""Values looked at by one check, counted once for each schema that looks."""
DEPTH = 100
"""Levels of a value, and references without a level between them."""
_SHOWN = 80

Path: TypeAlias = tuple[str | int, ...]


class Run:
    """One check: what it found, and what it may still cost."""

    __slots__ = ("depth", "faults", "left")

    def __init__(self, left: int = STEPS, depth: int = 0) -> None:
        self.faults: list[tuple[Path, str]] = []
        self.left, self.depth = left, depth

    def fault(self, path: Path, what: str) -> None:
        if len(self.faults) < 100:
            self.faults.append((path, what))

    def valid(self, check: Check, value: Any, path: Path) -> bool:
        """Whether a value passes a check, without what is wrong with it."""
        inner = Run(self.left, self.depth)
        check(value, path, inner)
        self.left = inner.left
        return not inner.faults


class EndError(Exception):
    """The check is given up; ``args`` say where and why."""


Check: TypeAlias = Callable[[Any, Path, Run], None]


def shown(value: Any) -> str:
    """A value in a message: JSON where it is, cut."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 400:
        return f"a number of about {value.bit_length() * 3 // 10} digits"
    text = repr(value) if isinstance(value, str | int | float | bool | None) else repr(value)[: 4 * _SHOWN]
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def is_integer(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: type(value) is dict or isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list | tuple),
    "string": lambda value: isinstance(value, str),
    "integer": is_integer,
    "number": lambda value: is_number(value) and is_finite(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def same(value: Any, depth: int = 0) -> Any:
    """Something hashable that is equal for what JSON finds equal: 1 and 1.0 are, 1 and true are not."""
    if depth > DEPTH:
        raise EndError((), f"is nested deeper than {DEPTH}")
    if isinstance(value, bool) or value is None:
        return (type(value), value)
    if isinstance(value, Mapping):
        return ("object", frozenset((key, same(item, depth + 1)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return ("array", tuple([same(item, depth + 1) for item in value]))
    return value


def _multiple(value: Any, of: Any) -> bool:
    if not is_finite(value):
        return False
    if isinstance(value, int) and isinstance(of, int):
        return value % of == 0
    # By the digits as they are written: 0.3 is a multiple of 0.1, which it is not in binary.
    exact, step = (Fraction(v if isinstance(v, int) else repr(v)) for v in (value, of))
    return (exact / step).denominator == 1


def nothing(value: Any, path: Path, run: Run) -> None:
    """Everything fits."""


def joined(checks: list[Check]) -> Check:
    if not checks:
        return nothing
    if len(checks) == 1:
        return checks[0]
    if len(checks) == 2:
        first, second = checks

        def both(value: Any, path: Path, run: Run) -> None:
            first(value, path, run)
            second(value, path, run)

        return both

    def every(value: Any, path: Path, run: Run) -> None:
        for check in checks:
            check(value, path, run)

    return every


NUMBERS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minimum": (lambda value, bound: value >= bound, "is less than the minimum of"),
    "maximum": (lambda value, bound: value <= bound, "is greater than the maximum of"),
    "exclusiveMinimum": (lambda value, bound: value > bound, "is not greater than"),
    "exclusiveMaximum": (lambda value, bound: value < bound, "is not less than"),
    "multipleOf": (_multiple, "is not a multiple of"),
}


def number(passes: Callable[[Any, Any], bool], bound: Any, words: str) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        if is_number(value) and not passes(value, bound):
            run.fault(path, f"{shown(value)} {words} {shown(bound)}")

    return check


def one_of(allowed: frozenset[Any], said: str) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        try:
            if same(value) in allowed:
                return
        except TypeError:
            pass  # what is no JSON value is none of them
        run.fault(path, f"{shown(value)} is not one of {said}")

    return check


def matches(search: Callable[[str], bool], source: str) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        if not isinstance(value, str):
            return
        try:
            if not search(value):
                run.fault(path, f"{shown(value)} does not match {shown(source)}")
        except TooCostlyError:
            run.fault(path, f"{len(value)} characters are too long to be matched with {shown(source)}")

    return check


def span(low: float, high: float) -> str:
    return f"at least {low}" if high == math.inf else f"at most {high}" if low <= 0 else f"{low} to {high}"


def _spend(run: Run, steps: int, path: Path) -> None:
    run.left -= steps + 1
    if run.left < 0:
        raise EndError(path, f"cannot be checked in {STEPS} steps; the value or the schema is too large")


@define(eq=False)
class Members:
    """The check of an object's members."""

    properties: Mapping[str, Check]
    patterns: Sequence[tuple[Callable[[str], bool], Check]]
    required: Sequence[str]
    others: Check | None
    closed: bool
    names: Check | None

    def __call__(self, value: Any, path: Path, run: Run) -> None:
        if type(value) is not dict and not isinstance(value, Mapping):  # the first is five times as fast
            return
        _spend(run, len(value), path)
        for name in self.required:
            if name not in value:
                run.fault((*path, name), "is required")
        properties, unusual = self.properties, bool(self.patterns) or self.names is not None
        for key, item in value.items():
            described = properties.get(key)
            if described is not None:
                described(item, (*path, key), run)
            if unusual or described is None:
                self._other(key, item, (*path, key), run)

    def _other(self, key: Any, value: Any, path: Path, run: Run) -> None:
        """A member that no property describes, or one that patterns may describe too."""
        if not isinstance(key, str):
            run.fault(path[:-1], f"has a member of the name {shown(key)}, which is no text")
            return
        if self.names is not None:
            self.names(key, path, run)
        found = False
        for search, check in self.patterns:
            try:
                if search(key):
                    found = True
                    check(value, path, run)
            except TooCostlyError:
                run.fault(path, "has a name that is too long to be matched")
        if found or key in self.properties or self.others is None:
            return
        if self.closed:
            run.fault(path, f"is unknown; known: {', '.join(self.properties) or 'none'}")
        else:
            self.others(value, path, run)


def dependent(needs: Mapping[str, Sequence[str]], parts: Mapping[str, Check]) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        if not isinstance(value, Mapping):
            return
        for key, names in needs.items():
            if key in value:
                for name in names:
                    if name not in value:
                        run.fault((*path, name), f"is required where there is {key!r}")
        for key, part in parts.items():
            if key in value:
                part(value, path, run)

    return check


def items_of(heads: Sequence[Check], rest: Check | None) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        if not isinstance(value, list | tuple):
            return
        _spend(run, len(value), path)
        for number, item in enumerate(value):
            inner = heads[number] if number < len(heads) else rest
            if inner is not None:
                inner(item, (*path, number), run)

    return check


def contains(inner: Check, least: float, most: float) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        if isinstance(value, list | tuple):
            _spend(run, len(value), path)
            found = sum(run.valid(inner, item, path) for item in value)
            if not least <= found <= most:
                run.fault(path, f"has {found} items of the kind that it must contain; allowed: {span(least, most)}")

    return check


def unique(value: Any, path: Path, run: Run) -> None:
    if isinstance(value, list | tuple):
        _spend(run, len(value), path)
        try:
            if len(set(map(same, value))) != len(value):
                run.fault(path, "has an item twice")
        except TypeError:
            run.fault(path, "holds what JSON cannot hold")


def some(options: Sequence[Check], exactly: bool) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        _spend(run, len(options), path)
        fitting = 0
        nearest: list[tuple[Path, str]] | None = None
        for option in options:
            inner = Run(run.left, run.depth)
            option(value, path, inner)
            run.left = inner.left
            if not inner.faults:
                fitting += 1
                if not exactly or fitting > 1:
                    break
            # The faults of the option that is nearest: whose first fault lies deepest.
            elif nearest is None or max(len(p) for p, _ in inner.faults) > max(len(p) for p, _ in nearest):
                nearest = inner.faults
        if fitting > 1 and exactly:
            run.fault(path, f"{shown(value)} fits more than one of the forms of which it must fit one")
        elif not fitting and nearest and max(len(p) for p, _ in nearest) > len(path):
            for inner_path, what in nearest:
                run.fault(inner_path, what)
        elif not fitting:
            run.fault(path, f"{shown(value)} fits none of the {len(options)} forms that are allowed")

    return check


def none(inner: Check) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        if run.valid(inner, value, path):
            run.fault(path, f"{shown(value)} is of a form that is not allowed")

    return check


def either(when: Check, then: Check, otherwise: Check) -> Check:
    def check(value: Any, path: Path, run: Run) -> None:
        (then if run.valid(when, value, path) else otherwise)(value, path, run)

    return check
