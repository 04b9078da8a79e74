"""Signatures by which texts that are nearly the same meet."""

from __future__ import annotations

import struct
from hashlib import blake2b

from lamina.kit.identifiers import words

BINS = 64
ROWS = 4
"""Bins of a band: texts meet where all of one band are the same. With 16 bands, texts with 0.85 of their triples in common
meet with a chance of 0.99999, with 0.5 of 0.64, and with 0.2 of 0.025."""

_pair = struct.Struct("<Q").unpack


def triples(text: str) -> frozenset[tuple[str, ...]]:
    """Each three words that follow each other, whatever the script; of a text of fewer, all of them."""
    said = words(text)
    return frozenset(tuple(said[at : at + 3]) for at in range(max(1, len(said) - 2))) if said else frozenset()


def bands(text: frozenset[tuple[str, ...]]) -> list[str]:
    """The names of a text's bands: of texts of which most triples are the same, one at least is. O(triples).

    Source:
        Li, Owen and Zhang 2012, "One Permutation Hashing"; empty bins take their value from the next one that is not, as
        in Shrivastava and Li 2014.
    """
    least: list[int | None] = [None] * BINS
    for triple in text:
        (number,) = _pair(blake2b("\0".join(triple).encode("utf-8", "surrogatepass"), digest_size=8).digest())
        place, value = number % BINS, number // BINS
        held = least[place]
        if held is None or value < held:
            least[place] = value
    filled = [value for value in least if value is not None]
    if not filled:
        return []
    after = next(value for value in least if value is not None)
    for at in range(BINS - 1, -1, -1):
        value = least[at]
        after = after if value is None else value
        least[at] = after
    return [
        f"{at // ROWS:x}/{blake2b(repr(least[at : at + ROWS]).encode(), digest_size=9).hexdigest()}"
        for at in range(0, BINS, ROWS)
    ]


def likeness(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    """The share of triples that both have (Jaccard), from 0 to 1."""
    return len(one & other) / len(one | other) if one or other else 0.0
