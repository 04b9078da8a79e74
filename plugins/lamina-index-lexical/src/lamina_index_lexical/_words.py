"""What of a text is indexed: words of any script, parts of identifiers, pairs of characters."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

VERSION = 2
"""Of the rules in this module; an index that was filled by others is dropped."""

JOINT = "\ue000"
"""Stands in an indexed identifier for the characters that join its parts; FTS5 takes it for a letter."""

LONGEST = 64
"""Characters of a word that count; a longer one is a blob that nobody asks for by its end."""

# Marks that Python's \w leaves out would cut words of many scripts in pieces.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff"
_MARKS += "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"
# Scripts that are written without spaces between words (and Korean, whose endings join the words).
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
_UNSPACED += "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"

_CHUNK = re.compile(rf"[\w{_MARKS}]+(?:[./\\:@-]+[\w{_MARKS}]+)*")
_RUN = re.compile(rf"([{_UNSPACED}]+)|([^\W_{_UNSPACED}](?:[^\W_{_UNSPACED}]|[{_MARKS}](?<![{_UNSPACED}]))*)")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ASCII_WORD = re.compile(r"[a-z]+")

STOP = frozenset(
    [
        "a",
        "about",
        "after",
        "again",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "between",
        "both",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "down",
        "during",
        "each",
        "few",
        "for",
        "from",
        "further",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "hers",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "me",
        "more",
        "most",
        "my",
        "no",
        "nor",
        "not",
        "now",
        "of",
        "off",
        "on",
        "once",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "same",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "under",
        "until",
        "up",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
        "s",
        "t",
        "d",
        "ll",
        "re",
        "ve",
        "m",
    ]
)
"""English words that say nothing about what is asked; left out of queries that say something else."""


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """An English word without plural, ``-ed``, ``-ing`` and final ``e``; other words unchanged.

    Source:
        Porter 1980, "An algorithm for suffix stripping", steps 1a, 1b and 5a, without his measure: endings stay
        on words that would have fewer than three letters left or no vowel.
    """
    if len(word) < 4 or not _ASCII_WORD.fullmatch(word):
        return word
    if word.endswith(("ies", "ied")) and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) > 2 and any(c in "aeiouy" for c in rest):
            word = rest
            if word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def _spoken(run: str, *, query: bool) -> Iterator[str]:
    """Words of one run of a script with spaces; of an identifier also its parts."""
    whole = run.casefold()[:LONGEST]
    yield stem(whole)
    if not run.isascii() or (run.islower() and run.isalpha()):
        return
    parts = _CAMEL.findall(run)
    if len(parts) > 1:
        for part in parts:
            yield stem(part.lower()[:LONGEST])


def words(text: str, *, query: bool = False) -> list[str]:
    """What is indexed of a text, or looked for, in order; may repeat.

    Every word consists of ASCII letters and digits in lower case, and characters beyond ASCII. O(n).

    Args:
        text: Any text.
        query: Whether it is a query: single characters of scripts without spaces then count only where they stand
            alone.
    """
    found: list[str] = []
    for match in _CHUNK.finditer(unicodedata.normalize("NFKC", text)):
        chunk = match.group()
        parts: list[str] = []
        for run in _RUN.finditer(chunk):
            unspaced, spoken = run.groups()
            if spoken:
                parts.append(spoken.casefold())
                found += _spoken(spoken, query=query)
            else:
                if len(unspaced) == 1 or not query:
                    found += unspaced
                found += map("".join, itertools.pairwise(unspaced))
        # A path or a snake_case name is also a word as a whole, which makes an exact mention the rarest word.
        if len(parts) > 1 and len(chunk) <= LONGEST:
            found.append(JOINT.join(parts))
    return found
