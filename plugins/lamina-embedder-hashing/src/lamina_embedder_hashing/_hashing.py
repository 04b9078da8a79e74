"""Texts as sums of signed directions, one for each word, pair of words and piece of a word."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lamina.kit.identifiers import words
from lamina.protocols import EmbedRequest

VERSION = 1
"""Of everything here that changes a vector."""

GRAMS = (3, 4)
"""Letters of the pieces of a word, whose ends are marked."""

GRAM_WEIGHT = 0.8
"""Of each piece of a word, beside 1 for the word itself: long words, which say more, count more."""

PAIR_WEIGHT = 1.0
"""Of two words in a row, beside 1 for each."""

STOP_WEIGHT = 0.15
"""What words count that say nothing by themselves."""

STOP = frozenset(
    word
    for line in (
        "a an the of to in on at by for with from is are was were be been am do does did has have had will would can could",
        "should may might must it its this that these those there here i me my you your he him his she her we us our they",
        "them their what which who whom whose when where why how and or but if then so not no as than too very just about",
        "into over out up",
        "der die das den dem des ein eine einer einem einen und oder aber ist sind war waren hat haben ich du er sie es wir",
        "ihr nicht zu im am von mit auf für als wie was wer wann wo",
        "le la les un une des du de et ou mais est sont était je tu il elle nous vous ils elles ne pas au aux en dans sur",
        "pour par que qui quoi quand où",
        "el los las unos unas y o pero es son era yo él ella nosotros ellos no al en por para con que quien cuando donde",
    )
    for word in line.split()
)
"""Words that say nothing by themselves, of four languages."""

INLINE = 20_000
"""Up to so many characters cost less than handing them to a thread."""

Sparse = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Places in the vector, and what is added there."""


class HashingEmbedder:
    """Near are texts that share words, parts of words or word order. It knows no synonyms.

    Words are those of :func:`lamina.kit.identifiers.words`; each counts by the logarithm of its frequency,
    long ones more, and a few that say nothing (of four languages) less. Beyond that nothing is known of how common a
    word is: that would have to be learned from texts, and vectors of earlier texts would change with later ones.

    Does not suspend for fewer than 20,000 characters, else works in a thread. Some 0.15 ms for a short text whose words
    were met before. In memory stays what 32,768 words and as many pairs add up to, at most some 60 MB.

    Source:
        Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning": the sign by a second hash makes
        collisions cancel out in expectation. Pieces of words as in Bojanowski et al. 2017, "Enriching Word Vectors
        with Subword Information", with 3 to 4 letters instead of 3 to 6. The weights were chosen among some twenty on
        questions about recorded dialogues.
    """

    batch = 256

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self.fingerprint = f"lamina-hashing {VERSION}, {dimensions}"

    async def embed(self, request: EmbedRequest) -> memoryview:
        """Vectors; queries are embedded as texts are."""
        texts = list(request.texts)
        if sum(map(len, texts)) <= INLINE:
            return self._vectors(texts).data
        return (await asyncio.to_thread(self._vectors, texts)).data

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            parts = list(self._parts(words(text)))
            if not parts:
                continue
            places = np.concatenate([places for places, _ in parts])
            values = np.concatenate([values for _, values in parts])
            total = np.bincount(places, weights=values, minlength=self.dimensions)
            length = math.sqrt(float(total @ total))
            if length > 0:
                row[:] = total / length
        return rows

    def _parts(self, found: Sequence[str]) -> Iterator[Sparse]:
        """What each word and each pair of words adds."""
        for word, times in Counter(found).items():
            places, values = _of_word(word, self.dimensions)
            yield places, values * np.float32(1 + math.log(times))
        for (first, second), times in Counter(pairwise(found)).items():
            weight = PAIR_WEIGHT * math.sqrt(_weight(first) * _weight(second)) * (1 + math.log(times))
            place, sign = _of_pair(first, second, self.dimensions)
            yield np.array([place]), np.array([sign * weight], np.float32)


def _weight(word: str) -> float:
    """How much a word counts."""
    return STOP_WEIGHT if word in STOP else 1.0


@lru_cache(maxsize=32_768)  # texts use the same words again and again
def _of_word(word: str, dimensions: int) -> Sparse:
    marked = f"<{word}>"
    grams = sorted({marked[i : i + n] for n in GRAMS for i in range(len(marked) - n + 1)})
    hashed = [_hashed("w" + word, dimensions), *(_hashed("g" + gram, dimensions) for gram in grams)]
    sizes = [1.0, *[GRAM_WEIGHT] * len(grams)]
    values = [sign * size * _weight(word) for (_, sign), size in zip(hashed, sizes, strict=True)]
    return np.array([place for place, _ in hashed]), np.array(values, np.float32)


@lru_cache(maxsize=32_768)
def _of_pair(first: str, second: str, dimensions: int) -> tuple[int, int]:
    return _hashed(f"p{first} {second}", dimensions)


def _hashed(feature: str, dimensions: int) -> tuple[int, int]:
    """A feature's place and sign, the same in every process."""
    number = int.from_bytes(hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
    return (number >> 1) % dimensions, 1 if number & 1 else -1
