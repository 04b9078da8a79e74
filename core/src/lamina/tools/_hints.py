"""JSON Schemas of Python's types: what a function's arguments look like to a model."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import inspect
import pathlib
import re
import types
import typing
import uuid
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs

Schema = dict[str, Any]

_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    decimal.Decimal: {"type": "string", "pattern": r"^[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?$"},
    pathlib.Path: {"type": "string", "format": "path"},
    bytes: {"type": "string", "contentEncoding": "base64"},
}
_ARRAYS = (list, tuple, set, frozenset, Sequence, AbstractSet)
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum", "multiple_of": "multipleOf"}  # fmt: skip


class Hints:
    """Makes schemas of types; a class that holds itself becomes a definition."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._names: dict[Any, str] = {}
        self._open: list[Any] = []
        self._recursive: set[Any] = set()

    def schema(self, hint: Any) -> Schema:
        """The schema of a type.

        Raises:
            TypeError: JSON has nothing like it; names the type.
        """
        try:
            if hint in _PLAIN:
                return dict(_PLAIN[hint])
        except TypeError:  # Annotated with what has no hash
            pass
        if isinstance(hint, typing.NewType):
            return self.schema(hint.__supertype__)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._annotated(arguments[0], arguments[1:])
        if origin is Literal:
            return _enumerated(arguments)
        if origin in (Union, types.UnionType):
            return self._union(arguments)
        if origin in (typing.Required, typing.NotRequired):
            return self.schema(arguments[0])
        kind = origin or hint
        if isinstance(kind, type):
            return self._class(kind, arguments, hint)
        raise TypeError(f"{hint!r} is no type that JSON has something like")

    def _class(self, kind: type, arguments: Sequence[Any], hint: Any) -> Schema:
        if issubclass(kind, enum.Enum):
            return _enumerated([member.value for member in kind])
        if typing.is_typeddict(kind) or attrs.has(kind) or dataclasses.is_dataclass(kind):
            return self._structure(hint)
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            raise TypeError(f"{kind.__name__}: write a NamedTuple as an attrs class, a dataclass or a TypedDict")
        if issubclass(kind, Mapping):
            if arguments and arguments[0] not in (str, Any):
                raise TypeError(f"{hint!r}: the names of a JSON object are texts")
            return {"type": "object", **({"additionalProperties": self.schema(arguments[1])} if arguments else {})}
        if issubclass(kind, tuple) and arguments and arguments[-1] is not Ellipsis:
            items = [self.schema(a) for a in arguments]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        if kind in _ARRAYS or issubclass(kind, list | tuple | set | frozenset | Sequence | AbstractSet):
            inner = {"items": self.schema(arguments[0])} if arguments and arguments[0] is not Any else {}
            return {"type": "array", **inner, **({"uniqueItems": True} if issubclass(kind, AbstractSet) else {})}
        raise TypeError(f"{kind.__module__}.{kind.__qualname__} is no type that JSON has something like")

    def _annotated(self, hint: Any, notes: Sequence[Any]) -> Schema:
        schema = self.schema(hint)
        if "$ref" in schema:
            schema = {"allOf": [schema]}
        size = {"array": "Items", "object": "Properties"}.get(str(schema.get("type")), "Length")
        for note in notes:
            if isinstance(note, str):
                schema["description"] = note
            elif isinstance(note, Mapping):
                schema.update(note)
            elif isinstance(note, re.Pattern):
                schema["pattern"] = note.pattern
            else:
                # As the package annotated-types has them, and whoever follows it.
                schema |= {key: getattr(note, name) for name, key in _BOUNDS.items() if getattr(note, name, None) is not None}  # fmt: skip
                for name, key in (("min_length", f"min{size}"), ("max_length", f"max{size}")):
                    if getattr(note, name, None) is not None:
                        schema[key] = getattr(note, name)
        return schema

    def _union(self, options: Sequence[Any]) -> Schema:
        schemas = [self.schema(option) for option in options]
        if all(set(s) == {"type"} and isinstance(s["type"], str) for s in schemas):
            names = list(dict.fromkeys(s["type"] for s in schemas))
            return {"type": names[0] if len(names) == 1 else names}
        if all("enum" in s for s in schemas if s != {"type": "null"}):
            values = [value for s in schemas for value in s.get("enum", [None])]
            return _enumerated(values)
        return {"anyOf": schemas}

    def _structure(self, hint: Any) -> Schema:
        if hint in self._open:
            self._recursive.add(hint)
            return {"$ref": f"#/$defs/{self._name(hint)}"}
        if self._names.get(hint) in self.definitions:
            return {"$ref": f"#/$defs/{self._names[hint]}"}
        self._open.append(hint)
        try:
            made = self._members(hint)
        finally:
            self._open.pop()
        if hint not in self._recursive:
            return made
        self.definitions[self._name(hint)] = made
        return {"$ref": f"#/$defs/{self._name(hint)}"}

    def _name(self, hint: Any) -> str:
        if hint not in self._names:
            name = re.sub(r"\W+", "_", getattr(hint, "__name__", "object"))
            taken = set(self._names.values())
            self._names[hint] = next(n for n in (name, *(f"{name}_{k}" for k in range(2, 10_000))) if n not in taken)
        return self._names[hint]

    def _members(self, hint: Any) -> Schema:
        cls = get_origin(hint) or hint
        said = documented(inspect.getdoc(cls) if cls.__doc__ else "")
        hints = typing.get_type_hints(cls, include_extras=True)
        properties: dict[str, Schema] = {}
        required: list[str] = []
        for name, kind, optional, note in _fields(cls, hints):
            if _unhashable(kind):
                raise TypeError(f"{cls.__name__}.{name}: a mapping in Annotated stands with parameters only")
            schema = self.schema(kind)
            text = note or said.arguments.get(name)
            properties[name] = {**schema, **({"description": text} if text and "description" not in schema else {})}
            required += [] if optional else [name]
        made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            made["required"] = required
        # What dataclasses and attrs write themselves says nothing.
        if said.text and not said.text.startswith((f"{cls.__name__}(", "Method generated by attrs")):
            made["description"] = said.text
        return made


def _fields(cls: Any, hints: Mapping[str, Any]) -> list[tuple[str, Any, bool, str]]:
    """(name, type, may be left out, description) of each member."""
    if typing.is_typeddict(cls):
        return [(name, hint, not needed(cls, name, hint), "") for name, hint in hints.items()]
    if attrs.has(cls):
        return [(a.alias or a.name, hints.get(a.name, Any), a.default is not attrs.NOTHING, str(a.metadata.get("description", "")))
                for a in attrs.fields(cls) if a.init]  # fmt: skip
    missing = dataclasses.MISSING
    return [(f.name, hints.get(f.name, Any), f.default is not missing or f.default_factory is not missing, str(f.metadata.get("description", "")))
            for f in dataclasses.fields(cls) if f.init]  # fmt: skip


def _unhashable(hint: Any) -> bool:
    try:
        hash(hint)
    except TypeError:
        return True
    return False


def needed(cls: Any, name: str, hint: Any) -> bool:
    """Whether a TypedDict has to have a member; where annotations are texts, it does not know that itself."""
    origin = get_origin(hint)
    return origin is typing.Required or (origin is not typing.NotRequired and name in cls.__required_keys__)


def _enumerated(values: Sequence[Any]) -> Schema:
    names = {bool: "boolean", int: "integer", str: "string", float: "number", type(None): "null"}
    plain = [value.value if isinstance(value, enum.Enum) else value for value in values]
    kinds = list(dict.fromkeys(names[type(value)] for value in plain if type(value) in names))
    if any(type(value) not in names for value in plain):
        raise TypeError(f"{plain!r}: the values of an enumeration have to be texts, numbers, truth values or None")
    return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": plain}


@attrs.frozen
class Documented:
    """What a docstring says."""

    text: str
    """All before its first section."""
    arguments: Mapping[str, str]
    """Of ``Args`` and ``Attributes``, by name."""


_SECTION = re.compile(r"^(Args|Arguments|Attributes|Returns|Yields|Raises|Example|Examples|Note|Notes|Warning|Warnings|Source|See Also|Todo|References|Keyword Args):\s*$")  # fmt: skip
_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


def documented(docstring: str | None) -> Documented:
    """A docstring with Google's sections, taken apart."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    text: list[str] = []
    found: dict[str, str] = {}
    section, name, indent = "", "", 0
    for line in lines:
        heading = _SECTION.match(line)
        if heading:
            section, name, indent = heading[1], "", 0
        elif not section:
            text.append(line)
        elif section in ("Args", "Arguments", "Attributes", "Keyword Args") and line.strip():
            depth = len(line) - len(line.lstrip())
            entry = _ENTRY.match(line.strip())
            if entry and (not indent or depth <= indent):
                indent, name = depth, entry[1]
                found[name] = entry[2].strip()
            elif name:
                found[name] = f"{found[name]} {line.strip()}".strip()
    return Documented(" ".join("\n".join(text).split()), found)
