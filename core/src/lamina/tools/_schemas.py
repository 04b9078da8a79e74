"""Checks values against JSON Schemas, in bounded time whatever the schema.

A schema is compiled once into functions. What it cannot be compiled from is refused with its place; a check that
takes too many steps, or goes too deep, ends as a fault. JSON Schema 2020-12 but for ``$dynamicRef``,
``unevaluatedItems`` and ``unevaluatedProperties``, which are refused; references lead within the schema. ``format``
is an annotation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias
from urllib.parse import unquote

from attrs import define

from lamina.errors import SchemaError
from lamina.tools._patterns import TooCostlyError, compiled

STEPS = 200_000
"""Values looked at by one check, counted once for each schema that looks."""
DEPTH = 100
"""Levels of a value, and references without a level between them."""
_REFUSED = ("$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties")
_SHOWN = 80

Path: TypeAlias = tuple[str | int, ...]


class _Run:
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
        inner = _Run(self.left, self.depth)
        check(value, path, inner)
        self.left = inner.left
        return not inner.faults


class _EndError(Exception):
    """The check is given up; ``args`` say where and why."""


Check: TypeAlias = Callable[[Any, Path, _Run], None]


class Checker:
    """A compiled schema.

    Args:
        schema: JSON Schema of a tool's arguments.
        tool: Its name, for messages.

    Raises:
        SchemaError: It is no schema, or none that can be checked in bounded time; every fault with its place.
    """

    def __init__(self, schema: Mapping[str, Any], tool: str) -> None:
        compiler = _Compiler(schema)
        check = compiler.compile(schema, "parameters")
        compiler.finish()
        if compiler.faults:
            raise SchemaError(tool, compiler.faults)
        self._check = check

    def faults(self, value: Any) -> list[str]:
        """What is wrong with a value, each with its path; empty where nothing is."""
        run = _Run()
        try:
            self._check(value, (), run)
        except _EndError as end:
            run.fault(*end.args)
        except RecursionError:
            run.fault((), f"is nested deeper than {DEPTH}")
        if not run.faults:
            return []
        found = sorted(run.faults, key=lambda fault: list(map(str, fault[0])))
        return list(dict.fromkeys(f"{_place(path)}: {what}" for path, what in found))


def _place(path: Path) -> str:
    place = ".".join(map(str, path)) or "arguments"
    return place if len(place) <= 200 else f"…{place[-199:]}"


def shown(value: Any) -> str:
    """A value in a message: JSON where it is, cut."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 400:
        return f"a number of about {value.bit_length() * 3 // 10} digits"
    text = repr(value) if isinstance(value, str | int | float | bool | None) else repr(value)[: 4 * _SHOWN]
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


# ------------------------------------------------------------- values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def _is_integer(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: type(value) is dict or isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list | tuple),
    "string": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "number": lambda value: _is_number(value) and _is_finite(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def _same(value: Any, depth: int = 0) -> Any:
    """Something hashable that is equal for what JSON finds equal: 1 and 1.0 are, 1 and true are not."""
    if depth > DEPTH:
        raise _EndError((), f"is nested deeper than {DEPTH}")
    if isinstance(value, bool) or value is None:
        return (type(value), value)
    if isinstance(value, Mapping):
        return ("object", frozenset((key, _same(item, depth + 1)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return ("array", tuple([_same(item, depth + 1) for item in value]))
    return value


def _multiple(value: Any, of: Any) -> bool:
    if not _is_finite(value):
        return False
    if isinstance(value, int) and isinstance(of, int):
        return value % of == 0
    # By the digits as they are written: 0.3 is a multiple of 0.1, which it is not in binary.
    exact, step = (Fraction(v if isinstance(v, int) else repr(v)) for v in (value, of))
    return (exact / step).denominator == 1


# ------------------------------------------------------------- compiling


class _Compiler:
    def __init__(self, root: Any) -> None:
        self.root, self.faults = root, list[str]()
        self._made: dict[str, Check] = {}
        self._wanted: list[tuple[str, str]] = []
        self._nodes = 0

    def compile(self, schema: Any, at: str, depth: int = 0) -> Check:
        """The function of a schema. What is wrong with it goes to ``faults``."""
        self._nodes += 1
        if depth > DEPTH or self._nodes > 20_000:
            if not any("too large" in fault for fault in self.faults):
                self.faults.append(f"{at[:200]}: too large, or nested deeper than {DEPTH}")
            return _nothing
        if schema is True or schema == {}:
            return _nothing
        if schema is False:
            return lambda value, path, run: run.fault(path, "is not allowed")
        if not isinstance(schema, Mapping):
            self.faults.append(f"{at}: {shown(schema)} is no schema")
            return _nothing
        checks: list[Check] = []
        for key in schema:
            if key in _REFUSED:
                self.faults.append(f"{at}.{key}: cannot be checked; write it without")
        for build in (self._reference, self._types, self._values, self._numbers, self._texts):
            checks += build(schema, at)
        for nested in (self._objects, self._arrays, self._combined):
            checks += nested(schema, at, depth + 1)
        return _joined(checks)

    def finish(self) -> None:
        """Compile what references lead to, until nothing new is asked for."""
        while self._wanted:
            pointer, at = self._wanted.pop()
            if pointer in self._made:
                continue
            found, there = self._found(pointer)
            if not there:
                self.faults.append(f"{at}: {shown(pointer)} leads nowhere in this schema")
            self._made[pointer] = (
                self.compile(found, f"parameters{pointer[1:].replace('/', '.')}") if there else _nothing
            )

    def _found(self, pointer: str) -> tuple[Any, bool]:
        node = self.root
        if pointer in ("#", ""):
            return node, True
        if not pointer.startswith("#/"):
            return None, False
        for raw in pointer[2:].split("/"):
            key = unquote(raw).replace("~1", "/").replace("~0", "~")
            if isinstance(node, Mapping) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
                node = node[int(key)]
            else:
                return None, False
        return node, True

    def _reference(self, schema: Mapping[str, Any], at: str) -> list[Check]:
        if "$ref" not in schema:
            return []
        pointer, made = schema["$ref"], self._made
        if not isinstance(pointer, str):
            self.faults.append(f"{at}.$ref: {shown(pointer)} is no reference")
            return []
        self._wanted.append((pointer, f"{at}.$ref"))

        def check(value: Any, path: Path, run: _Run) -> None:
            run.depth += 1
            if run.depth > DEPTH:
                raise _EndError(path, f"is nested deeper than {DEPTH}, or its schema refers to itself")
            made[pointer](value, path, run)
            run.depth -= 1

        return [check]

    def _types(self, schema: Mapping[str, Any], at: str) -> list[Check]:
        if "type" not in schema:
            return []
        given = schema["type"]
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list | tuple) or not names or any(name not in _TYPES for name in names):
            self.faults.append(f"{at}.type: {shown(given)} is no type; types are {', '.join(_TYPES)}")
            return []
        said = " or ".join(repr(name) for name in names)
        tests = tuple(_TYPES[name] for name in names)
        if schema.get("nullable") is True:  # of OpenAPI
            tests = (*tests, _TYPES["null"])
        if len(tests) == 1:
            (test,) = tests

            def check(value: Any, path: Path, run: _Run) -> None:
                if not test(value):
                    run.fault(path, f"{shown(value)} is not of type {said}")
        else:

            def check(value: Any, path: Path, run: _Run) -> None:
                if not any(test(value) for test in tests):
                    run.fault(path, f"{shown(value)} is not of type {said}")

        return [check]

    def _values(self, schema: Mapping[str, Any], at: str) -> list[Check]:
        checks: list[Check] = []
        given = [("enum", schema["enum"])] if "enum" in schema else []
        given += [("const", [schema["const"]])] if "const" in schema else []
        for key, values in given:
            if not isinstance(values, list | tuple) or not values:
                self.faults.append(f"{at}.{key}: {shown(values)} is no list of values")
                continue
            try:
                allowed = frozenset(map(_same, values))
            except (_EndError, TypeError):
                self.faults.append(f"{at}.{key}: holds what cannot be compared")
                continue
            checks.append(_one_of(allowed, ", ".join(map(shown, values[:20])) + (", …" if len(values) > 20 else "")))
        return checks

    def _numbers(self, schema: Mapping[str, Any], at: str) -> list[Check]:
        checks: list[Check] = []
        for key, (passes, words) in _NUMBERS.items():
            if key not in schema:
                continue
            bound = schema[key]
            if not _is_number(bound) or not _is_finite(bound) or (key == "multipleOf" and bound <= 0):
                self.faults.append(f"{at}.{key}: {shown(bound)} is no such number")
                continue
            checks.append(_number(passes, bound, words))
        return checks

    def _texts(self, schema: Mapping[str, Any], at: str) -> list[Check]:
        checks = self._sizes(schema, at, _TYPES["string"], (("minLength", "maxLength"), "characters"))
        if "pattern" in schema:
            search = self._pattern(schema["pattern"], f"{at}.pattern")
            if search is not None:
                checks.append(_matches(search, schema["pattern"]))
        return checks

    def _pattern(self, source: Any, at: str) -> Callable[[str], bool] | None:
        try:
            if not isinstance(source, str) or len(source) > 10_000:
                raise ValueError("is no pattern, or longer than 10,000 characters")
            return compiled(source)
        except (ValueError, RecursionError) as error:
            self.faults.append(f"{at}: {shown(source)}: {error}")
            return None

    def _sizes(
        self, schema: Mapping[str, Any], at: str, fits: Callable[[Any], bool], keys: tuple[tuple[str, str], str]
    ) -> list[Check]:
        (least, most), words = keys
        bounds: list[float] = []
        for key, default in ((least, 0), (most, math.inf)):
            value = schema.get(key, default)
            if not _is_number(value) or value < 0 or (key in schema and not _is_integer(value)):
                self.faults.append(f"{at}.{key}: {shown(value)} is no size")
                value = default
            bounds.append(value)
        low, high = bounds
        if low <= 0 and high == math.inf:
            return []

        def check(value: Any, path: Path, run: _Run) -> None:
            if fits(value) and not low <= len(value) <= high:
                run.fault(path, f"has {len(value)} {words}; allowed: {_span(low, high)}")

        return [check]

    def _objects(self, schema: Mapping[str, Any], at: str, depth: int) -> list[Check]:
        properties = {name: self.compile(s, f"{at}.properties.{name}", depth) for name, s in self._table(schema, at, "properties")}  # fmt: skip
        patterns = []
        for source, inner in self._table(schema, at, "patternProperties"):
            search = self._pattern(source, f"{at}.patternProperties")
            check = self.compile(inner, f"{at}.patternProperties.{source}", depth)
            if search is not None:
                patterns.append((search, check))
        required = self._names(schema.get("required", []), f"{at}.required")
        others = self.compile(schema["additionalProperties"], f"{at}.additionalProperties", depth) if "additionalProperties" in schema else None  # fmt: skip
        closed = schema.get("additionalProperties") is False
        names = (
            self.compile(schema["propertyNames"], f"{at}.propertyNames", depth) if "propertyNames" in schema else None
        )
        checks = self._sizes(schema, at, _TYPES["object"], (("minProperties", "maxProperties"), "members"))
        needs = {key: self._names(given, f"{at}.dependentRequired.{key}") for key, given in self._table(schema, at, "dependentRequired")}  # fmt: skip
        parts = {key: self.compile(s, f"{at}.dependentSchemas.{key}", depth) for key, s in self._table(schema, at, "dependentSchemas")}  # fmt: skip
        if needs or parts:
            checks.append(_dependent(needs, parts))
        if properties or patterns or required or others is not None or names is not None:
            checks.append(_Members(properties, patterns, required, others, closed, names))
        return checks

    def _arrays(self, schema: Mapping[str, Any], at: str, depth: int) -> list[Check]:
        checks = self._sizes(schema, at, _TYPES["array"], (("minItems", "maxItems"), "items"))
        items, first = schema.get("items"), schema.get("prefixItems", [])
        if isinstance(items, list):  # the way of older drafts
            first, items = items, schema.get("additionalItems")
        if not isinstance(first, list | tuple):
            self.faults.append(f"{at}.prefixItems: {shown(first)} is no list of schemas")
            first = []
        heads = [self.compile(s, f"{at}.prefixItems.{n}", depth) for n, s in enumerate(first)]
        rest = None if items is None else self.compile(items, f"{at}.items", depth)
        if heads or rest is not None:
            checks.append(_items(heads, rest))
        if "contains" in schema:
            bounds = (schema.get("minContains", 1), schema.get("maxContains", math.inf))
            if all(map(_is_number, bounds)):
                checks.append(_contains(self.compile(schema["contains"], f"{at}.contains", depth), *bounds))
            else:
                self.faults.append(f"{at}.contains: its bounds are no numbers")
        if schema.get("uniqueItems") is True:
            checks.append(_unique)
        return checks

    def _combined(self, schema: Mapping[str, Any], at: str, depth: int) -> list[Check]:
        checks: list[Check] = []
        for key in ("allOf", "anyOf", "oneOf"):
            if key not in schema:
                continue
            given = schema[key]
            if not isinstance(given, list | tuple) or not given:
                self.faults.append(f"{at}.{key}: {shown(given)} is no list of schemas")
                continue
            options = [self.compile(s, f"{at}.{key}.{n}", depth) for n, s in enumerate(given)]
            checks += options if key == "allOf" else [_some(options, exactly=key == "oneOf")]
        if "not" in schema:
            checks.append(_none(self.compile(schema["not"], f"{at}.not", depth)))
        if "if" in schema:
            way = [self.compile(schema.get(key, True), f"{at}.{key}", depth) for key in ("if", "then", "else")]
            checks.append(_either(*way))
        return checks

    def _table(self, schema: Mapping[str, Any], at: str, key: str) -> Sequence[tuple[str, Any]]:
        given = schema.get(key, {})
        if isinstance(given, Mapping) and all(isinstance(name, str) for name in given):
            return list(given.items())
        self.faults.append(f"{at}.{key}: {shown(given)} is no object")
        return []

    def _names(self, given: Any, at: str) -> tuple[str, ...]:
        if isinstance(given, list | tuple) and all(isinstance(name, str) for name in given):
            return tuple(given)
        if given is True or given is False:
            return ()  # draft 3 had it in the property; models write it still
        self.faults.append(f"{at}: {shown(given)} is no list of names")
        return ()


# ------------------------------------------------------------- checks


def _nothing(value: Any, path: Path, run: _Run) -> None:
    """Everything fits."""


def _joined(checks: list[Check]) -> Check:
    if not checks:
        return _nothing
    if len(checks) == 1:
        return checks[0]
    if len(checks) == 2:
        first, second = checks

        def both(value: Any, path: Path, run: _Run) -> None:
            first(value, path, run)
            second(value, path, run)

        return both

    def every(value: Any, path: Path, run: _Run) -> None:
        for check in checks:
            check(value, path, run)

    return every


_NUMBERS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minimum": (lambda value, bound: value >= bound, "is less than the minimum of"),
    "maximum": (lambda value, bound: value <= bound, "is greater than the maximum of"),
    "exclusiveMinimum": (lambda value, bound: value > bound, "is not greater than"),
    "exclusiveMaximum": (lambda value, bound: value < bound, "is not less than"),
    "multipleOf": (_multiple, "is not a multiple of"),
}


def _number(passes: Callable[[Any, Any], bool], bound: Any, words: str) -> Check:
    def check(value: Any, path: Path, run: _Run) -> None:
        if _is_number(value) and not passes(value, bound):
            run.fault(path, f"{shown(value)} {words} {shown(bound)}")

    return check


def _one_of(allowed: frozenset[Any], said: str) -> Check:
    def check(value: Any, path: Path, run: _Run) -> None:
        try:
            if _same(value) in allowed:
                return
        except TypeError:
            pass  # what is no JSON value is none of them
        run.fault(path, f"{shown(value)} is not one of {said}")

    return check


def _matches(search: Callable[[str], bool], source: str) -> Check:
    def check(value: Any, path: Path, run: _Run) -> None:
        if not isinstance(value, str):
            return
        try:
            if not search(value):
                run.fault(path, f"{shown(value)} does not match {shown(source)}")
        except TooCostlyError:
            run.fault(path, f"{len(value)} characters are too long to be matched with {shown(source)}")

    return check


def _span(low: float, high: float) -> str:
    return f"at least {low}" if high == math.inf else f"at most {high}" if low <= 0 else f"{low} to {high}"


def _spend(run: _Run, steps: int, path: Path) -> None:
    run.left -= steps + 1
    if run.left < 0:
        raise _EndError(path, f"cannot be checked in {STEPS} steps; the value or the schema is too large")


@define(eq=False)
class _Members:
    """The check of an object's members."""

    properties: Mapping[str, Check]
    patterns: Sequence[tuple[Callable[[str], bool], Check]]
    required: Sequence[str]
    others: Check | None
    closed: bool
    names: Check | None

    def __call__(self, value: Any, path: Path, run: _Run) -> None:
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

    def _other(self, key: Any, value: Any, path: Path, run: _Run) -> None:
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


def _dependent(needs: Mapping[str, Sequence[str]], parts: Mapping[str, Check]) -> Check:
    def check(value: Any, path: Path, run: _Run) -> None:
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


def _items(heads: Sequence[Check], rest: Check | None) -> Check:
    def check(value: Any, path: Path, run: _Run) -> None:
        if not isinstance(value, list | tuple):
            return
        _spend(run, len(value), path)
        for number, item in enumerate(value):
            inner = heads[number] if number < len(heads) else rest
            if inner is not None:
                inner(item, (*path, number), run)

    return check


def _contains(inner: Check, least: float, most: float) -> Check:
    def check(value: Any, path: Path, run: _Run) -> None:
        if isinstance(value, list | tuple):
            _spend(run, len(value), path)
            found = sum(run.valid(inner, item, path) for item in value)
            if not least <= found <= most:
                run.fault(path, f"has {found} items of the kind that it must contain; allowed: {_span(least, most)}")

    return check


def _unique(value: Any, path: Path, run: _Run) -> None:
    if isinstance(value, list | tuple):
        _spend(run, len(value), path)
        try:
            if len(set(map(_same, value))) != len(value):
                run.fault(path, "has an item twice")
        except TypeError:
            run.fault(path, "holds what JSON cannot hold")


def _some(options: Sequence[Check], exactly: bool) -> Check:
    def check(value: Any, path: Path, run: _Run) -> None:
        _spend(run, len(options), path)
        fitting = 0
        nearest: list[tuple[Path, str]] | None = None
        for option in options:
            inner = _Run(run.left, run.depth)
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


def _none(inner: Check) -> Check:
    def check(value: Any, path: Path, run: _Run) -> None:
        if run.valid(inner, value, path):
            run.fault(path, f"{shown(value)} is of a form that is not allowed")

    return check


def _either(when: Check, then: Check, otherwise: Check) -> Check:
    def check(value: Any, path: Path, run: _Run) -> None:
        (then if run.valid(when, value, path) else otherwise)(value, path, run)

    return check
