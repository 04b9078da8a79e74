"""Counting by tiktoken, safely on any text."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from lamina.protocols import CounterInfo, CountRequest

if TYPE_CHECKING:
    import tiktoken

    from lamina_counter_tiktoken._vocabulary import Vocabulary

LONGEST_RUN = 10_000
"""Characters of white space in one run that are handed to tiktoken. Its regex engine backtracks over such a run and
panics, with a trace on standard error, somewhere between 200,000 and 1,000,000 of them (tiktoken 0.14)."""
LONGEST_TEXT = 1 << 19
"""Characters handed to tiktoken at once, where the text has a safe boundary: bounds the list of token ids."""

_LONG_RUN = re.compile(rf"[\t\x0b\x0c \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]{{{LONGEST_RUN},}}")
"""White space without line ends, as Unicode and tiktoken's engine have it (Python's has U+001C to U+001F too)."""


_built: dict[str, tiktoken.Encoding] = {}
"""Encodings of this process by name; as in tiktoken's own registry they stay for its life."""


def build(vocabulary: Vocabulary, data: bytes) -> tiktoken.Encoding:
    """An encoding from a vocabulary file's bytes, whose hash was checked: line ``i`` holds token and rank ``i``.

    Built once in a process (0.2 s): a vocabulary's bytes are always the same.
    """
    import tiktoken

    if vocabulary.name in _built:
        return _built[vocabulary.name]
    # No loop in Python: half the time of tiktoken's own loader.
    words = data.split()
    ranks = dict(zip(map(binascii.a2b_base64, words[::2]), map(int, words[1::2]), strict=True))
    del words
    encoding = _built[vocabulary.name] = tiktoken.Encoding(
        vocabulary.name, pat_str=vocabulary.pattern, mergeable_ranks=ranks, special_tokens=vocabulary.special
    )
    # Kept for pickling only, which nobody does here: 12 MB of 50.
    encoding._mergeable_ranks = {}
    return encoding


class TiktokenCounter:
    """Counts by one encoding.

    Lone surrogates count as U+FFFD, which is what they are sent as; two that make a pair count as their character.
    """

    def __init__(self, encoding: tiktoken.Encoding, origin: str = "") -> None:
        self.info = CounterInfo(
            exact=True,
            bound=1.0,
            fingerprint=f"tiktoken {version('tiktoken')} {encoding.name}",
            message_tokens=4,
            call_tokens=4,
            origin=origin,
        )
        self._encoding = encoding
        self._encode = encoding.encode_ordinary

    def count(self, request: CountRequest) -> Sequence[int]:
        """One exact count per text; 5 MB/s, linear also for runs of one character.

        One after the other: tiktoken's batch calls start threads, which made the batches of sessions 2.5 times
        slower than this (2 cores, 64,548 texts of 105 bytes).
        """
        encode = self._encode
        counts: list[int] = []
        for text in request.texts:
            if len(text) < LONGEST_RUN:
                counts.append(len(encode(text)))
            else:
                counts.append(self._count_long(text))
        return counts

    def _count_long(self, text: str) -> int:
        # First of all, as tiktoken does: a pair of surrogates must not be cut.
        if not text.isascii():
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        total, start = 0, 0
        for run in _LONG_RUN.finditer(text):
            first, end = run.span()
            if text[end : end + 1] in ("\r", "\n"):
                continue  # matched by another alternative, which does not backtrack
            # White space that is no line end begins a piece, whatever stands before it. At the end of the text the run
            # is one piece; else its last character belongs to what follows, and the others are one piece.
            last = end if end == len(text) else end - 1
            total += self._count_plain(text, start, first)
            total += len(self._encoding._core_bpe.encode_single_piece(text[first:last].encode()))
            start = last
        return total + self._count_plain(text, start, len(text))

    def _count_plain(self, text: str, start: int, end: int) -> int:
        return sum(len(self._encode(text[first:last])) for first, last in cut(text, start, end))


def cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of the text whose counts add up to the count of all.

    A span ends before a space that follows a character which is not white space. No piece of either pattern goes
    across: within a piece a space stands first, or after white space only; and no alternative looks back. Where
    there is no such boundary for long, spans are longer than ``LONGEST_TEXT``.
    """
    while end - start > LONGEST_TEXT:
        at = text.rfind(" ", start, start + LONGEST_TEXT)
        while at > start and text[at - 1].isspace():
            at = text.rfind(" ", start, at)
        if at <= start:
            at = text.find(" ", start + LONGEST_TEXT, end)
            while at >= 0 and text[at - 1].isspace():
                at = text.find(" ", at + 1, end)
            if at < 0:
                break
        yield start, at
        start = at
    if end > start:
        yield start, end
