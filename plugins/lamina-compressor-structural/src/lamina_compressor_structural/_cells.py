"""Names and cells: how keys and scalars stand in lines and tables."""

from __future__ import annotations

import json
import re

from lamina_compressor_structural._values import NUMBER, Number, Value, dumps, encodable, joins, quote

_NAME = re.compile(r"""[^\s|(){}\[\]=:$"*\x00-\x1f](?:[^|(){}\[\]=:$"\x00-\x1f]*[^\s|(){}\[\]=:$"\x00-\x1f])?""")
_BARE = re.compile(r"""[^\s|"\[{\x00-\x1f](?:[^|\x00-\x1f]*[^\s|\x00-\x1f])?""")
_BRACKETS = re.compile(r"[()]")
_CELL_END = {False: re.compile(r"\|"), True: re.compile(r"[|)]")}
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}
_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number)


def name(key: str) -> str:
    """The key, bare where that can be read back."""
    return key if _NAME.fullmatch(key) and encodable(key) and not joins(key) else quote(key)


def read_name(text: str, at: int) -> tuple[str, int]:
    """The key that stands at ``at`` (it may be nothing), and where it ends.

    Raises:
        ValueError: An open quotation mark.
    """
    if text.startswith('"', at):
        key, end = _DECODER.raw_decode(text, at)
        return str(key), end
    found = _NAME.match(text, at)
    return (found.group(), found.end()) if found else ("", at)


def numberlike(text: str) -> bool:
    """Whether a bare string would be read as something else than a string."""
    return text in _WORDS or NUMBER.fullmatch(text) is not None


def cell(value: Value, *, text_column: bool = False, in_header: bool = False) -> str:
    """The value as it stands in a line or a table: strings bare where that can be read back, else JSON.

    Args:
        value: Any value.
        text_column: Whether all values of the column are strings, so that digits need no quotation marks.
        in_header: Whether it stands in a header, where brackets mean something.
    """
    if not isinstance(value, str):
        return dumps(value)
    readable = _BARE.fullmatch(value) and not (in_header and _BRACKETS.search(value))
    if readable and encodable(value) and not joins(value) and (text_column or not numberlike(value)):
        return value
    return quote(value)


def read_cell(
    text: str, at: int, *, text_column: bool = False, in_header: bool = False, alone: bool = False
) -> tuple[Value, int]:
    """The value that stands at ``at``, and where it ends; ``alone`` is one that goes to the end of the line.

    Raises:
        ValueError: No value stands there.
    """
    if text[at : at + 1] in ('"', "[", "{"):
        value, end = _DECODER.raw_decode(text, at)
        return value, end
    found = None if alone else _CELL_END[in_header].search(text, at)
    end = found.start() if found else len(text)
    bare = text[at:end]
    if not bare:
        raise ValueError(f"nothing stands at {at} of {text!r}")
    if text_column or not numberlike(bare):
        return bare, end
    return (_WORDS[bare] if bare in _WORDS else Number(bare)), end
