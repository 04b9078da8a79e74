"""Learns from faults which scorers a session should trust."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

MOST_REMEMBERED = 200_000
"""Scored pages of one plan; a pager that asks for more is asking again and again."""


def combined(columns: Sequence[Sequence[float]], shares: Sequence[float]) -> list[float]:
    """The weighted mean of each row; at most 1 where all scores and the sum of the shares are."""
    total = [shares[0] * score for score in columns[0]]
    for share, column in zip(shares[1:], columns[1:], strict=True):
        total = [so_far + share * score for so_far, score in zip(total, column, strict=True)]
    return [min(1.0, score) for score in total]  # rounding may carry a mean of ones above 1


class Adapting:
    """The weights of one session.

    A fault says that its page was needed and did not stand. So the pages that the combination had rated above it
    stood, or at least would have, in its place. For each scorer the *gain* is what it had given the faulted page less
    the mean of what it had given those pages: positive where the scorer alone would have ordered them the other way
    round, in [-1, 1]. One lesson, from all pages that faulted since the last scoring, multiplies each weight by
    ``exp(rate * (gain - mean gain))``, where the gains are averaged over the faulted pages and the mean gain is
    over the scorers, by their weights; then each weight is held between ``floor`` and ``ceiling`` times the
    configured one, and at last all are scaled to the sum of 1 for use.

    A lesson changes a weight by a factor of at most ``exp(2 * rate)``, up or down. Pages that were never scored,
    or that nothing was rated above, teach nothing.

    Source:
        Kivinen and Warmuth 1997, "Exponentiated Gradient versus Gradient Descent for Linear Predictors", with the
        linear loss of a misordered pair. Deviations: the hold between floor and ceiling, which keeps every scorer
        able to come back when needs shift (as the fixed share of Herbster and Warmuth 1998 does), and one step for a
        batch, so that a range that is expanded at once is one lesson.
    """

    def __init__(self, configured: Sequence[float], rate: float, floor: float, ceiling: float) -> None:
        self._configured, self._rate, self._floor, self._ceiling = configured, rate, floor, ceiling
        self._factors = [1.0] * len(configured)
        self.shares: tuple[float, ...] = tuple(configured)
        """The weights now, in the order of the scorers; they sum to 1."""
        self._faults: dict[int, int] | None = None
        """As of the last scoring; none before the first, whose faults are of the past."""
        self._plan: tuple[float, float] | None = None
        self._ids = array("q")
        self._columns = [array("d") for _ in configured]

    def remember(self, plan: tuple[float, float], ids: Sequence[int], columns: Sequence[Sequence[float]]) -> None:
        """Keep what the scorers said, for the next lesson.

        Args:
            plan: Tells which requests belong to one plan; a pager may ask in several.
            ids: Of the pages.
            columns: Each scorer's scores of them.
        """
        if plan != self._plan or len(self._ids) + len(ids) > MOST_REMEMBERED:
            self._plan, self._ids = plan, array("q")
            self._columns = [array("d") for _ in self._columns]
        self._ids.extend(ids)
        for kept, column in zip(self._columns, columns, strict=True):
            kept.extend(column)

    def learn(self, faults: Mapping[int, int]) -> None:
        """Change the weights by the faults since the last call.

        O(remembered log remembered) where there were any, O(faults) otherwise.
        """
        before, self._faults = self._faults, dict(faults)
        if before is None or before == self._faults:
            return
        faulted = sorted(page for page, times in faults.items() if times > before.get(page, 0))
        gains = self._gains(faulted)
        if gains is None:
            return
        mean = math.fsum(share * gain for share, gain in zip(self.shares, gains, strict=True))
        for i, gain in enumerate(gains):
            factor = self._factors[i] * math.exp(self._rate * (gain - mean))
            self._factors[i] = min(self._ceiling, max(self._floor, factor))
        weights = [c * f for c, f in zip(self._configured, self._factors, strict=True)]
        total = math.fsum(weights)
        self.shares = tuple(weight / total for weight in weights)

    def _gains(self, faulted: Sequence[int]) -> list[float] | None:
        """Each scorer's gain, averaged over the faulted pages; none where they teach nothing."""
        row = {page: at for at, page in enumerate(self._ids)}  # of a page that was scored twice the last
        taught = [row[page] for page in faulted if page in row]
        if not taught:
            return None
        scores = combined(self._columns, self.shares)
        order = sorted(row.values(), key=scores.__getitem__, reverse=True)
        ranks = [-scores[at] for at in order]
        sums = [list(accumulate(map(column.__getitem__, order), initial=0.0)) for column in self._columns]
        lessons: list[list[float]] = []
        for at in taught:
            above = bisect_left(ranks, -scores[at])  # ties are nobody's fault
            if above:
                lessons.append([c[at] - s[above] / above for c, s in zip(self._columns, sums, strict=True)])
        if not lessons:
            return None
        return [math.fsum(gains) / len(lessons) for gains in zip(*lessons, strict=True)]
