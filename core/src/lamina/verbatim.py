"""What formats share when they carry what came in unchanged: members without a word, ids, names, what is left out.

A format keeps what the model has no word for as ``extra`` of its own family (see :data:`lamina.model.Extra`), and
gives it back when it renders. What a provider does not take as it came is fitted here, in one way for every format.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

from lamina.model import Extra

MARK = "cache_control"
"""The member that callers mark a cached prefix with. It is dropped: lamina's stable prefix ends elsewhere."""

_NOT_IDENT = re.compile(r"[^a-zA-Z0-9_-]")
_NONE: Extra = {}


def whole(value: Any) -> Any:
    """The text, or all texts of a value, with U+FFFD for lone surrogates, which JSON can escape and UTF-8 cannot hold."""
    match value:
        case str():
            return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list() | tuple():
            return [whole(item) for item in value]
        case dict():
            return {whole(key): whole(item) for key, item in value.items()}
        case _:
            return value


def unmarked(value: Any) -> Any:
    """The value without marks of a cached prefix, at any depth, and ``None`` for numbers that JSON has not.

    It is the same object where there is neither.
    """
    if isinstance(value, dict):
        kept = {key: unmarked(item) for key, item in value.items() if key != MARK}
        same = len(kept) == len(value) and all(kept[key] is value[key] for key in kept)
        return value if same else kept
    if isinstance(value, list):
        items = [unmarked(item) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    # Python reads and writes NaN and infinities; no provider does.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def extra(family: str, value: Mapping[str, Any], known: Collection[str]) -> Extra:
    """The members of a source object that are not ``known``, as ``extra`` of this family.

    Args:
        family: Whose object it is.
        value: The object.
        known: Members that the model has a word for.
    """
    found = {key: unmarked(item) for key, item in value.items() if key not in known and key != MARK}
    return {family: found} if found else _NONE


def members(extra: Extra, family: str) -> Mapping[str, Any]:
    """The members that this family gives back."""
    return extra.get(family, _NONE) if extra else _NONE


def foreign(extra: Extra, family: str) -> list[str]:
    """The names of members that other families know, and this one cannot carry."""
    return [name for other, kept in extra.items() if other != family for name in kept] if extra else []


class LeftOut:
    """Collects what a form cannot carry, for the ledger: each thing once, in words."""

    def __init__(self) -> None:
        self._notes: dict[str, None] = {}

    def __call__(self, *what: str) -> None:
        """Note that something is left out."""
        self._notes.update((f"left out: {name}", None) for name in what)

    def as_text(self, what: str) -> None:
        """Note that something is carried as text."""
        self._notes[f"carried as text: {what}"] = None

    def notes(self) -> list[str]:
        """All notes, in the order in which they came."""
        return list(self._notes)


def named(id: str, limit: int | None = None) -> str:
    """The name with ``_`` for what is neither letter, digit, ``_`` nor ``-``; of an empty one, ``_``.

    One that is too long ends in a hash of the whole, so that two of them stay apart and the same one stays the same:
    who knows the names can tell which one it was.
    """
    fit = _NOT_IDENT.sub("_", id) or "_"
    return fit if limit is None or len(fit) <= limit else f"{fit[: limit - 9]}_{_hash(id)}"


def _hash(text: str) -> str:
    return f"{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


class Ids:
    """The ids of calls and their results, as a provider takes them and each once in a window.

    An id that fits and was not used before stays as it is. Another one ends in a hash of itself, or in a number.

    Args:
        limit: Characters that an id may have.
        plain: Whether it may hold nothing but letters, digits, ``_`` and ``-``.
    """

    def __init__(self, limit: int | None = None, *, plain: bool = True) -> None:
        self._limit, self._plain = limit, plain
        self._used: set[str] = set()
        self._open: dict[str, deque[str]] = {}
        self._last: dict[str, str] = {}

    def call(self, id: str) -> str:
        """The id of a call."""
        unique, n = self._fit(id), 1
        while unique in self._used:
            n += 1
            unique = self._fit(f"{id}-{n}")
        self._used.add(unique)
        self._open.setdefault(id, deque()).append(unique)
        return unique

    def result(self, id: str) -> str:
        """The id of the oldest call without a result that had this id, or of the last one with it."""
        waiting = self._open.get(id)
        if waiting:
            self._last[id] = waiting.popleft()
        return self._last.get(id) or self._fit(id)

    def _fit(self, id: str) -> str:
        fits = bool(id) and not (self._plain and _NOT_IDENT.search(id))
        if fits and (self._limit is None or len(id) <= self._limit):
            return id
        fit = _NOT_IDENT.sub("_", id) if self._plain else id
        return f"{fit if self._limit is None else fit[: self._limit - 9]}_{_hash(id)}"
