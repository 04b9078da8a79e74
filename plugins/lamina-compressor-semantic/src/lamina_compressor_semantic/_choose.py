"""The order in which units are taken, and which of them a target has room for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush

from lamina_compressor_semantic._reading import FLOOR, Passage
from lamina_compressor_semantic._render import BREAK, GAP


class Choice:
    r"""The units of a page's passages, numbered through, and what each is worth.

    Args:
        passages: The page's.
        factors: By unit: what its words' worth is multiplied with.
        worth: By word, and by identifier with ``"\\0"`` before it.
    """

    def __init__(self, passages: Sequence[Passage], factors: Sequence[float], worth: Mapping[str, float]) -> None:
        self._factors = factors
        self._tokens: list[int] = []
        self._gaps: list[float] = []
        # Where a unit is marked as taken. Beyond a text's ends nothing is missing, so a place between texts is marked.
        self._at: list[int] = []
        self.errors: list[list[int]] = []
        """By passage: its first error line of each kind."""
        numbers: dict[str, int] = {}
        self._names: list[list[int]] = []
        self._asks: list[bool] = []
        for position, passage in enumerate(passages):
            kinds: dict[str, int] = {}
            for unit in passage.units:
                at = len(self._at)
                if unit.error is not None:
                    kinds.setdefault(unit.error, at)
                self._at.append(at + position + 1)
                self._tokens.append(unit.tokens)
                self._asks.append(unit.asks and unit is not passage.units[-1])
                begins = unit.start == 0 or passage.text[unit.start - 1] == "\n"
                self._gaps.append(BREAK if begins else GAP)
                names = (*unit.words, *("\0" + name for name in unit.ids))
                self._names.append([numbers.setdefault(name, len(numbers)) for name in names])
            self.errors.append(list(kinds.values()))
        self._worth = [worth[name] for name in numbers]
        self._best = self._shown(range(len(self._at)))
        self._places = len(self._at) + len(passages) + 1

    def _fresh(self) -> bytearray:
        taken = bytearray(b"\1" * self._places)
        for at in self._at:
            taken[at] = 0
        return taken

    def _cost(self, unit: int, taken: bytearray) -> float:
        """Tokens that the text grows by; less than the unit's own where it closes a gap."""
        at = self._at[unit]
        return self._tokens[unit] + self._gaps[unit] * (1 - taken[at - 1] - taken[at + 1])

    def order(self) -> list[int]:
        """All units, the best first: greedily by what each shows beyond those before it, per token.

        A unit's worth is its factor times the worth of those of its words and identifiers that no unit before it
        showed. Ties go to the one that stands first. Lazy: gains only fall, and costs fall only beside a unit that was
        taken, where they are looked at again. O(n log n) in practice.

        Source:
            Budgeted maximum coverage by cost-benefit greedy (Khuller, Moss, Naor 1999), without their second candidate;
            lazily evaluated (Minoux 1978).
        """
        taken, left = self._fresh(), list(self._worth)
        names, factors = self._names, self._factors

        def rank(unit: int) -> float:
            gain = factors[unit] * sum(map(left.__getitem__, names[unit])) + FLOOR
            return -gain / max(0.5, self._cost(unit, taken))

        heap = [(rank(unit), unit) for unit in range(len(self._at))]
        heapify(heap)
        made: list[int] = []
        while heap:
            _, unit = heappop(heap)
            at = self._at[unit]
            if taken[at]:
                continue
            now = (rank(unit), unit)
            if heap and now > heap[0]:
                heappush(heap, now)
                continue
            made.append(unit)
            taken[at] = 1
            for name in names[unit]:
                left[name] = 0.0
            if not taken[at - 1]:
                heappush(heap, (rank(unit - 1), unit - 1))
            if not taken[at + 1]:
                heappush(heap, (rank(unit + 1), unit + 1))
        return made

    def fill(self, ranked: Sequence[int], first: Collection[int], room: float) -> list[int]:
        """Those of the units that fit into about ``room`` tokens, in log order; ``first`` whatever they cost. O(n).

        A question stands only where what follows it does.
        """
        taken, kept = self._fresh(), sorted(first)
        for unit in kept:
            room -= self._cost(unit, taken)
            taken[self._at[unit]] = 1
        waiting: list[int] = []
        for units in (ranked, waiting):
            for unit in units:
                at = self._at[unit]
                if taken[at] or (cost := self._cost(unit, taken)) > room:
                    continue
                if self._asks[unit] and not taken[at + 1]:
                    if units is ranked:
                        waiting.append(unit)
                    continue
                room -= cost
                taken[at] = 1
                kept.append(unit)
        return sorted(kept)

    def share(self, kept: Sequence[int]) -> float:
        """The share of all worth that these units show, 0 to 1: of each word by the best factor it has."""
        return self._shown(kept) / self._best if self._best > 0 else 0.0

    def _shown(self, units: Sequence[int]) -> float:
        best = [0.0] * len(self._worth)
        for unit in units:
            factor = self._factors[unit]
            for name in self._names[unit]:
                if factor > best[name]:
                    best[name] = factor
        return sum(factor * worth for factor, worth in zip(best, self._worth, strict=True))

    def split(self, kept: Sequence[int], passages: Sequence[Passage]) -> Iterator[list[int]]:
        """By passage: the positions in it of those of its units that are kept."""
        at = start = 0
        for passage in passages:
            end = start + len(passage.units)
            inside: list[int] = []
            while at < len(kept) and kept[at] < end:
                inside.append(kept[at] - start)
                at += 1
            yield inside
            start = end
