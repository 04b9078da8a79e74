"""Values as lines: each key once, objects of one array as rows."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from lamina_compressor_values._pick import Number, cut

_SURROGATE = re.compile("[\ud800-\udfff]")
_MIN_FILLED = 0.4


class Renderer:
    """Renders what :func:`~lamina_compressor_values._pick.prune` left, in time linear in its size.

    Args:
        max_text: Longer strings are cut.
    """

    def __init__(self, max_text: int) -> None:
        self._max_text = max_text

    def lines(self, value: Any) -> list[str]:
        """``key: value``; an object of scalars as ``key: value|value``; an array of objects as a table."""
        if isinstance(value, dict):
            return self._object(value, "")
        if isinstance(value, list):
            return self._named("", value, "")
        return [self._scalar(value)]

    def _object(self, value: Mapping[str, Any], indent: str) -> list[str]:
        rows = list(value.values())
        if len(rows) > 2 and all(isinstance(row, dict) for row in rows):
            return self._table(indent, rows, list(value))
        return [line for key, inner in value.items() for line in self._named(self._text(key), inner, indent)]

    def _named(self, key: str, value: Any, indent: str) -> list[str]:
        label = f"{indent}{key}"
        if isinstance(value, dict):
            rows = list(value.values())
            if all(not isinstance(v, dict | list) for v in rows):
                return [f"{label}: {'|'.join(self._said(k, v) for k, v in value.items())}"]
            if len(rows) > 1 and all(isinstance(v, dict) for v in rows):
                return self._table(label, rows, list(value))
            return [f"{label}:", *self._object(value, indent + " ")]
        if isinstance(value, list):
            if all(isinstance(item, dict) for item in value):
                return self._table(label, value, None)
            said = "|".join(map(self._inline, value))
            return [f"{label}: {said}" if key else said]
        return [f"{label}: {self._scalar(value)}"]

    def _table(self, label: str, rows: Sequence[Mapping[str, Any]], keys: Sequence[str] | None) -> list[str]:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        said = [{key: self._cell(row[key]) for key in row} for row in rows]
        if keys is not None and any(all(row.get(c) == k for row, k in zip(rows, keys, strict=True)) for c in columns):
            keys = None  # a column says them again
        heads = [f"{self._text(k)}: " for k in keys] if keys is not None else [""] * len(rows)
        if sum(map(len, rows)) < _MIN_FILLED * len(columns) * len(rows):
            made = ("|".join(f"{self._text(k)}={v}" for k, v in row.items()) for row in said)
            return [f"{label}[{len(rows)}]", *(head + row for head, row in zip(heads, made, strict=True))]
        same = {c for c in columns if len(rows) > 2 and len({row.get(c) for row in said}) == 1}
        shown = [c for c in columns if c not in same]
        header = "|".join(
            f"{self._text(c)}={said[0][c]}" if c in same else self._text(c) + _inner([row.get(c) for row in rows])
            for c in columns
        )
        body = ("|".join(row.get(c, "") for c in shown) for row in said)
        return [
            f"{label}[{len(rows)}] {header}",
            *(head + row for head, row in zip(heads, body, strict=True) if head or shown),
        ]

    def _cell(self, value: Any) -> str:
        """A value in a row: what it holds, by ``/``; of arrays by ``,``."""
        if isinstance(value, dict):
            return "/".join(map(self._cell, value.values()))
        if isinstance(value, list):
            return ",".join(map(self._cell, value))
        return self._scalar(value)

    def _inline(self, value: Any) -> str:
        if isinstance(value, dict):
            return "/".join(self._said(k, v) for k, v in value.items())
        return self._cell(value)

    def _said(self, key: str, value: Any) -> str:
        """A string speaks for itself; a number needs its key."""
        if value is True:
            return self._text(key)
        return f"{self._text(key)}={value.digits}" if isinstance(value, Number) else self._cell(value)

    def _scalar(self, value: Any) -> str:
        if isinstance(value, Number):
            return value.digits
        return self._text(value) if isinstance(value, str) else "true"

    def _text(self, text: str) -> str:
        text = cut(text, self._max_text)
        if _SURROGATE.search(text) or (text[:1] >= "\u0300" and unicodedata.category(text[0])[0] in "MC"):
            return json.dumps(text)
        return text


def _inner(values: Sequence[Any]) -> str:
    """The keys of objects in a column, where all have the same scalars, such as ``(economy/business)``."""
    first = values[0]
    if not isinstance(first, dict) or not any(isinstance(v, Number) for v in first.values()):
        return ""
    alike = all(isinstance(value, dict) and list(value) == list(first) for value in values)
    return f"({'/'.join(' '.join(key.split()) for key in first)})" if alike and _plain(first) else ""


def _plain(value: Mapping[str, Any]) -> bool:
    return not any(isinstance(v, dict | list) for v in value.values()) and not _SURROGATE.search("".join(value))
