"""The words of one session's pages, by word: a request costs what its words cost, not what the pages say."""

from __future__ import annotations

import math
from array import array
from bisect import insort
from collections import Counter
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from lamina.kit.identifiers import words
from lamina.model import Page

K1, B = 1.2, 0.75
MOST_TERMS = 32
"""Of a request; the rarest stay."""

FEW = 10
"""Up to so many pages that have a term it is not common, even if they are all that there are."""

_TIMES_BITS = 8
_MOST_TIMES = (1 << _TIMES_BITS) - 1
_SLACK = 1024


class Postings:
    """Where each word stands.

    A posting is one 32-bit number (which page, and how often), where a mapping for each page would take some 30 bytes.
    Pages that are gone leave their postings behind until they are as many as the others.

    Args:
        stem: Words of letters are cut to so many; 0 for none.
    """

    def __init__(self, stem: int) -> None:
        self._stem = stem
        self._clear()

    def _clear(self) -> None:
        self._slots: WeakKeyDictionary[Page, int] = WeakKeyDictionary()
        self._lengths = array("I")
        self._of: dict[str, array[int]] = {}

    def terms(self, text: str) -> Counter[str]:
        """The terms of a text, and how often each stands in it."""
        found = Counter(words(text))
        if not self._stem:
            return found
        cut: Counter[str] = Counter()
        for word, times in found.items():
            cut[word[: self._stem] if word.isalpha() else word] += times
        return cut

    def search(self, pages: Sequence[Page], terms: Mapping[str, float]) -> dict[int, float]:
        """BM25 of the pages for weighted terms; pages without any of them are absent.

        What else was read before does not show in the scores. O(pages + postings of the terms).
        """
        at = self._read(pages)
        ranked = self._rarest(at, terms)
        telling = [entry for entry in ranked if entry[0] <= max(FEW, len(at) / 2)] or ranked
        mean = sum(self._lengths[slot] for slot in at) / max(1, len(at)) or 1.0
        norm = {slot: K1 * (1 - B + B * self._lengths[slot] / mean) for slot in at} if telling else {}
        scores: dict[int, float] = {}
        for frequency, term, hits in telling:
            weight = terms[term] * (K1 + 1) * math.log1p((len(at) - frequency + 0.5) / (frequency + 0.5))
            for posting in hits:
                slot, times = posting >> _TIMES_BITS, posting & _MOST_TIMES
                page = at[slot]
                scores[page] = scores.get(page, 0.0) + weight * times / (times + norm[slot])
        return scores

    def _rarest(self, at: Mapping[int, int], terms: Mapping[str, float]) -> list[tuple[int, str, Sequence[int]]]:
        """The rarest terms of these slots, with their frequencies and postings there; ties by term."""
        outside = len(self._lengths) - len(at)
        ranked: list[tuple[int, str, Sequence[int]]] = []
        for size, term in sorted((len(self._of[term]), term) for term in terms if term in self._of):
            # Postings outside can only make a term look more frequent, by so many: the rest is no rarer.
            if len(ranked) == MOST_TERMS and size - outside > ranked[-1][0]:
                break
            hits: Sequence[int] = self._of[term]
            if outside:
                hits = [posting for posting in hits if posting >> _TIMES_BITS in at]
            if hits:
                insort(ranked, (len(hits), term, hits))
                del ranked[MOST_TERMS:]
        return ranked

    def _read(self, pages: Sequence[Page]) -> dict[int, int]:
        """Slot to page id; pages that are new are read."""
        if len(self._lengths) > 2 * max(len(self._slots), len(pages)) + _SLACK:
            self._clear()
        at = {}
        slots = self._slots
        for page in pages:
            slot = slots.get(page)
            at[self._add(page) if slot is None else slot] = page.id
        return at

    def _add(self, page: Page) -> int:
        slot = self._slots[page] = len(self._lengths)
        terms = self.terms(page.text)
        self._lengths.append(terms.total())
        for term, times in terms.items():
            postings = self._of.get(term)
            if postings is None:
                postings = self._of[term] = array("I")
            postings.append(slot << _TIMES_BITS | min(times, _MOST_TIMES))
        return slot
