"""The ranker's face, which costs nothing until something is ranked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lamina.protocols import Ranked, RankRequest

if TYPE_CHECKING:
    from lamina_ranker_learned import LearnedSettings
    from lamina_ranker_learned._placing import Placing


class LearnedRanker:
    """Ranks by the learned table; see :class:`lamina_ranker_learned._placing.Placing`.

    Args:
        settings: As configured.
    """

    def __init__(self, settings: LearnedSettings) -> None:
        self.near = settings.near
        self._settings = settings
        self._placing: Placing | None = None

    def reach(self, limit: int) -> int:
        """Hits that each index is asked for."""
        return max(limit, self._settings.reach)

    async def rank(self, request: RankRequest) -> Sequence[Ranked]:
        """By the learned table and, where that says nothing, by the places that the indexes gave."""
        if self._placing is None:
            from lamina_ranker_learned._placing import Placing  # numpy and the stemmer: 0.1 s that most openings save

            self._placing = Placing(self._settings.meaning, self._settings.language, self._settings.keep)
        return await self._placing.rank(request)
