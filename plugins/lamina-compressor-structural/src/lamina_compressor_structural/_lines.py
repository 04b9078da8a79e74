"""JSON as indented lines and tables, and back.

``key: value`` is a scalar (or JSON, where nothing is smaller), ``key:`` an object whose lines follow, indented;
``key[3]: a|b|c`` an array of scalars; ``key[3] header`` an array of objects, the next three lines its rows;
``key{3} *|header`` an object of objects, whose keys are the first column, and ``key{3 by id} header`` one whose keys
are those of the column ``id`` again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lamina_compressor_structural._cells import cell, name, read_cell, read_name
from lamina_compressor_structural._tables import Column, columns, header, read_header, read_row, row, scalar
from lamina_compressor_structural._values import Value, dumps

_COUNT = re.compile(r"([\[{])(\d+)(?: by )?")


def to_lines(value: Value) -> str | None:
    """The value as lines; ``None`` for one that is no better off than as JSON."""
    if isinstance(value, dict) and value:
        table = _keyed("", value)
        return "\n".join(table if table else _object(value, 0))
    if isinstance(value, list) and value:
        made = _array("", value)
        return "\n".join(made) if made else None
    return None


def _object(value: dict[str, Any], depth: int) -> list[str]:
    made: list[str] = []
    indent = " " * depth
    for key, inner in value.items():
        label = indent + name(key)
        if isinstance(inner, dict) and inner:
            table = _keyed(label, inner)
            made += table or [f"{label}:", *_object(inner, depth + 1)]
        elif isinstance(inner, list) and inner:
            made += _array(label, inner) or [f"{label}: {dumps(inner)}"]
        else:
            made.append(f"{label}: {cell(inner)}")
    return made


def _array(label: str, value: list[Any]) -> list[str] | None:
    if all(map(scalar, value)):
        return [f"{label}[{len(value)}]: {'|'.join(map(cell, value))}"]
    if all(isinstance(item, dict) for item in value):
        cols = columns(value)
        if cols is not None:
            return [f"{label}[{len(value)}] {header(cols)}", *(row(cols, item) for item in value)]
    return None


def _keyed(label: str, value: dict[str, Any]) -> list[str] | None:
    rows = list(value.values())
    if len(rows) < 3 or not all(isinstance(item, dict) and len(item) > 1 for item in rows):
        return None
    cols = columns(rows)
    if cols is None or len(cols) > 2 * min(map(len, rows)):
        return None
    for column in cols:
        if all(item.get(column.key) == key for key, item in value.items()):
            return [f"{label}{{{len(rows)} by {name(column.key)}}} {header(cols)}", *(row(cols, r) for r in rows)]
    made = (f"{cell(key, text_column=True)}|{row(cols, item)}" for key, item in value.items())
    return [f"{label}{{{len(rows)}}} *|{header(cols)}", *made]


def from_lines(text: str) -> Value:
    """The value that the lines stand for.

    Raises:
        ValueError: They are not what :func:`to_lines` gives.
    """
    lines = text.split("\n")
    if lines[0].startswith(("[", "{")):
        value, end = _counted(lines, 0, 0)
    else:
        value, end = _read_object(lines, 0, 0)
    if end != len(lines):
        raise ValueError(f"line {end + 1} belongs to nothing: {lines[end]!r}")
    return value


def _read_object(lines: Sequence[str], at: int, depth: int) -> tuple[dict[str, Any], int]:
    made: dict[str, Any] = {}
    indent = " " * depth
    while at < len(lines):
        line = lines[at]
        if not line.startswith(indent) or line.startswith(indent + " "):
            break
        key, end = read_name(line, depth)
        if line.startswith(": ", end):
            made[key], _ = read_cell(line, end + 2, alone=True)
            at += 1
        elif line[end:] == ":":
            made[key], at = _read_object(lines, at + 1, depth + 1)
        else:
            made[key], at = _counted(lines, at, end)
    return made, at


def _counted(lines: Sequence[str], at: int, start: int) -> tuple[Value, int]:
    """What a line with a number of rows or items says, and the first line after it."""
    line = lines[at]
    found = _COUNT.match(line, start)
    if not found:
        raise ValueError(f"line {at + 1} says nothing: {line!r}")
    n, end, by = int(found.group(2)), found.end(), None
    if found.group().endswith(" by "):
        by, end = read_name(line, end)
    if found.group(1) == "[" and line.startswith("]: ", end):
        return _items(line, end + 3), at + 1
    keys = line.startswith("} *|", end)
    cols, stop = read_header(line, end + (4 if keys else 2))
    if stop != len(line) or at + n >= len(lines):
        raise ValueError(f"line {at + 1} has no header, or too few rows follow: {line!r}")
    rows = lines[at + 1 : at + 1 + n]
    if keys:
        cols = [Column("", text=True), Column("*", inner=cols)]
        read = [read_row(cols, r) for r in rows]
        return {r[""]: r["*"] for r in read}, at + 1 + n
    read = [read_row(cols, r) for r in rows]
    return (read if found.group(1) == "[" else {r[by or ""]: r for r in read}), at + 1 + n


def _items(line: str, at: int) -> list[Value]:
    made: list[Value] = []
    while at <= len(line):
        value, at = read_cell(line, at)
        made.append(value)
        at += 1
    return made
