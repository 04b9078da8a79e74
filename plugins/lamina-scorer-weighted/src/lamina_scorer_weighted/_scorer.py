"""Asks several scorers, and combines what they say."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from lamina.errors import ContractError
from lamina.protocols import Scorer, ScoreRequest
from lamina_scorer_weighted import WeightedSettings
from lamina_scorer_weighted._adapting import Adapting, combined

MOST_SESSIONS = 64
"""Whose weights are kept; the one that was asked about least recently starts anew."""


class WeightedScorer:
    """A convex combination of scorers.

    Args:
        settings: See there.
        scorers: Instance names to scorers and their configured weights, above 0.
    """

    def __init__(self, settings: WeightedSettings, scorers: Mapping[str, tuple[Scorer, float]]) -> None:
        self._settings = settings
        self._scorers = {name: scorer for name, (scorer, _) in scorers.items()}
        total = math.fsum(weight for _, weight in scorers.values())
        self._shares = tuple(weight / total for _, weight in scorers.values())
        self._sessions: OrderedDict[str, Adapting] = OrderedDict()

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """The weighted mean of the scorers' scores, in [0, 1].

        With ``adapt``, the faults since the session was last scored first change its weights; see
        :class:`lamina_scorer_weighted._adapting.Adapting`. Nothing else does, and the same requests in the same
        order always give the same scores.

        Raises:
            ContractError: A scorer gave other than one number in [0, 1] for each page; it is named.
        """
        columns = [await self._ask(name, scorer, request) for name, scorer in self._scorers.items()]
        if not self._settings.adapt:
            return combined(columns, self._shares)
        learner = self._learner(request.session)
        learner.learn(request.faults)
        scores = combined(columns, learner.shares)
        learner.remember((request.newest, request.now_s), [page.id for page in request.pages], columns)
        return scores

    def weights(self, session: str) -> dict[str, float]:
        """The weights that a session has come to, by scorer; they sum to 1."""
        learner = self._sessions.get(session)
        return dict(zip(self._scorers, learner.shares if learner else self._shares, strict=True))

    def _learner(self, session: str) -> Adapting:
        learner = self._sessions.pop(session, None)
        if learner is None:
            settings = self._settings
            learner = Adapting(self._shares, settings.rate, settings.floor, settings.ceiling)
        self._sessions[session] = learner
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return learner

    async def _ask(self, name: str, scorer: Scorer, request: ScoreRequest) -> Sequence[float]:
        scores = await scorer.score(request)
        if len(scores) != len(request.pages):
            raise ContractError(name, f"gave {len(scores)} scores for {len(request.pages)} pages")
        # A sum shows a NaN, which min() and max() may hide.
        if request.pages and not (min(scores) >= 0 and max(scores) <= 1 and math.isfinite(sum(scores))):
            at = next(i for i, score in enumerate(scores) if not 0 <= score <= 1)
            raise ContractError(
                name, f"gave page {request.pages[at].id} the score {scores[at]!r}; scores lie in [0, 1]"
            )
        return scores
