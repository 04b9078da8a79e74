"""The forms of one text: which there are, and how the lossless ones are undone."""

from __future__ import annotations

import re

from attrs import frozen

from lamina_compressor_structural import _html, _text
from lamina_compressor_structural._lines import from_lines, to_lines
from lamina_compressor_structural._values import Value, dumps, encodable, joins, parse

_LINES, _JSON_LINES, _TEXT, _PADDED = "::\n", "{}\n", "--\n", "..\n"
"""The first line of each lossless form that is not JSON itself: one token, and no words that the text did not say."""
_HEAD = re.compile(r"(?:::|\{\}|--|\.\.)\n")

_WORTH = 0.95


@frozen
class Form:
    """One form of a text."""

    text: str
    lossless: bool
    marked: bool = True
    """Whether it names the page."""


def forms(
    text: str,
    page: int,
    *,
    lossless: bool = False,
    html: bool = False,
    arguments: bool = False,
    numbers: str = "each",
) -> list[Form]:
    """The forms of a text that have fewer characters than it; O(n).

    Args:
        text: Any.
        page: The page's id, which the forms name.
        lossless: Whether lossy ones are left out.
        html: Whether an HTML document is given as text.
        arguments: Whether it is a call's arguments, which stay JSON.
        numbers: Of numbered lines, ``each`` keeps every number and drops what pads it; ``once`` says the first and last.
    """
    made: list[Form] = []
    if not encodable(text):
        return made
    value = _json(text)
    if value is not None:
        made.append(Form(dumps(value), lossless=True, marked=False))
        if not arguments and (lines := to_lines(value)):
            made.append(Form(_LINES + lines, lossless=True, marked=False))
    elif not arguments:
        records = _json_lines(text)
        if records and (lines := to_lines(records)):
            made.append(Form(_JSON_LINES + lines, lossless=True, marked=False))
        if not joins(text):
            made.append(_numbered(text, numbers))
        if not lossless:
            cleaned = _html.to_text(text) if html and _html.is_document(text) else _text.clean(text)
            # A few blanks are not worth a form that is not the original.
            if len(cleaned) <= _WORTH * len(text) and not joins(cleaned):
                made.append(Form(f"{_text.fold(cleaned)}\n[cleaned; exact text: expand {page}]", lossless=False))
    return [form for form in made if len(form.text) < len(text)]


def _numbered(text: str, numbers: str) -> Form:
    if numbers == "each":
        bare = _text.unpad(text)
        # Padding is a convention: a text that it does not bring back byte for byte keeps what pads its numbers.
        if _text.pad(bare) == text:
            return Form(_PADDED + _text.fold(bare), lossless=True, marked=False)
        return Form(_TEXT + _text.fold(_text.number_once(text, folded=False)), lossless=True, marked=False)
    return Form(_TEXT + _text.fold(_text.number_once(text)), lossless=True, marked=False)


def restore(text: str) -> str:
    """The original of a lossless form; see the package."""
    head = _HEAD.match(text)
    if not head:
        return text
    body = text[head.end() :]
    match head.group():
        case "--\n":
            return _text.number_each(_text.unfold(body))
        case "..\n":
            return _text.pad(_text.unfold(body))
    value = from_lines(body)
    if head.group() == _LINES:
        return dumps(value)
    if not isinstance(value, list):
        raise ValueError("JSON lines are records")
    return "\n".join(map(dumps, value))


def canonical(text: str) -> str:
    """What the lossless forms keep; see the package."""
    value = _json(text)
    if value is not None:
        return dumps(value)
    records = _json_lines(text)
    return "\n".join(map(dumps, records)) if records else text


def _json(text: str) -> Value:
    """The object or array that the text is, or ``None``."""
    if not text.lstrip(" \t\r\n").startswith(("{", "[")):
        return None
    try:
        value = parse(text)
    except ValueError:
        return None
    return value if isinstance(value, dict | list) else None


def _json_lines(text: str) -> list[Value] | None:
    """The objects that the lines are, or ``None``."""
    lines = text.rstrip("\n").split("\n")
    if len(lines) < 2 or not all(line.startswith("{") for line in lines):
        return None
    records = [_json(line) for line in lines]
    return records if all(isinstance(record, dict) for record in records) else None
