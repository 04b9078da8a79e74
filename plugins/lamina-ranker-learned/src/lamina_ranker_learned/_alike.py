"""Near-duplicates share one place: a folder that was listed ten times is one answer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from attrs import frozen

SHORT = 60
"""Words up to which texts must be nearly equal: there one word is what the text is about."""

LIKENESS, LIKENESS_OF_SHORT = 0.7, 0.9
"""Jaccard similarity of word triples from which on two texts say the same."""

LONGEST = 20_000
"""Characters of a text that are compared."""


@frozen
class Place:
    """One answer."""

    id: str
    same: tuple[str, ...] = ()
    """Others that say nearly the same, in their order."""


class _Said:
    """A text as it is compared; triples are made when first asked for."""

    def __init__(self, text: str) -> None:
        self.words = text[:LONGEST].split()
        self.set: frozenset[object] = frozenset(self.words)
        self._triples: frozenset[object] | None = None

    @property
    def triples(self) -> frozenset[object]:
        if self._triples is None:
            pairs = list(pairwise(self.words))
            self._triples = frozenset((*a, b[1]) for a, b in pairwise(pairs)) or frozenset([tuple(self.words)])
        return self._triples


def alike(a: str, b: str) -> bool:
    """Whether two texts say nearly the same; symmetric, and true of equal texts.

    Cost: linear; some microseconds where they are not even of one size.
    """
    return _alike(_Said(a), _Said(b))


def _alike(a: _Said, b: _Said) -> bool:
    least = LIKENESS_OF_SHORT if min(len(a.words), len(b.words)) <= SHORT else LIKENESS
    if a.words == b.words:
        return True
    # A Jaccard similarity is at most the ratio of the sizes. Changing one of the words of a text changes up to three
    # triples, so what is alike by triples is alike by words at least as much, but for repetitions.
    small, large = sorted((len(a.set), len(b.set)))
    if small < least * 0.9 * large or _jaccard(a.set, b.set) < least * 0.9:
        return False
    return _jaccard(a.triples, b.triples) >= least


def _jaccard(a: frozenset[object], b: frozenset[object]) -> float:
    both = len(a & b)
    return both / max(len(a) + len(b) - both, 1)


def fold(ranked: Sequence[tuple[str, str]], limit: int) -> list[Place]:
    """Give each answer one place, and near-duplicates of an answer before them its place.

    Args:
        ranked: Ids with their texts, best first. All of them are compared, so give some more than ``limit``.
        limit: Places at most.

    Returns:
        Places in the order given; ids behind the last place are in one only where they are alike to it.

    Cost: each text is read once; of those that stand, each pair of one size is compared: about 2 ms for 50 pages of 300
    words.
    """
    standing: list[tuple[str, _Said, list[str]]] = []
    for id, text in ranked:
        said = _Said(text)
        for _, other, same in standing:
            if _alike(other, said):
                same.append(id)
                break
        else:
            if len(standing) < limit:
                standing.append((id, said, []))
    return [Place(id, tuple(same)) for id, _, same in standing]
