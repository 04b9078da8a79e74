"""What a tool gives back: parts, a structured value, or a failure that a model can act on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

from lamina.errors import CallFailedError, LaminaError
from lamina.model import Image, Text


@frozen
class Blob:
    """Bytes of any kind, or where they are kept."""

    media_type: str
    data: bytes | None = field(default=None, repr=False)
    """The bytes; ``None`` where only :attr:`reference` is known."""
    reference: str = ""
    """By which :meth:`lamina.tools.Registry.blob` gives the bytes, once they are stored."""
    size: int = 0
    """How many bytes, where they are stored."""
    name: str = ""
    """A file's name, where it has one."""


OutputPart: TypeAlias = Text | Image | Blob


@frozen
class Failure:
    """Why a call came to nothing, for a model to read and to act on."""

    type: str
    """A short name of the kind of failure: ``FileNotFoundError``, ``TimedOut``, ``CircuitOpen``."""
    message: str = ""
    retryable: bool = False
    """Whether the same call may succeed later, as it is."""
    hint: str = ""
    """What to do instead, in one sentence."""

    @property
    def text(self) -> str:
        """Type, message and hint, as a model reads them."""
        said = f"{self.type}: {self.message}" if self.message else self.type
        return f"{said} ({self.hint})" if self.hint else said


@frozen
class Output:
    """What one run of a tool came to."""

    parts: tuple[OutputPart, ...] = ()
    structured: Any = field(default=None, hash=False)
    """A JSON value for programs; where there are no parts, models read it as JSON."""
    failure: Failure | None = None

    @property
    def text(self) -> str:
        """All of it as text: texts as they are, what is no text as one line that names it."""
        if self.failure is not None and not self.parts:
            return self.failure.text
        if len(self.parts) == 1 and type(self.parts[0]) is Text:
            said = self.parts[0].text
        else:
            said = "\n".join(_said(part) for part in self.parts)
        if not self.parts and self.structured is not None:
            said = json.dumps(self.structured, ensure_ascii=False)
        return said if self.failure is None else f"{said}\n{self.failure.text}"


def text_output(text: str) -> Output:
    """An output of one text."""
    return Output((Text(text),))


def failed(type: str, message: str = "", *, retryable: bool = False, hint: str = "") -> Output:
    """An output that is a failure."""
    return Output(failure=Failure(type, message, retryable, hint))


def output_of(value: Any) -> Output:
    """What a plain function returned, as an output.

    An :class:`Output` stays what it is. Texts, images, blobs and bytes become parts, alone or in a list or tuple of
    nothing else; ``None`` is no output; any other value that JSON can hold, attrs classes, dataclasses, enums and
    dates included, is the structured value.

    Raises:
        TypeError: JSON cannot hold it.
    """
    if isinstance(value, Output):
        return value
    if isinstance(value, str):
        return Output((Text(value),))
    if value is None:
        return Output()
    part = _part(value)
    if part is not None:
        return Output((part,))
    if isinstance(value, list | tuple) and value:
        parts = [_part(item) for item in value]
        if any(not isinstance(item, str) for item in value) and None not in parts:
            return Output(tuple([p for p in parts if p is not None]))
    return Output(structured=plain_value(value))


def failure_of(error: BaseException) -> Failure:
    """An exception, as a failure.

    What the network or a peer did (:class:`ConnectionError`, :class:`TimeoutError`) may be tried again; a
    :class:`lamina.errors.CallFailedError` says for itself.
    """
    if isinstance(error, CallFailedError):
        return Failure(error.type, error.message, error.retryable, error.hint)
    transient = isinstance(error, ConnectionError | TimeoutError) and not isinstance(error, LaminaError)
    return Failure(type(error).__name__, str(error), transient)


def _part(value: Any) -> OutputPart | None:
    if isinstance(value, Text | Image | Blob):
        return value
    if isinstance(value, str):
        return Text(value)
    if isinstance(value, bytes | bytearray):
        return Blob("application/octet-stream", bytes(value))
    return None


def _said(part: OutputPart) -> str:
    match part:
        case Text(text=text):
            return text
        case Image(media_type=media_type):
            return f"[image: {media_type}]"
        case Blob(media_type=media_type, data=data, reference=reference):
            size = part.size if data is None else len(data)
            kept = f", kept as {reference}" if reference else ""
            name = f" {part.name}" if part.name else ""
            return f"[binary{name}: {media_type}, {size} bytes{kept}]"


def plain_value(value: Any, depth: int = 0) -> Any:
    """The value in what JSON has: objects with texts as keys, lists, texts, numbers, truth values, null.

    Raises:
        TypeError: JSON cannot hold it.
    """
    if type(value) in (type(None), bool, int, str):
        return value
    if depth > 100:
        raise TypeError("is nested deeper than 100")
    if type(value) is float:
        if value != value or value in (float("inf"), float("-inf")):
            raise TypeError(f"{value} is no number that JSON has")
        return value
    if isinstance(value, Mapping):
        return {str(plain_value(key, depth + 1)): plain_value(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(item, depth + 1) for item in value]
    return plain_value(_unstructured(value), depth + 1)


def _unstructured(value: Any) -> Any:
    import dataclasses
    import datetime
    import decimal
    import enum
    import pathlib
    import uuid

    import attrs

    if attrs.has(type(value)):
        return {a.name: getattr(value, a.name) for a in attrs.fields(type(value))}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | pathlib.PurePath | uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON can hold; return text, JSON values or an Output")
