"""What programs give to be remembered, checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from attrs import asdict, evolve, fields_dict

from lamina.errors import FormatError
from lamina.model import Draft, MemoryKind
from lamina.verbatim import whole

_KINDS = get_args(MemoryKind)
_TEXTS = ("text", "author", "thread", "slot")
_NUMBERS = {"importance": "from 0 to 1", "created_s": "Unix seconds", "expires_s": "Unix seconds"}
_OPTIONAL = ("created_s", "expires_s")


def drafted(given: Draft | Mapping[str, Any], place: str = "") -> Draft:
    """The draft that was given, or the one of these fields.

    Args:
        given: What is to be remembered; lone surrogates in its texts become U+FFFD.
        place: Which of several it is, for messages.

    Raises:
        FormatError: A field is unknown or not what it should be: names it.
    """
    values = asdict(given) if isinstance(given, Draft) else dict(given)
    for name in values.keys() - fields_dict(Draft).keys():
        _refuse(place, name, values[name], f"no such field; known: {', '.join(fields_dict(Draft))}")
    for name in _TEXTS:
        if not isinstance(values.get(name, ""), str):
            _refuse(place, name, values[name], "must be text")
    for name in ("tags", "provenance"):
        items = values.get(name, ())
        if isinstance(items, str) or not hasattr(items, "__iter__"):
            _refuse(place, name, items, "must be a list of texts")
        for n, item in enumerate(items):
            if not isinstance(item, str):
                _refuse(place, f"{name}[{n}]", item, "must be text")
    if values.get("kind", "semantic") not in _KINDS:
        _refuse(place, "kind", values["kind"], f"must be one of {', '.join(_KINDS)}")
    _check_numbers(values, place)
    if "text" not in values:
        _refuse(place, "text", None, "is missing")
    draft = Draft(**values)
    return evolve(draft, tags=whole(draft.tags), **{name: whole(getattr(draft, name)) for name in _TEXTS})


def _check_numbers(values: Mapping[str, Any], place: str) -> None:
    for name, wanted in _NUMBERS.items():
        value = values.get(name)
        if value is None and (name in _OPTIONAL or name not in values):
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not (0 <= value <= 1 if name == "importance" else value == value):  # type: ignore[operator]
            _refuse(place, name, value, f"must be a number, {wanted}")
    position = values.get("position")
    if position is not None and (type(position) is not int or abs(position) >= 2**63):
        _refuse(place, "position", position, "must be a whole number")


def _refuse(place: str, name: str, value: Any, why: str) -> None:
    raise FormatError(f"{place}{'.' if place else ''}{name}: {why}, not {str(value)[:50]!r}")
