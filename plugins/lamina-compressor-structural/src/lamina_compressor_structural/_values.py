"""JSON values with their numbers' digits and keys' order kept, and their smallest spelling in JSON."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

from attrs import frozen

DEPTH = 60
"""What is nested deeper stays as it is; real results are not, and recursion ends somewhere."""

NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)

_SURROGATE = re.compile("[\ud800-\udfff]")


@frozen
class Number:
    """A number as it was written: 1.50 is not 1.5."""

    digits: str


Value = dict[str, Any] | list[Any] | str | Number | bool | None
"""Values of dicts and lists are Values again."""


def parse(text: str) -> Value:
    """The value of a JSON text.

    Raises:
        ValueError: It is no JSON, an object names a key twice, a number is none (NaN), or it is nested too deep.
    """
    try:
        value: Value = json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_refuse, object_pairs_hook=_pairs
        )
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if _deeper(value, DEPTH):
        raise ValueError("nested too deep")
    return value


def dumps(value: Value) -> str:
    """The value as JSON without white space, with as few escapes as can be."""
    match value:
        case None:
            return "null"
        case True | False:
            return "true" if value else "false"
        case Number(digits):
            return digits
        case str():
            return quote(value)
        case list():
            return f"[{','.join(map(dumps, value))}]"
        case _:
            return "{" + ",".join([f"{quote(key)}:{dumps(inner)}" for key, inner in value.items()]) + "}"


def quote(text: str) -> str:
    """The string in JSON; escaped where it could not be encoded, or would join with the quotation mark."""
    return json.dumps(text, ensure_ascii=bool(_SURROGATE.search(text)) or joins(text))


def joins(text: str) -> bool:
    """Whether the first character would be read as one with whatever stands before it."""
    first = text[:1]
    return first >= "\u0300" and (first in "\u200c\u200d\ufe0e\ufe0f" or unicodedata.category(first)[0] == "M")


def encodable(text: str) -> bool:
    """Whether it has no lone surrogate."""
    return not _SURROGATE.search(text)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice")
    return made


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _deeper(value: Value, levels: int) -> bool:
    if isinstance(value, list):
        return levels == 0 or any(_deeper(v, levels - 1) for v in value if isinstance(v, list | dict))
    if isinstance(value, dict):
        return levels == 0 or any(_deeper(v, levels - 1) for v in value.values() if isinstance(v, list | dict))
    return False
