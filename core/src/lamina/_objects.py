"""What the official clients return and take, as messages: objects or dicts, of any installed format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lamina.errors import FormatError, UnknownPluginError
from lamina.model import Message
from lamina.protocols import Format, ObjectFormat, Parsed, ParseRequest


def messages_of(
    given: Any, formats: Mapping[str, Format], own: str, named: str | None, waiting: Sequence[tuple[str, str]]
) -> tuple[list[Message], bytes]:
    """The messages of an object, and its JSON.

    Args:
        given: A dict, or an object that has one to give (``model_dump``, or by its format).
        formats: All that are installed.
        own: The session's format, which is asked first.
        named: The format that the caller names.
        waiting: Calls that wait for a result: id and tool.

    Raises:
        FormatError: It is no message of any of them; names what it is.
        UnknownPluginError: No such format.
    """
    if named is not None and named not in formats:
        raise UnknownPluginError("format", named, tuple(formats))
    plain = _plain(given, formats)
    raw = json.dumps(plain, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
    # An array, so that what is read is a conversation of one message and not a document of its own.
    request = ParseRequest(data=b"[" + raw + b"]", source="the given object", strict=True, waiting=waiting)
    name = named or _fitting(request, formats, own)
    if name is None:
        raise FormatError(f"{_told(given)} reads as no message of any installed format ({', '.join(sorted(formats))})")
    parsed = list(formats[name].parse(request))
    messages = [message for one in parsed for message in one.messages]
    if not messages:
        raise FormatError(f"{_told(given)} says nothing as {name}: {_why(parsed)}")
    return messages, raw


def _plain(given: Any, formats: Mapping[str, Format]) -> Any:
    if isinstance(given, Mapping):
        return {key: _value(value, formats) for key, value in given.items()}
    for form in formats.values():
        plain = form.plain(given) if isinstance(form, ObjectFormat) else None
        if plain is not None:
            return plain
    dump = getattr(given, "model_dump", None)
    if not callable(dump):
        raise FormatError(
            f"{_told(given)} is no message; give one made with lamina.user(…), a dict, or an object of a client"
        )
    # Only what was received: what a client adds as empty was never said.
    return dump(mode="json", by_alias=True, exclude_unset=True)


def _value(value: Any, formats: Mapping[str, Format]) -> Any:
    """A member of a dict, where clients let objects stand among dicts."""
    if isinstance(value, Mapping):
        return {key: _value(inner, formats) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_value(inner, formats) for inner in value]
    return _plain(value, formats) if hasattr(value, "model_dump") else value


def _fitting(request: ParseRequest, formats: Mapping[str, Format], own: str) -> str | None:
    sure = {name: form.sniff(request) for name, form in formats.items()}
    if sure.get(own, 0) > 0:
        return own
    best = max(sorted(sure), key=lambda name: sure[name], default=None)
    return best if best is not None and sure[best] > 0 else None


def _why(parsed: Sequence[Parsed]) -> str:
    return next((one.skipped for one in parsed if one.skipped), "it is empty")


def _told(given: Any) -> str:
    if isinstance(given, Mapping):
        return f"a dict with {', '.join(map(repr, list(given)[:4])) or 'nothing in it'}"
    return f"{str(given)[:50]!r} ({type(given).__name__})"
