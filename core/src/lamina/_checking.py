"""What a program adds: is it a message, field by field, and can it be stored?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve

from lamina.errors import FormatError
from lamina.model import ROLES, Image, Message, Opaque, Reasoning, Text, ToolCall, ToolResult
from lamina.verbatim import whole

_PARTS = (Text, ToolCall, ToolResult, Image, Reasoning, Opaque)
_TEXTS: dict[type, tuple[str, ...]] = {
    Text: ("text",),
    ToolCall: ("id", "name", "arguments"),
    ToolResult: ("call_id", "text"),
    Image: ("media_type", "data"),
    Reasoning: ("text",),
    Opaque: ("kind", "text"),
}
"""The fields of each kind of part that must be text."""


def checked(message: Message) -> Message:
    """The message, with U+FFFD for lone surrogates, which no storage can hold; itself where there are none.

    Raises:
        FormatError: It is no message; names the field, what it holds, and what it must hold.
    """
    if not isinstance(message, Message):
        raise FormatError(f"{message!r} is no Message; make one with lamina.user(…), lamina.assistant(…)")
    if message.role not in ROLES:
        raise FormatError(f"unknown role {message.role!r}; roles are {', '.join(ROLES)}")
    if not isinstance(message.parts, tuple):
        raise FormatError(f"parts: must be a tuple of parts, not {_named(message.parts)}")
    texts = [message.group or ""]
    if message.extra:
        texts += _extras(message.extra, "extra")
    for index, part in enumerate(message.parts):
        if type(part) is Text and type(part.text) is str and not part.extra:
            texts.append(part.text)  # what nearly every message holds, on every turn
        else:
            texts += _fields(part, f"parts[{index}]")
    _belongs(message)
    return message if all(map(_storable, texts)) else _mended(message)


def _fields(part: Any, at: str) -> Iterator[str]:
    """The texts of a part."""
    if not isinstance(part, _PARTS):
        raise FormatError(f"{at}: must be a part such as Text, ToolCall or ToolResult, not {_named(part)}")
    for name in _TEXTS[type(part)]:
        value = getattr(part, name)
        if not isinstance(value, str):
            must = "JSON text or an object" if name == "arguments" else "text"
            raise FormatError(f"{at}.{name}: must be {must}, not {_named(value)}")
        yield value
    match part:
        case Opaque(data=data):
            if not isinstance(data, Mapping):
                raise FormatError(f"{at}.data: must be an object, not {_named(data)}")
            yield from _inner(data, f"{at}.data")
            return
        case ToolResult():
            yield from _held(part, at)
        case Reasoning(signature=signature):
            if signature is not None and not isinstance(signature, str):
                raise FormatError(f"{at}.signature: must be text or None, not {_named(signature)}")
            yield signature or ""
        case _:
            pass
    if part.extra:
        yield from _extras(part.extra, f"{at}.extra")


def _held(result: ToolResult, at: str) -> Iterator[str]:
    """The texts of what a result holds beside its text."""
    for name, kinds, held in (("images", Image, result.images), ("blocks", Text | Image | Opaque, result.blocks)):
        for k, block in enumerate(held):
            if not isinstance(block, kinds):
                raise FormatError(f"{at}.{name}[{k}]: does not belong there: {_named(block)}")
            yield from _fields(block, f"{at}.{name}[{k}]")


def _extras(extra: Any, at: str) -> Iterator[str]:
    if not isinstance(extra, Mapping) or not all(isinstance(members, Mapping) for members in extra.values()):
        raise FormatError(f"{at}: must hold an object for each family of formats, not {_named(extra)}")
    yield from _inner(extra, at)


def _inner(value: Any, at: str) -> Iterator[str]:
    """The texts of a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise FormatError(f"{at}: must have texts as keys, not {_named(key)}")
            yield key
            yield from _inner(item, f"{at}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _inner(item, f"{at}[{index}]")
    elif not isinstance(value, int | float | None):
        raise FormatError(f"{at}: must be what JSON can hold, not {_named(value)}")


def _named(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:59]}…"


def _belongs(message: Message) -> None:
    """Refuse parts that a message of this role cannot hold."""
    only_results = all(isinstance(part, ToolResult) for part in message.parts)
    if (message.role == "tool") != (only_results and bool(message.parts)) and (
        message.role == "tool" or message.results
    ):
        raise FormatError("a tool message holds tool results and nothing else, and only it does")
    if message.role != "assistant" and message.calls:
        raise FormatError(f"a tool call in a message of role {message.role!r}; only the assistant calls tools")


def _storable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mended(value: Any) -> Any:
    """The message or part with all its texts whole."""
    fields = ("group", "parts", "extra") if isinstance(value, Message) else _TEXTS[type(value)]
    if isinstance(value, Opaque):
        fields = (*fields, "data")
    elif not isinstance(value, Message):
        fields = (*fields, "extra")
    if isinstance(value, ToolResult):
        fields = (*fields, "images", "blocks")
    if isinstance(value, Reasoning):
        fields = (*fields, "signature")
    made = {name: getattr(value, name) for name in fields}
    return evolve(value, **{name: _mended_field(held) for name, held in made.items()})


def _mended_field(held: Any) -> Any:
    if isinstance(held, tuple):
        return tuple([_mended(part) for part in held])
    return whole(dict(held)) if isinstance(held, Mapping) else whole(held)
