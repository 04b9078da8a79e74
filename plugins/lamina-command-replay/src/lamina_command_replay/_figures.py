"""What a replay came to, in figures that add up over sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import asdict, field, frozen

CACHED = 0.1
"""What a token of an unchanged prefix costs, in tokens without caching."""
FRESH = 1.25
"""What any other token costs: it is written to the cache."""

WHOLE = 10**12
"""Shares of single steps are kept in such parts of one, as whole numbers."""


@frozen
class Figures:
    """The counts of one or more replayed sessions under one configuration.

    All are whole numbers, so that sums do not depend on their order. "Pressed" steps are those whose full history
    exceeds the budget; but for ``steps``, ``over`` and ``broken``, everything is counted over them alone.
    """

    steps: int = 0
    """Windows asked for."""
    pressed: int = 0
    """Windows of pressed steps."""
    over: int = 0
    """Windows above the budget."""
    broken: int = 0
    """Windows with a call or a result that stands alone."""
    thin: int = 0
    """Windows that lack the newest page, or are mostly shreds."""
    needed: int = 0
    """Atoms that the recorded messages used and that only a good window shows."""
    kept: int = 0
    """Needed atoms that stood in the window."""
    shown: int = 0
    """Needed atoms that stood in it with their surroundings."""
    far: int = 0
    """Needed atoms that had last appeared at least ten messages before."""
    far_lost: int = 0
    """Those of them that did not stand in the window."""
    trivial_atoms: int = 0
    """Atoms used that stand in the system message or the newest page anyway."""
    window_cached: int = 0
    """Tokens of the windows in a prefix that the window before had too."""
    window_fresh: int = 0
    """All their other tokens."""
    history_cached: int = 0
    """Tokens of the full histories that the step before had too."""
    history_fresh: int = 0
    """All their other tokens."""
    requested: int = 0
    """Pressed steps before which a user had asked for something."""
    asked_whole: int = 0
    """Those of them in which the newest request stood whole."""
    said_parts: int = 0
    """Over the same steps, the share of what users said that stood, in parts of :data:`WHOLE`."""
    first_parts: int = 0
    """Likewise of the first request."""
    planned: int = 0
    """Those of the same steps in which the plan has open items and is not in the newest page."""
    todo_parts: int = 0
    """Over them, the share of the open items that stood, in parts."""
    outside: int = 0
    """Those of the requested steps whose newest page does not hold the newest request."""
    outside_parts: int = 0
    """Over them, the share of the newest request that stood, in parts."""
    sessions: Mapping[str, tuple[int, int]] = field(factory=dict, hash=False)
    """Kept and needed atoms by session, for :attr:`macro`."""

    @property
    def retention(self) -> float:
        """Share of the needed atoms that stood in the window, 0 to 1; 0 when none was needed."""
        return self.kept / max(self.needed, 1)

    @property
    def context(self) -> float:
        """Share of the needed atoms that stood in the window with their surroundings, 0 to 1."""
        return self.shown / max(self.needed, 1)

    @property
    def asked(self) -> float:
        """Share of the steps in which the newest request stood whole, 0 to 1; 0 when nothing was asked for."""
        return self.asked_whole / max(self.requested, 1)

    @property
    def said(self) -> float:
        """Mean share of the sentences of the users' messages that stood, 0 to 1."""
        return self.said_parts / WHOLE / max(self.requested, 1)

    @property
    def first(self) -> float:
        """Mean share of the sentences of the first request that stood, 0 to 1."""
        return self.first_parts / WHOLE / max(self.requested, 1)

    @property
    def todo(self) -> float:
        """Mean share of the plan's open items that stood, 0 to 1; 0 when no step had any."""
        return self.todo_parts / WHOLE / max(self.planned, 1)

    @property
    def recent(self) -> float:
        """Mean share of the newest request that stood where the newest page does not hold it, 0 to 1."""
        return self.outside_parts / WHOLE / max(self.outside, 1)

    @property
    def macro(self) -> float:
        """Mean of the sessions' retentions, of those that needed anything."""
        rates = [kept / needed for kept, needed in self.sessions.values() if needed]
        return sum(rates) / max(len(rates), 1)

    @property
    def far_faults(self) -> float:
        """Share of the far atoms that paging would have to bring back, 0 to 1; lower is better."""
        return self.far_lost / max(self.far, 1)

    @property
    def bill(self) -> float:
        """Input cost with prefix caching, relative to sending the uncut history; lower is better."""
        whole = CACHED * self.history_cached + FRESH * self.history_fresh
        return (CACHED * self.window_cached + FRESH * self.window_fresh) / max(whole, 1e-9)

    @property
    def trivial(self) -> float:
        """Share of the atoms used that every policy has, 0 to 1."""
        return self.trivial_atoms / max(self.needed + self.trivial_atoms, 1)

    def rates(self) -> dict[str, float]:
        """Every share by its name."""
        asked = ("asked", "said", "first", "todo", "recent")
        names = ("retention", "context", *asked, "macro", "far_faults", "bill", "trivial")
        return {name: getattr(self, name) for name in names}

    def counts(self) -> dict[str, int]:
        """Every count by its name."""
        return asdict(self, filter=lambda attribute, _: attribute.name != "sessions")


def total(figures: Iterable[Figures]) -> Figures:
    """The sum of figures; a session that is in several of them adds up under its id."""
    counts: dict[str, Any] = {}
    sessions: dict[str, tuple[int, int]] = {}
    for one in figures:
        for name, value in one.counts().items():
            counts[name] = counts.get(name, 0) + value
        for session, (kept, needed) in one.sessions.items():
            before = sessions.get(session, (0, 0))
            sessions[session] = (before[0] + kept, before[1] + needed)
    return Figures(**counts, sessions=sessions)
