"""Cutting a text into units that are kept or left out as a whole: lines, sentences, clauses, members of JSON."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONG = 220
"""Characters; a longer sentence or line is cut into clauses, a longer line of JSON into members."""
SHORT = 60
"""Characters; no clause is shorter."""
PIECE = (60, 160, 12)
"""Characters of a piece of JSON in one line, at least: the line's twelfth, between 60 and 160."""

_SENTENCE = re.compile(
    # The look-behinds keep long runs of dots or blanks from being tried at each of their characters.
    r"(?<![.!?…])(?P<stop>[.!?…]++[\"'”’»)\]]*+)\s+"  # a stop before white space
    r"|[。！？｡]++[」』”’）)]*+\s*"  # the ideographic one, before anything
)
_OBJECT = re.compile(r"(?<=[}\]]),\s*")
_MEMBER = re.compile(r",\s*(?=[\"{\[])")
_CLAUSE = re.compile(r"(?<=[;,:])\s+|(?<!\s)\s++(?=[–—]\s)|(?<=[，；：、])")
_JSON = re.compile(r"\"\s*:|[\]}\"]\s*,\s*[\[{\"]")
_ABBREVIATIONS = re.compile(
    r"mrs?|ms|dr|st|vs|etc|e\.?g|i\.?e|cf|fig|prof|approx|dept|inc|ltd|co|jr|sr|resp|bzw|ca|d\.h|z\.b|u\.a|usw|evtl|ggf|inkl|"
    r"vgl|abs|str|т\.[едпк]|др|см|стр|ул|им|гг?|руб|тыс|млн"
)
"""Words whose full stop ends no sentence."""
_JOINERS = "\u200d\ufe0e\ufe0f\u20e3"


def units(text: str) -> list[tuple[int, int]]:
    """Spans of a text's units: in order, disjoint, none blank, nothing but white space between them.

    A unit is a line, or a sentence where a line has several; longer ones are cut behind commas and the like. A line's
    first unit begins with its indentation. No unit ends inside a word, a number or an identifier, nor inside of what is
    read as one character. O(characters).
    """
    spans: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if text[start:end].strip():
            spans += _line(text, start, end)
        start = end + 1
    return _whole(text, spans)


def _line(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for first, last in _cut(text, start, end, _sentence_ends(text, start, end)):
        if last - first <= LONG:
            yield first, last
        elif _JSON.search(text, first, last):
            least, most, parts = PIECE
            piece = min(most, max(least, (last - first) // parts))
            for a, z in _cut(text, first, last, _paced(text, first, last, _OBJECT, piece)):
                cuts = _paced(text, a, z, _MEMBER, piece) if z - a > 2 * piece else iter(())
                yield from _cut(text, a, z, cuts)
        else:
            yield from _cut(text, first, last, _paced(text, first, last, _CLAUSE, SHORT))


def _cut(text: str, start: int, end: int, cuts: Iterator[int]) -> Iterator[tuple[int, int]]:
    """Spans between the cuts, without white space at their ends; the indentation of the first stays."""
    for cut in (*cuts, end):
        if piece := text[start:cut].rstrip():
            yield start, start + len(piece)
        start = cut
        while start < end and text[start].isspace():
            start += 1


def _sentence_ends(text: str, start: int, end: int) -> Iterator[int]:
    for found in _SENTENCE.finditer(text, start, end):
        if found.end() == end or (found["stop"] == "!" and text[found.end()].islower()):
            continue
        if found["stop"] != "." or not _goes_on(text, start, found):
            yield found.end()


def _goes_on(text: str, start: int, stop: re.Match[str]) -> bool:
    """Whether a full stop ends no sentence: lower case follows, or an abbreviation, initial or ordinal precedes."""
    if text[stop.end()].islower():
        return True
    before = text[max(start, stop.start() - 12) : stop.start()].split()
    if not before:
        return True  # a line that begins with a dot
    word = before[-1].lstrip("([\"'„“«").lower()
    return (
        _ABBREVIATIONS.fullmatch(word) is not None
        or (len(word) == 1 and word.isalpha() and word != "i")
        or (len(word) <= 2 and word.isdigit())
        or (word in ("no", "nr", "art", "p", "pp") and text[stop.end()].isdigit())
    )


def _paced(text: str, start: int, end: int, places: re.Pattern[str], least: int) -> Iterator[int]:
    """Of the places where it may be cut those that leave pieces of a sensible length.

    Args:
        text: What is cut.
        start: Where the sentence begins.
        end: Where it ends.
        places: Where it may be cut: at the end of a match.
        least: Characters of a piece.
    """
    for found in places.finditer(text, start, end):
        at = found.end()
        if at - start >= least and end - at >= least:
            yield at
            start = at


def _whole(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans, joined where one would begin with what belongs to the character before it."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and (_belongs(text[start]) or text[joined[-1][1] - 1] == "\u200d"):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _belongs(char: str) -> bool:
    return char >= "\u0300" and (char in _JOINERS or unicodedata.category(char)[0] == "M")
