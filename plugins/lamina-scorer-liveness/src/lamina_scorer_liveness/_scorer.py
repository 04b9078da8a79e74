"""Which identifiers are still mentioned, and whose they are."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from lamina.kit.identifiers import identifiers
from lamina.model import Page
from lamina.protocols import ScoreRequest
from lamina_scorer_liveness import LivenessSettings

HORIZON_HALF_LIVES = 10
"""Mentions further back count less than a thousandth and are not looked at."""


class LivenessScorer:
    """Rates pages by how many of their identifiers are still mentioned."""

    def __init__(self, settings: LivenessSettings) -> None:
        self._settings, self._half_life = settings, settings.half_life_pages
        self._known: WeakKeyDictionary[Page, tuple[str, ...]] = WeakKeyDictionary()

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Rate each page by the share of its identifiers that newer pages mention.

        An identifier is as alive as its last mention is recent: 1 on the newest page, 0.5 one half-life before
        it. Mentions are looked for in the log, or among the candidates where no log is given. The score is the sum
        over the page's identifiers, divided by their number or by ``enough``, whichever is less, and at most 1; but
        a page itself, which nobody could cite yet when it is new, is at least as alive as such a mention.

        Cost: O(pages + identifiers); a page is read once, and the identifiers of pages beyond the horizon only
        meet the set of those mentioned within.
        """
        last = self._last_mentions(request)
        worth = {name: self._worth(request.newest - at) for name, at in last.items()}
        mentioned, enough = set(last), self._settings.enough
        scores = []
        for page in request.pages:
            own, at = self._identifiers(page), page.id
            score = self._worth(request.newest - at)
            if (hits := mentioned.intersection(own)) and (later := [worth[name] for name in hits if last[name] > at]):
                # fsum, because the order of a set of texts, and so of a plain sum, differs between processes.
                score = max(score, math.fsum(later) / min(len(own), enough))
            scores.append(min(1.0, score))
        return scores

    def _last_mentions(self, request: ScoreRequest) -> dict[str, int]:
        """Each identifier within the horizon to the newest page that mentions it."""
        horizon = math.ceil(HORIZON_HALF_LIVES * self._settings.half_life_pages)
        evidence = request.log or sorted(request.pages, key=lambda page: page.id)
        last: dict[str, int] = {}
        for page in evidence[-horizon:]:
            last.update(dict.fromkeys(self._identifiers(page), page.id))
        return last

    def _worth(self, age: int) -> float:
        return float(0.5 ** (age / self._half_life)) if age > 0 else 1.0

    def _identifiers(self, page: Page) -> tuple[str, ...]:
        known = self._known.get(page)
        if known is None:
            # Interned, because pages share most of their identifiers; a tuple takes a quarter of a set.
            known = self._known[page] = tuple(map(sys.intern, identifiers(page.text)))
        return known
