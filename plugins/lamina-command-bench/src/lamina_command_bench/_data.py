"""Memories and questions, as files hold them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen

from lamina import Draft
from lamina.errors import FormatError


@frozen
class Told:
    """A memory of a file."""

    id: str
    namespace: str
    draft: Draft


@frozen
class Question:
    """A query of a file."""

    id: str
    namespace: str
    text: str
    relevant: frozenset[str]


def memories(file: Path) -> list[Told]:
    """The memories of a file.

    Raises:
        FormatError: A line is no object, or a field is not what it should be; names line and field.
    """
    out = []
    for line, row in _rows(file):
        author, thread, position = row.get("author"), row.get("thread"), row.get("order")
        draft = Draft(
            _text(row, "text", file, line),
            author="" if author is None else str(author),
            thread="" if thread is None else str(thread),
            position=position if type(position) is int else None,
            created_s=_time(row.get("created"), file, line),
        )
        out.append(Told(_text(row, "id", file, line), str(row.get("namespace") or ""), draft))
    return out


def questions(file: Path) -> list[Question]:
    """The queries of a file.

    Raises:
        FormatError: As for :func:`memories`.
    """
    out = []
    for line, row in _rows(file):
        relevant = row.get("relevant") or []
        if not isinstance(relevant, list):
            raise FormatError(f"relevant: must be a list of ids, not {str(relevant)[:50]!r}", str(file), line)
        out.append(
            Question(
                _text(row, "id", file, line), str(row.get("namespace") or ""), _text(row, "text", file, line),
                frozenset(map(str, relevant)),
            )
        )  # fmt: skip
    return out


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise FormatError(f"no JSON: {error}", str(file), number) from error
            if not isinstance(row, dict):
                raise FormatError("a line must hold a JSON object", str(file), number)
            yield number, row


def _text(row: Mapping[str, Any], name: str, file: Path, line: int) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise FormatError(f"{name}: must be text, not {str(value)[:50]!r}", str(file), line)
    return value


def _time(value: Any, file: Path, line: int) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise FormatError(f"created: {str(value)[:50]!r} is no time in ISO 8601", str(file), line) from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
