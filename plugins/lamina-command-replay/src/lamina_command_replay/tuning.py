"""Which values of a part's settings are worth trying: what a search such as ``lamina tune`` goes by.

A settings class says it with the metadata of its fields, in plain data, so that nothing needs to be imported::

    low: float = field(default=0.5, validator=[gt(0.0), le(1.0)], metadata={"tune": (0.2, 0.9)})

- a tuple of two numbers is a range, ends included; one whose high end is at least 20 times its low one, which is above
  0, is searched by ratio and not by difference;
- a list holds the values to choose from: numbers, texts, truth values;
- ``None`` takes the field out of every search.

A field that says nothing is read from its type and validators: a number that is bounded on both sides may take any
value between, a truth value both, a ``Literal`` or ``in_`` each of its options. Any other field is left as it is.
``__tune__: ClassVar[bool] = False`` in the class says that the part itself is not for trials, because using it costs
money or reaches the network.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import attrs
from attrs import frozen

KEY = "tune"
"""The key in a field's metadata."""

_BY_RATIO = 20
_INSIDE = 0.01
"""A bound that is not allowed itself is approached up to this share of the range."""


@frozen
class Range:
    """Numbers from ``low`` to ``high``, ends included."""

    low: float
    high: float
    whole: bool = False
    """Whether only whole numbers are meant."""

    @property
    def by_ratio(self) -> bool:
        """Whether steps are taken by ratio: the range spans more than one order of magnitude."""
        return self.low > 0 and self.high >= _BY_RATIO * self.low


@frozen
class Choices:
    """One of these values, of which there are at least two."""

    options: tuple[Any, ...]


Domain = Range | Choices


def for_trials(settings: type) -> bool:
    """Whether a search may open parts of this settings class as often as it likes."""
    return getattr(settings, "__tune__", True) is not False


def domains(settings: type) -> dict[str, Domain]:
    """What each field of a settings class may be tried with; fields that are to be left alone are absent.

    Args:
        settings: An attrs class.

    Raises:
        ValueError: The metadata of a field is neither a range, nor a list of at least two values, nor ``None``.
    """
    attrs.resolve_types(settings)
    found: dict[str, Domain] = {}
    for attribute in attrs.fields(settings):
        if not attribute.init:
            continue
        declared = KEY in attribute.metadata
        domain = _declared(settings, attribute) if declared else _derived(attribute)
        if domain is not None:
            found[attribute.name] = domain
    return found


def _declared(settings: type, attribute: attrs.Attribute[Any]) -> Domain | None:
    match attribute.metadata[KEY]:
        case None:
            return None
        case (int() | float() as low, int() | float() as high) as ends if isinstance(ends, tuple) and low < high:
            return Range(low, high, int in (attribute.type, *typing.get_args(attribute.type)))
        case [_, _, *_] as options if isinstance(options, list):
            return Choices(tuple(options))
        case other:
            raise ValueError(
                f"{settings.__name__}.{attribute.name}: tune = {other!r}; "
                "give (low, high), a list of at least two values, or None"
            )


def _derived(attribute: attrs.Attribute[Any]) -> Domain | None:
    if attribute.default is attrs.NOTHING:
        return None
    validators = list(_validators(attribute.validator))
    if attribute.type is bool:
        return Choices((False, True))
    options = typing.get_args(attribute.type) if typing.get_origin(attribute.type) is typing.Literal else ()
    for validator in validators:
        options = options or tuple(getattr(validator, "options", ()))
    if len(options) > 1 and all(isinstance(option, str | int | float) for option in options):
        return Choices(tuple(options))
    return _bounded(validators, attribute.type is int) if attribute.type in (int, float) else None


def _validators(validator: Any) -> Iterator[Any]:
    """The validator, or those that it is made of. The names are those of attrs' own validators."""
    if validator is None:
        return
    inner = getattr(validator, "_validators", None)
    if inner is None:
        yield validator
        return
    for one in inner:
        yield from _validators(one)


def _bounded(validators: list[Any], whole: bool) -> Range | None:
    bounds = {v.compare_op: v.bound for v in validators if hasattr(v, "compare_op") and hasattr(v, "bound")}
    low, high = bounds.get(">=", bounds.get(">")), bounds.get("<=", bounds.get("<"))
    if low is None or high is None or low >= high:
        return None
    inside = 1 if whole else _INSIDE * (high - low)
    low, high = low + inside * (">" in bounds), high - inside * ("<" in bounds)
    return Range(low, high, whole) if low < high else None
