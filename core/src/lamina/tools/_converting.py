"""From JSON values to what type hints say, by cattrs."""

from __future__ import annotations

import base64
import binascii
import datetime
import decimal
import pathlib
import typing
import uuid
from collections.abc import Mapping
from types import UnionType
from typing import Any, get_args, get_origin

from cattrs import BaseValidationError, Converter, transform_error

_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def made() -> Converter:
    """A converter that reports every fault with its path and turns no type into another."""
    converter = Converter(forbid_extra_keys=True, detailed_validation=True, prefer_attrib_converters=False)

    def exact(value: Any, cls: type) -> Any:
        if cls is float and type(value) is int:
            return float(value)
        if cls is int and type(value) is float and value.is_integer():
            return int(value)  # JSON knows one kind of number
        if type(value) is not cls:
            raise TypeError(f"{value!r} is not {_WORDS[cls]}")
        return value

    for cls in (int, float, str, bool):
        converter.register_structure_hook(cls, exact)
    converter.register_structure_hook(datetime.datetime, lambda value, _: _dated(value, datetime.datetime))
    converter.register_structure_hook(datetime.date, lambda value, _: _dated(value, datetime.date))
    converter.register_structure_hook(datetime.time, lambda value, _: _dated(value, datetime.time))
    converter.register_structure_hook(uuid.UUID, lambda value, _: uuid.UUID(value))
    converter.register_structure_hook(decimal.Decimal, lambda value, _: _decimal(value))
    converter.register_structure_hook(pathlib.Path, lambda value, _: pathlib.Path(value))
    converter.register_structure_hook(bytes, lambda value, _: _bytes(value))

    # Before those of cattrs, which asks the class what is required; with annotations in text it does not know.
    converter.register_structure_hook_func(typing.is_typeddict, lambda value, cls: _typed(converter, value, cls))
    converter.register_structure_hook_func(_is_union, lambda value, cls: _union(converter, value, cls))
    return converter


def _is_union(cls: Any) -> bool:
    return get_origin(cls) in (UnionType, typing.Union)


def _union(converter: Converter, value: Any, cls: Any) -> Any:
    options = get_args(cls)
    if value is None and type(None) in options:
        return None
    words = []
    # What is of the type already is taken first, so that of int | float an 1 stays one.
    for option in sorted(options, key=lambda o: type(value) is not o):
        if option is type(None):
            continue
        try:
            return converter.structure(value, option)
        except Exception as error:  # noqa: BLE001 - the next option may fit
            words += [what for _, what in faults(error)]
    raise TypeError("; ".join(dict.fromkeys(words)))


def _typed(converter: Converter, value: Any, cls: Any) -> Any:
    from lamina.tools._hints import needed

    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is no object")
    hints = typing.get_type_hints(cls, include_extras=True)
    lacking = [f"{name!r} is required" for name, hint in hints.items() if needed(cls, name, hint) and name not in value]
    unknown = [f"{name!r} is unknown" for name in value if name not in hints]
    if lacking or unknown:
        raise ValueError("; ".join([*lacking, *unknown]))
    kinds = typing.get_type_hints(cls)  # without Required and NotRequired
    return {name: converter.structure(item, kinds[name]) for name, item in value.items()}


def _dated(value: Any, cls: Any) -> Any:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not {cls.__name__} in text")
    return cls.fromisoformat(value)


def _decimal(value: Any) -> decimal.Decimal:
    try:
        return decimal.Decimal(value if isinstance(value, str | int) else repr(value))
    except decimal.InvalidOperation:
        raise ValueError(f"{value!r} is no decimal number") from None


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise ValueError("is no base64") from None


def faults(error: Exception) -> list[tuple[str, str]]:
    """(path, what) of each fault that cattrs found; paths begin with a dot, or are empty."""
    if not isinstance(error, BaseValidationError):
        return [("", " ".join(str(error).split()) or type(error).__name__)]

    def said(inner: BaseException, kind: type | None) -> str:
        if isinstance(inner, KeyError):
            return f"{inner.args[0]!r} is required"
        return " ".join(str(inner).split()) or type(inner).__name__

    out = []
    for line in transform_error(error, path="", format_exception=said):
        what, _, path = line.rpartition(" @ ")
        place = path.replace("[", ".").replace("]", "").replace("'", "")
        out.append((place, what))
    return out
