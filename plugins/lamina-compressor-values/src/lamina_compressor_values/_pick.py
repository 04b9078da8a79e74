"""What of a JSON value can be cited later: reading it, and leaving out the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from attrs import frozen

Keep = Callable[[str, Any], bool]
"""``keep(key, scalar)``: whether it stays; the key is that of the nearest object."""

GONE: Any = object()

_MAX_DEPTH = 60
_NAMING = re.compile(
    r"(?:^|_)(?:ids?|uuid|guid|key|name|title|label|email|mail|phone|code|number|no|zip|sku|url|uri|path|file|ref|slug|"
    r"version|sha|hash|date|time|day|month|year|dob|at|on|due|start|end|expires?|status|state|error|message|"
    r"price|amount|cost|total|sum|balance|fee|tax|rate|discount|quantity|qty|currency)s?(?:$|_)",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_IDENTIFYING = re.compile(r"[\d@]|\w_\w|\w/\w|^[A-Z]{2,}$|[A-Z]{3,}|\w\.\w")


@frozen
class Number:
    """A number as it was written."""

    digits: str


def parse(text: str) -> Any:
    """The object or array that the text is, one JSON value or one object per line; ``GONE`` for other texts."""
    if not text.lstrip(" \t\r\n").startswith(("{", "[")):
        return GONE
    try:
        value = _loads(text)
    except (ValueError, RecursionError):
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) < 2 or not all(line.startswith("{") for line in lines):
            return GONE
        try:
            value = [_loads(line) for line in lines]
        except (ValueError, RecursionError):
            return GONE
    return value if isinstance(value, dict | list) and not _deeper(value, _MAX_DEPTH) else GONE


def _loads(text: str) -> Any:
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=Number)


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(levels == 0 or _deeper(v, levels - 1) for v in inner if isinstance(v, dict | list))


def minified(text: str) -> str | None:
    """The JSON text without white space, where nothing else changes by that; ``None`` where something would."""
    try:
        value = json.loads(text, parse_int=_int, parse_float=_Digits, object_pairs_hook=_pairs, parse_constant=_refuse)
        made = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        made.encode()
    except (ValueError, TypeError, RecursionError):
        return None
    return made


def _int(digits: str) -> int:
    if digits == "-0":
        raise ValueError("-0 would be written in another way")
    return int(digits)


class _Digits(float):
    """A float that is written as it was read."""

    def __init__(self, digits: str) -> None:
        if repr(float(digits)) != digits:
            raise ValueError(f"{digits} would be written in another way")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice")
    return made


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def prune(value: Any, keep: Keep, key: str = "") -> Any:
    """The value without nulls, ``false``, what is empty, and what is not kept; ``GONE`` where nothing is left."""
    if isinstance(value, dict):
        left = {k: v for k, v in ((k, prune(v, keep, k)) for k, v in value.items()) if v is not GONE}
        return left or GONE
    if isinstance(value, list):
        items = [v for v in (prune(v, keep, key) for v in value) if v is not GONE]
        return items or GONE
    if value is None or value is False or (isinstance(value, str) and not value.strip()):
        return GONE
    return value if keep(key, value) else GONE


def everything(key: str, value: Any) -> bool:
    """Keep every scalar."""
    return True


def citable(key: str, value: Any) -> bool:
    """Keep what a later step can name: identifiers, names, dates, amounts, states."""
    if value is True:
        return False
    words = _CAMEL.sub("_", key).replace("-", "_").replace(" ", "_")
    if _NAMING.search(words):
        return True
    text = value.digits if isinstance(value, Number) else value
    if isinstance(value, Number):
        return len(text) > 4 or "." in text
    return _IDENTIFYING.search(text) is not None or not text.isascii()


_TOKEN = re.compile(r"[^\s,;()\[\]{}<>\"'`|]*(?:\d|\w_\w|\w@\w|\w/\w)[^\s,;()\[\]{}<>\"'`|]*")


def cut(text: str, limit: int) -> str:
    """The text in one line, of about ``limit`` characters: its beginning, and the identifiers of the rest."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    space = text.rfind(" ", limit // 2, limit)
    end = space if space > 0 else limit - 1
    seen = dict.fromkeys(found.group().rstrip(".:!?") for found in _TOKEN.finditer(text, end))
    rest: list[str] = []
    room = limit
    for token in seen:
        if len(token) <= room:
            rest.append(token)
            room -= len(token) + 1
    return " ".join((text[:end] + "…", *rest))
