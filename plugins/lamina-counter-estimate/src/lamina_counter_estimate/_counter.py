"""An upper bound on the tokens of cl100k_base and o200k_base, from how byte pairs are merged.

In what a byte-pair encoder gives for a piece of text, no two tokens stand side by side that would merge to a token of
the vocabulary. So of bytes whose neighbours all merge in pairs no two are tokens by themselves one after the other,
and ``n`` of them make at most ``(2 n + 1) / 3`` tokens; of ``n`` equal ones, where all runs up to ``k`` are tokens, at
most ``2 (n // (k + 1)) + 1``. A word that is a token by itself is one. To this come the tokens that cross from one run
of characters into the next: each is charged to a character of its own. Charged are at most two tokens for each byte,
and no token has more than 128 bytes: hence the bound.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise

from lamina.protocols import CounterInfo, CountRequest
from lamina_counter_estimate._tables import ONE, PAIRS, TWO

RUNS = {" ": 79, "\n": 10, "\t": 16, "=": 16, "-": 16, "*": 8, "#": 6, "_": 5, "/": 4, ".": 9}
"""For some characters, up to which length all runs are tokens of both vocabularies."""

_SPLIT = re.compile(
    r"[A-Za-z]*+[^\x00-\x7f][^\x00-@\[-`{-\x7f]*+"  # words with other than ASCII in them
    r"|'[A-Za-z]++"
    r"| ?[A-Za-z]++"
    r"|[0-9]++"
    r"|  ++"
    r"|-{8,}|={8,}|\*{8,}|\#{8,}|_{8,}|/{8,}|\.{8,}|\n{8,}|\t{8,}"
    r"|[\x00-\x7f]",
)
_LETTERS = re.compile(r"[A-Za-z]+")


def _code_points(ranges: str) -> set[int]:
    spans = (span.partition("-") for span in ranges.split())
    return {n for first, _, last in spans for n in range(int(first, 16), int(last or first, 16) + 1)}


class _Costs(dict[str, int]):
    """Tokens at most of what ``_SPLIT`` finds; kept, because a text's words repeat."""

    KEPT = 100_000

    def __init__(self) -> None:
        super().__init__()
        words = (files("lamina_counter_estimate") / "words.txt").read_text("ascii").split()
        self._fixed = dict.fromkeys(words, 1) | dict.fromkeys([f" {word}" for word in words], 1)
        self._merging = {after[0]: frozenset(after[1:]) for after in PAIRS.split()}
        self._one, self._two = _code_points(ONE), _code_points(TWO)
        self.update(self._fixed)

    def __missing__(self, found: str) -> int:
        cost = self._cost(found)
        if len(found) <= 40:
            if len(self) > self.KEPT:
                self.clear()
                self.update(self._fixed)
            self[found] = cost
        return cost

    def _cost(self, found: str) -> int:
        first = found[0]
        if not found.isascii():
            return self._mixed(found)
        if first == "'" and len(found) > 1:
            # The quote may take letters from the word (a contraction), wherever the word goes on.
            return 2 if len(found) == 2 else 2 + self._word(found[1:])
        if first.isdigit():
            return (len(found) + 2) // 3
        if found[-1].isalpha():
            return self._word(found)
        if len(found) == 1:
            return 1
        # And one token that begins in the run and ends beyond it.
        return 2 * (len(found) // (RUNS[first] + 1)) + 2

    def _word(self, word: str) -> int:
        """Of ASCII letters, or a space (which merges with each of them) and letters."""
        merging = self._merging
        apart = sum(b not in merging[a] for a, b in pairwise(word) if a != " ")
        return min((2 * len(word) + 1 + apart) // 3, len(word))

    def _mixed(self, found: str) -> int:
        """Each letter run as a word, each other character by its bytes, and one for how it joins its neighbours."""
        other = _LETTERS.sub("", found)
        cost = 1 + sum(self._word(word) for word in _LETTERS.findall(found))
        for c in other:
            point = ord(c)
            if point < 0x800:
                cost += 1 if point in self._one else 2
            elif point < 0x10000:
                cost += 1 if point in self._one else 2 if point >> 6 in self._two else 3
            else:
                cost += 3 if 0x1F000 <= point < 0x20000 else 4  # the first two bytes, F0 9F, merge
        return cost


class EstimateCounter:
    """Counts at least what cl100k_base and o200k_base would, without either."""

    info = CounterInfo(exact=False, bound=256.0, fingerprint="lamina-estimate 1")

    def __init__(self) -> None:
        self._costs = _Costs()

    def count(self, request: CountRequest) -> Sequence[int]:
        """One upper bound per text; O(characters). Lone surrogates count as U+FFFD."""
        cost = self._costs.__getitem__
        find = _SPLIT.findall
        return [sum(map(cost, find(text))) for text in map(_readable, request.texts)]


def _readable(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
