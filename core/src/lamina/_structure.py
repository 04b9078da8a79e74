"""Raw configuration into attrs settings: strict about types, every fault at once with its path."""

from __future__ import annotations

import difflib
import functools
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from cattrs import Converter

_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    bool: "true or false",
    Path: "a path in quotes",
}


@functools.cache
def converter() -> Converter:
    """A cattrs converter that never turns one type into another: ``"8000"`` is no number, ``1`` no truth value."""
    from cattrs import Converter

    made = Converter(forbid_extra_keys=True, detailed_validation=False)

    def exact(value: Any, cls: type) -> Any:
        if cls is float and type(value) is int:
            return float(value)
        if type(value) is not cls:
            raise TypeError(f"is not {_WORDS[cls]}")
        return value

    for cls in (int, float, str, bool):
        made.register_structure_hook(cls, exact)

    def path(value: Any, _: type) -> Path:
        if isinstance(value, Path):
            return value
        return Path(exact(value, str))

    made.register_structure_hook(Path, path)
    made.register_structure_hook_func(_is_plain_union, _structure_union)
    made.register_structure_hook_func(_is_tuple, _structure_tuple)
    return made


def _is_plain_union(cls: Any) -> bool:
    return typing.get_origin(cls) in (types.UnionType, typing.Union)


def _structure_union(value: Any, cls: Any) -> Any:
    options = typing.get_args(cls)
    if value is None and type(None) in options:
        return None
    words = []
    for option in options:
        if option is type(None):
            continue
        try:
            return converter().structure(value, option)
        except Exception as error:  # noqa: BLE001 - cattrs raises many kinds; the next option may fit
            words.append(_why(error))
    raise TypeError(" and ".join(dict.fromkeys(words)))


def _is_tuple(cls: Any) -> bool:
    return typing.get_origin(cls) is tuple


def _structure_tuple(value: Any, cls: Any) -> Any:
    if isinstance(value, str | Mapping) or not hasattr(value, "__iter__"):
        raise TypeError("is not a list")
    item = typing.get_args(cls)[0]
    return tuple(converter().structure(v, item) for v in value)


def _why(error: Exception) -> str:
    text = str(error)
    if isinstance(error, TypeError) and text.startswith("is not"):
        return text
    return " ".join(text.split()) or type(error).__name__


def structure(
    cls: type, given: Mapping[str, Any], path: str, origins: Mapping[str, str]
) -> tuple[Any | None, list[str]]:
    """An instance of the attrs class, or ``None`` with every fault.

    Args:
        cls: The settings class.
        given: Raw values by field name; dashes in names are taken as underscores.
        path: Where the table stands, for messages; empty for the top.
        origins: Path of a value to where it came from.
    """
    attrs.resolve_types(cls)
    faults: list[str] = []
    fields = {a.name: a for a in attrs.fields(cls) if a.init}
    ready: dict[str, Any] = {}
    written: dict[str, tuple[str, Any, str]] = {}
    for raw, value in given.items():
        here = f"{path}.{raw}" if path else raw
        origin = f" (from {origins[here]})" if here in origins else ""
        attribute = fields.get(raw) or fields.get(raw.replace("-", "_"))
        if attribute is None:
            near = difflib.get_close_matches(raw, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(sorted(fields)) or 'no settings'}"
            faults.append(f"{here}: unknown setting{origin}; {hint}")
            continue
        written[attribute.name] = (here, value, origin)
        try:
            made = converter().structure(value, attribute.type) if attribute.type is not None else value
        except Exception as error:  # noqa: BLE001 - cattrs raises many kinds
            faults.append(f"{here}: {value!r} {_reason(error, attribute)}{origin}{_default(attribute)}")
        else:
            ready[attribute.name] = made
    faults += _invalid(fields, ready, written)
    for name, attribute in fields.items():
        if attribute.default is attrs.NOTHING and name not in ready and not any(_names(f, path, name) for f in faults):
            here = f"{path}.{name}" if path else name
            faults.append(f"{here}: required setting missing; add {name} = … under [{path}]")
    if faults:
        return None, faults
    try:
        return cls(**ready), []
    except (TypeError, ValueError) as error:  # a class that checks its fields together
        return None, [f"{path}: {_why(error)}"]


def _invalid(
    fields: Mapping[str, attrs.Attribute[Any]], ready: dict[str, Any], written: Mapping[str, tuple[str, Any, str]]
) -> list[str]:
    """The faults that the fields' own validators find; what is faulty is taken out of ``ready``."""
    # A validator may look at other fields, but there is no instance before all are right: this stands for it.
    defaults = {name: a.default for name, a in fields.items() if name not in written and _is_plain(a.default)}
    partial = types.SimpleNamespace(**defaults, **ready)
    faults: list[str] = []
    for name, (here, value, origin) in written.items():
        attribute = fields[name]
        if name not in ready or attribute.validator is None:
            continue
        try:
            attribute.validator(partial, attribute, ready[name])
        except Exception as error:  # noqa: BLE001 - whatever a third party's validator raises is a fault of the value
            if isinstance(error, AttributeError) and len(vars(partial)) < len(fields):
                continue  # it looks at a field that is faulty itself, or that only the class can compute
            faults.append(f"{here}: {value!r} {_reason(error, attribute)}{origin}{_default(attribute)}")
            del ready[name]
    return faults


def _is_plain(default: Any) -> bool:
    return default is not attrs.NOTHING and not isinstance(default, attrs.Factory)  # type: ignore[arg-type]


def _names(fault: str, path: str, name: str) -> bool:
    return fault.startswith(f"{path}.{name}:" if path else f"{name}:")


def _reason(error: Exception, attribute: attrs.Attribute[Any]) -> str:
    import re

    text = str(error.args[0]) if error.args else str(error)
    # attrs' validators say: 'budget' must be > 0: -5 - the path and the value stand before it already
    text = re.sub(rf"^'{re.escape(attribute.name)}' ", "", text)
    text = re.sub(r": (?:\S+|'[^']*')$", "", text)
    return " ".join(text.split()) or type(error).__name__


def _default(attribute: attrs.Attribute[Any]) -> str:
    default = attribute.default
    if not _is_plain(default):
        return ""
    return f"; the default is {default!r}" if default is not None else "; leave it out for none"
