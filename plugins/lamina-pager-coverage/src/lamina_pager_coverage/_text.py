"""Texts as evidence: identifiers, and lines and clauses as excerpts."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

# Scripts without spaces between words: their letters never join an identifier.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_LETTER = rf"[^\W{_UNSPACED}]"
# Most words are plain ones, which name nothing: an alternative without a group passes over runs of them.
_NO_NAME = r"(?![\w./\-#:@$])"
_PLAIN = rf"[A-Za-z][a-z]*+{_NO_NAME}(?: [a-z]++{_NO_NAME})*"
_IDENTIFIER = re.compile(rf"{_PLAIN}|((?:{_LETTER}|[#$])(?:{_LETTER}|[./\-#:@$]){{3,}}{_LETTER})")
_TELLING = re.compile(r"[\d_/]|\w\.\w")
_ASCII_IDENTIFIER = re.compile(rf"{_PLAIN}|([\w#$][\w./\-#:@$]{{3,}}\w)", re.ASCII)
_ASCII_TELLING = re.compile(r"[\d_/]|\w\.\w|[a-z][A-Z]", re.ASCII)
_BEYOND_ASCII = re.compile(r"[^\W\x00-\x7f]")
_CLAUSE_END = re.compile(r"[,;.!?|}\])]\s+|[。，；！？、]")
_LONG_LINE = 240
"""Characters; a longer line is cut into clauses."""
_CLAUSE = 90
"""Characters of a clause, about."""


def identifiers(text: str) -> tuple[str, ...]:
    """Names, paths, numbers and ids in the text, in order, each once; linear.

    At least five characters, with a digit, an underscore, a slash, an inner dot or an inner capital, in any script that
    separates words.
    """
    # Arrows, dashes and the like only separate: beside them all names are ASCII, for which the pattern is much quicker.
    if text.isascii() or not _BEYOND_ASCII.search(text):
        return tuple(dict.fromkeys(filter(_ASCII_TELLING.search, _ASCII_IDENTIFIER.findall(text))))
    return tuple(dict.fromkeys(a for a in _IDENTIFIER.findall(text) if _TELLING.search(a) or _inner_capital(a)))


def _inner_capital(name: str) -> bool:
    return not name.islower() and any(b.isupper() and a.islower() for a, b in pairwise(name))


def cut(text: str) -> list[tuple[int, int, str]]:
    """Lines of the text, long ones in clauses: (line, clause, text); blank lines are left out."""
    out = []
    for n, line in enumerate(text.split("\n")):
        if len(line) > _LONG_LINE:
            out += [(n, k, line[a:b]) for k, (a, b) in enumerate(_clauses(line))]
        elif line and not line.isspace():
            out.append((n, 0, line))
    return out


def _clauses(line: str) -> list[tuple[int, int]]:
    """Spans of about ``_CLAUSE`` characters that end where a clause does, or else a word; together the whole line."""
    out: list[tuple[int, int]] = []
    start = last = 0
    for end in [*(m.end() for m in _CLAUSE_END.finditer(line)), len(line)]:
        if end - start > _CLAUSE and last > start:
            out.append((start, last))
            start = last
        while end - start > 2 * _CLAUSE:
            stop = line.rfind(" ", start, start + _CLAUSE) + 1
            stop = stop if stop > start + _CLAUSE // 2 else start + _CLAUSE
            out.append((start, stop))
            start = stop
        last = end
    if start < len(line):
        out.append((start, len(line)))
    return out


def argument_text(arguments: str) -> str:
    """The values of a call's arguments, decoded, each on lines of its own."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    out: list[str] = []

    def walk(v: Any) -> None:
        if isinstance(v, dict):
            for x in v.values():
                walk(x)
        elif isinstance(v, list):
            for x in v:
                walk(x)
        else:
            out.append(v if isinstance(v, str) else json.dumps(v))

    walk(value)
    return "\n".join(out)
