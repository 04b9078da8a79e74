"""Checks values against JSON Schemas, in bounded time whatever the schema.

A schema is compiled once into functions. What it cannot be compiled from is refused with its place; a check that
takes too many steps, or goes too deep, ends as a fault. JSON Schema 2020-12 but for ``$dynamicRef``,
``unevaluatedItems`` and ``unevaluatedProperties``, which are refused; references lead within the schema. ``format``
is an annotation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from lamina.errors import SchemaError
from lamina.tools._checks import (
    DEPTH,
    NUMBERS,
    TYPES,
    Check,
    EndError,
    Members,
    Path,
    Run,
    contains,
    dependent,
    either,
    is_finite,
    is_integer,
    is_number,
    items_of,
    joined,
    matches,
    none,
    nothing,
    number,
    one_of,
    same,
    shown,
    some,
    span,
    unique,
)
from lamina.tools._patterns import compiled

_REFUSED = ("$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties")


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
        run = Run()
        try:
            self._check(value, (), run)
        except EndError as end:
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
            return nothing
        if schema is True or schema == {}:
            return nothing
        if schema is False:
            return lambda value, path, run: run.fault(path, "is not allowed")
        if not isinstance(schema, Mapping):
            self.faults.append(f"{at}: {shown(schema)} is no schema")
            return nothing
        checks: list[Check] = []
        for key in schema:
            if key in _REFUSED:
                self.faults.append(f"{at}.{key}: cannot be checked; write it without")
        for build in (self._reference, self._types, self._values, self._numbers, self._texts):
            checks += build(schema, at)
        for nested in (self._objects, self._arrays, self._combined):
            checks += nested(schema, at, depth + 1)
        return joined(checks)

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
                self.compile(found, f"parameters{pointer[1:].replace('/', '.')}") if there else nothing
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

        def check(value: Any, path: Path, run: Run) -> None:
            run.depth += 1
            if run.depth > DEPTH:
                raise EndError(path, f"is nested deeper than {DEPTH}, or its schema refers to itself")
            made[pointer](value, path, run)
            run.depth -= 1

        return [check]

    def _types(self, schema: Mapping[str, Any], at: str) -> list[Check]:
        if "type" not in schema:
            return []
        given = schema["type"]
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list | tuple) or not names or any(name not in TYPES for name in names):
            self.faults.append(f"{at}.type: {shown(given)} is no type; types are {', '.join(TYPES)}")
            return []
        said = " or ".join(repr(name) for name in names)
        tests = tuple(TYPES[name] for name in names)
        if schema.get("nullable") is True:  # of OpenAPI
            tests = (*tests, TYPES["null"])
        if len(tests) == 1:
            (test,) = tests

            def check(value: Any, path: Path, run: Run) -> None:
                if not test(value):
                    run.fault(path, f"{shown(value)} is not of type {said}")
        else:

            def check(value: Any, path: Path, run: Run) -> None:
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
                allowed = frozenset(map(same, values))
            except (EndError, TypeError):
                self.faults.append(f"{at}.{key}: holds what cannot be compared")
                continue
            checks.append(one_of(allowed, ", ".join(map(shown, values[:20])) + (", …" if len(values) > 20 else "")))
        return checks

    def _numbers(self, schema: Mapping[str, Any], at: str) -> list[Check]:
        checks: list[Check] = []
        for key, (passes, words) in NUMBERS.items():
            if key not in schema:
                continue
            bound = schema[key]
            if not is_number(bound) or not is_finite(bound) or (key == "multipleOf" and bound <= 0):
                self.faults.append(f"{at}.{key}: {shown(bound)} is no such number")
                continue
            checks.append(number(passes, bound, words))
        return checks

    def _texts(self, schema: Mapping[str, Any], at: str) -> list[Check]:
        checks = self._sizes(schema, at, TYPES["string"], (("minLength", "maxLength"), "characters"))
        if "pattern" in schema:
            search = self._pattern(schema["pattern"], f"{at}.pattern")
            if search is not None:
                checks.append(matches(search, schema["pattern"]))
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
            if not is_number(value) or value < 0 or (key in schema and not is_integer(value)):
                self.faults.append(f"{at}.{key}: {shown(value)} is no size")
                value = default
            bounds.append(value)
        low, high = bounds
        if low <= 0 and high == math.inf:
            return []

        def check(value: Any, path: Path, run: Run) -> None:
            if fits(value) and not low <= len(value) <= high:
                run.fault(path, f"has {len(value)} {words}; allowed: {span(low, high)}")

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
        checks = self._sizes(schema, at, TYPES["object"], (("minProperties", "maxProperties"), "members"))
        needs = {key: self._names(given, f"{at}.dependentRequired.{key}") for key, given in self._table(schema, at, "dependentRequired")}  # fmt: skip
        parts = {key: self.compile(s, f"{at}.dependentSchemas.{key}", depth) for key, s in self._table(schema, at, "dependentSchemas")}  # fmt: skip
        if needs or parts:
            checks.append(dependent(needs, parts))
        if properties or patterns or required or others is not None or names is not None:
            checks.append(Members(properties, patterns, required, others, closed, names))
        return checks

    def _arrays(self, schema: Mapping[str, Any], at: str, depth: int) -> list[Check]:
        checks = self._sizes(schema, at, TYPES["array"], (("minItems", "maxItems"), "items"))
        items, first = schema.get("items"), schema.get("prefixItems", [])
        if isinstance(items, list):  # the way of older drafts
            first, items = items, schema.get("additionalItems")
        if not isinstance(first, list | tuple):
            self.faults.append(f"{at}.prefixItems: {shown(first)} is no list of schemas")
            first = []
        heads = [self.compile(s, f"{at}.prefixItems.{n}", depth) for n, s in enumerate(first)]
        rest = None if items is None else self.compile(items, f"{at}.items", depth)
        if heads or rest is not None:
            checks.append(items_of(heads, rest))
        if "contains" in schema:
            bounds = (schema.get("minContains", 1), schema.get("maxContains", math.inf))
            if all(map(is_number, bounds)):
                checks.append(contains(self.compile(schema["contains"], f"{at}.contains", depth), *bounds))
            else:
                self.faults.append(f"{at}.contains: its bounds are no numbers")
        if schema.get("uniqueItems") is True:
            checks.append(unique)
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
            checks += options if key == "allOf" else [some(options, exactly=key == "oneOf")]
        if "not" in schema:
            checks.append(none(self.compile(schema["not"], f"{at}.not", depth)))
        if "if" in schema:
            way = [self.compile(schema.get(key, True), f"{at}.{key}", depth) for key in ("if", "then", "else")]
            checks.append(either(*way))
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
