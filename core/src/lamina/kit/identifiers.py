"""What a text names: identifiers, which later steps cite verbatim, and words, for likeness.

Pure functions for strategies, in every script, in time linear in the text. Scripts that are written without spaces
(Chinese, Japanese, Thai, …; Korean too, whose endings join the word) end an identifier of other letters, so that
``打开src/main.py文件`` names ``src/main.py``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

SHORTEST = 4
"""Characters of an identifier; shorter ones recur by chance."""

LONGEST = 200
"""Characters of an identifier; a longer run is a blob that nobody cites."""

LONGEST_WORD = 64
"""Characters of a word that count."""

# Marks that Python's \w leaves out; without them words of many scripts would fall to pieces.
_MARKS = "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
_MARKS += "\u0900-\u0963\u0966-\u0dff\u0f18-\u0fbc"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
_UNSPACED += "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"

_JOINT = r"(?:://|::|/\.{1,2}/|[./#:@$-])"
_SPACED = rf"(?:[^\W{_UNSPACED}]|[{_MARKS}])"
# Possessive or atomic throughout: nothing is tried twice, so that no text takes quadratic time. Groups are atomic, because
# Python before 3.11.5 keeps half a repetition of a possessive one (CPython issue 106052).
# Most runs are plain words, which identify nothing: an alternative without a group passes over many at once.
_NO_NAME = rf"(?![\w{_MARKS}./#:@$-])"
_PLAIN = rf"[A-Za-z][a-z]*+{_NO_NAME}(?: [a-z]++{_NO_NAME})*"
_ASCII_RUN = re.compile(rf"{_PLAIN}|(\w++(?:(?>{_JOINT}\w+))*)", re.ASCII)
_ASCII_TELLING = re.compile(r"[\d_/]|\w\.\w|[a-z][A-Z]", re.ASCII)
# A run of unspaced letters belongs to an identifier as a later part of a path, or before a file's extension; the
# last alternative swallows all other such runs at once.
_RUN = re.compile(
    rf"{_PLAIN}|((?:{_SPACED}++|[{_UNSPACED}]++(?=\.{_SPACED}))"
    rf"(?:(?>{_JOINT}{_SPACED}+)|(?>/[{_UNSPACED}]+))*|[{_UNSPACED}]++)"
)
_TELLING = re.compile(r"[\d_/]|\w\.\w")
_PIECES = re.compile(r"[:@#$]/*")
_INNER_CAPITAL = re.compile(r"[a-z][A-Z]")
_HAS_SPACED = re.compile(_SPACED)
_BEYOND_ASCII = re.compile(rf"[^\W\x00-\x7f]|[{_MARKS}{_UNSPACED}]")
"""Whatever an identifier may hold that is not ASCII."""

_ASCII_WORD = re.compile(r"[A-Za-z0-9]+")
_WORD = re.compile(rf"[{_UNSPACED}]+|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+")
_UNSPACED_START = re.compile(rf"[{_UNSPACED}]")

_ESCAPED = re.compile(r"\\(?:((?:u[0-9a-fA-F]{4})(?:\\u[0-9a-fA-F]{4})*)|[bfnrt\"\\/]?)")
_ESCAPED_ASCII = re.compile(r"\\[bfnrt\"\\/]?")


def identifiers(text: str) -> frozenset[str]:
    r"""The identifiers in a text: what a later step would have to repeat letter by letter.

    An identifier is a run of letters, digits and underscores of at least 4 and at most 200 characters, or several
    joined by one of ``. / - # : @ $ ://`` and ``::``, which has a digit, an underscore, a slash, a dot between
    letters, or a capital after a small letter: paths, names, numbers, dates, addresses, keys. A compound one comes
    with its pieces that are identifiers too: ``src/main.py:120`` also gives ``src/main.py`` and ``main.py``.

    Letters are of any script. JSON escapes are read (the arguments of calls are JSON text); other backslashes
    separate. But for ``\uXXXX``, every identifier stands in the text as it is given. Case is kept.

    Cost: linear; about 20 MB/s (letters beyond ASCII: 8).
    """
    text = _unescaped(text)
    plain = text.isascii()
    if not plain and not _BEYOND_ASCII.search("".join(set(text))):
        # Arrows, dashes, boxes and the like only separate, as a question mark does; the pattern for ASCII is much quicker.
        text, plain = text.encode("ascii", "replace").decode("ascii"), True
    runs, telling = (_ASCII_RUN, _ASCII_TELLING.search) if plain else (_RUN, _telling)
    found = {run for run in filter(telling, set(runs.findall(text))) if SHORTEST <= len(run) <= LONGEST}
    compound = [run for run in found if "/" in run or ":" in run or "@" in run or "#" in run or "$" in run]
    return frozenset(found.union(*map(_pieces, compound)))


def words(text: str) -> list[str]:
    """The words of a text, in order and with repetitions, folded so that equal ones compare equal.

    Words are runs of letters and digits (underscores separate), compatibility-normalised and case-folded, at most
    64 characters long. A name with inner capitals gives itself and its parts (``TokenCounter``: ``tokencounter``,
    ``token``, ``counter``). Scripts without spaces give overlapping pairs of characters (``数据库``: ``数据``,
    ``据库``), a lone character itself.

    Cost: linear; about 7 MB/s.
    """
    text = _unescaped(text)
    plain = text.isascii()
    if not plain:
        text = unicodedata.normalize("NFKC", text)
    known: dict[str, tuple[str, ...]] = {}
    found: list[str] = []
    for run in (_ASCII_WORD if plain else _WORD).findall(text):
        folded = known.get(run)
        if folded is None:
            folded = known[run] = _folded(run)
        found += folded
    return found


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    if "\\u" not in text:
        return _ESCAPED_ASCII.sub(" ", text)
    return _ESCAPED.sub(lambda m: json.loads(f'"\\{m[1]}"') if m[1] else " ", text)


def _telling(run: str) -> bool:
    if run.isalpha():
        return _inner_capital(run)
    if run.isascii():
        return bool(_TELLING.search(run) or _INNER_CAPITAL.search(run))
    # A slash between words of an unspaced script means "or".
    return bool(_HAS_SPACED.search(run) and (_TELLING.search(run) or _inner_capital(run)))


def _inner_capital(run: str) -> bool:
    if run.isascii():
        return bool(_INNER_CAPITAL.search(run))
    # The first test is quick and settles nearly every word.
    return not run[1:].islower() and any(a.islower() and b.isupper() for a, b in pairwise(run))


@lru_cache(maxsize=4096)  # texts name the same things again and again
def _pieces(run: str) -> frozenset[str]:
    """The pieces of a compound identifier that are identifiers too."""
    pieces = set(_PIECES.split(run))
    pieces.update([piece.rsplit("/", 1)[1] for piece in pieces if "/" in piece])
    # A piece that starts with an unspaced script may not be one run by itself.
    return frozenset(p for p in pieces if len(p) >= SHORTEST and _telling(p) and _RUN.fullmatch(p))


def _folded(run: str) -> tuple[str, ...]:
    if _UNSPACED_START.match(run):
        return tuple(run[i : i + 2] for i in range(len(run) - 1)) or (run,)
    run = run[:LONGEST_WORD]
    whole = _fold(run)
    if run[1:].islower() or run.isdigit():
        return (whole,)
    cuts = [i for i, (a, b) in enumerate(pairwise(run), 1) if a.islower() and b.isupper()]
    if not cuts:
        return (whole,)
    return (whole, *(_fold(run[i:j]) for i, j in pairwise((0, *cuts, len(run)))))


def _fold(run: str) -> str:
    # Folding may leave a letter and a mark that have a joint form (ß with an accent).
    return run.casefold() if run.isascii() else unicodedata.normalize("NFKC", run.casefold())
