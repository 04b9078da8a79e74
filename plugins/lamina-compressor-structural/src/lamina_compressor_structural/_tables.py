"""Objects of one shape as a table: each key once in the header, each object a row.

A header is ``name|name$|name=value|name(name|name)``: a column; one whose values are all strings (so that digits
are read as text); one whose value is the same in every row and stands nowhere else; an object with columns of its
own. In a row an empty cell says that the key is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from attrs import define, field

from lamina_compressor_structural._cells import cell, name, numberlike, read_cell, read_name
from lamina_compressor_structural._values import Number, Value

_MISSING: Any = object()
_MAX_COLUMNS = 80
_MIN_FILLED = 0.5


@define
class Column:
    """One column, or an object of columns."""

    key: str
    text: bool = False
    constant: Value = field(default=_MISSING)
    inner: list[Column] | None = None


def columns(rows: Sequence[dict[str, Any]]) -> list[Column] | None:
    """The columns of the rows, or ``None`` where a table would lose the keys' order or be mostly empty."""
    keys = _merged(rows)
    if keys is None or len(keys) > _MAX_COLUMNS or sum(map(len, rows)) < _MIN_FILLED * len(keys) * len(rows):
        return None
    made = [_column(key, [row.get(key, _MISSING) for row in rows]) for key in keys]
    # A row must have a cell, or there would be as many empty lines as nothing.
    if all(c.constant is not _MISSING for c in made):
        made[0].constant = _MISSING
    return made


def _merged(rows: Sequence[dict[str, Any]]) -> list[str] | None:
    """All keys, in an order that every row keeps; ``None`` where there is none to be found simply."""
    if not all(rows):
        return None
    keys = list(rows[0])
    known = set(keys)
    for row in rows:
        before: str | None = None
        for key in row:
            if key not in known:
                if len(known) > _MAX_COLUMNS:
                    return None
                keys.insert(0 if before is None else keys.index(before) + 1, key)
                known.add(key)
            before = key
    rank = {key: i for i, key in enumerate(keys)}
    for row in rows:
        order = [rank[key] for key in row]
        if any(a > b for a, b in pairwise(order)):
            return None
    return keys


def _column(key: str, values: Sequence[Any]) -> Column:
    if all(isinstance(value, dict) and value for value in values):
        inner = columns(values)
        if inner is not None:
            return Column(key, inner=inner)
    first = values[0]
    same = len(values) > 2 and all(type(value) is type(first) and value == first for value in values)
    if same and scalar(first):
        return Column(key, constant=first)
    strings = [value for value in values if value is not _MISSING]
    text = all(isinstance(value, str) for value in strings) and any(map(numberlike, strings))
    return Column(key, text=text)


def header(cols: Sequence[Column]) -> str:
    """The columns, as they stand above the rows."""
    made: list[str] = []
    for column in cols:
        if column.inner is not None:
            made.append(f"{name(column.key)}({header(column.inner)})")
        elif column.constant is not _MISSING:
            made.append(f"{name(column.key)}={cell(column.constant, in_header=True)}")
        else:
            made.append(name(column.key) + "$" * column.text)
    return "|".join(made)


def row(cols: Sequence[Column], value: dict[str, Any]) -> str:
    """The object as a row."""
    return "|".join(_cells(cols, value))


def _cells(cols: Sequence[Column], value: dict[str, Any]) -> Iterator[str]:
    for column in cols:
        if column.inner is not None:
            yield from _cells(column.inner, value[column.key])
        elif column.constant is _MISSING:
            yield cell(value[column.key], text_column=column.text) if column.key in value else ""


def read_header(text: str, at: int) -> tuple[list[Column], int]:
    """The columns that stand at ``at``, and where they end.

    Raises:
        ValueError: They are no header.
    """
    made: list[Column] = []
    while True:
        key, at = read_name(text, at)
        column = Column(key)
        made.append(column)
        if text.startswith("$", at):
            column.text, at = True, at + 1
        elif text.startswith("=", at):
            column.constant, at = read_cell(text, at + 1, in_header=True)
        elif text.startswith("(", at):
            column.inner, at = read_header(text, at + 1)
            if not text.startswith(")", at):
                raise ValueError(f"no closing bracket at {at} of {text!r}")
            at += 1
        if not text.startswith("|", at):
            return made, at
        at += 1


def read_row(cols: Sequence[Column], text: str) -> dict[str, Any]:
    """The object that a row stands for.

    Raises:
        ValueError: It has not as many cells as there are columns.
    """
    made, at = _read_row(cols, text, 0)
    if at != len(text) + 1:
        raise ValueError(f"the row {text!r} has cells without a column")
    return made


def _read_row(cols: Sequence[Column], text: str, at: int) -> tuple[dict[str, Any], int]:
    made: dict[str, Any] = {}
    for column in cols:
        if column.inner is not None:
            made[column.key], at = _read_row(column.inner, text, at)
        elif column.constant is not _MISSING:
            made[column.key] = column.constant
        elif at > len(text):
            raise ValueError(f"the row {text!r} has too few cells")
        elif at == len(text) or text[at] == "|":
            at += 1
        else:
            made[column.key], at = read_cell(text, at, text_column=column.text)
            if at < len(text) and text[at] != "|":
                raise ValueError(f"a cell of {text!r} does not end at {at}")
            at += 1
    return made, at


def scalar(value: Any) -> bool:
    """Whether it is neither an object nor an array."""
    return value is None or isinstance(value, str | bool | Number)
