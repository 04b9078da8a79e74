"""One trial: a configuration on session after session, for as long as that is worth its time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Literal

from attrs import define, field

from lamina_command_replay._figures import Figures, total
from lamina_command_replay._front import Worth, dominates
from lamina_command_replay._recording import Recording
from lamina_command_replay._replay import Played
from lamina_command_replay._schedule import Case
from lamina_command_replay._space import Point

THIN = 100
"""Of so many windows under pressure, or of fewer, one may be thin."""
_SLACK = 0.03
"""How much better than on few sessions a configuration may turn out on all: in retention, and half of it in the bill."""

End = Literal["whole", "behind", "same", "excluded", "failed", "cut"]
"""How a trial ended: on all its sessions; clearly worse than another; without any difference to the one that it was
made from; with windows that nobody wants; with an error; at the end of the time."""


@define(eq=False)
class Trial:
    """A configuration that was tried."""

    point: Point
    number: int
    """From 1 on in the order of the trials; 0 is the user's own configuration."""
    played: dict[Case, Played] = field(factory=dict)
    end: End = "cut"
    why: str = ""
    """Of an excluded or failed one."""

    def figures(self, cases: Iterable[Case]) -> Figures:
        """Over these cases, as far as they were played."""
        return total(self.played[case].figures for case in cases if case in self.played)

    def fault(self, cases: Iterable[Case]) -> str | None:
        """Why nobody wants it, judged by these cases."""
        played = [self.played[case] for case in cases if case in self.played]
        figures = total(one.figures for one in played)
        repairs = sum(len(one.repairs) for one in played)
        return fault(figures, repairs, figures.pressed)


def worth(figures: Figures) -> Worth:
    """What the search weighs against each other."""
    return figures.retention, figures.bill


def fault(figures: Figures, repairs: int, pressed: int) -> str | None:
    """Why a configuration with these figures is not to be chosen; ``pressed`` is of all cases."""
    if figures.over:
        return "windows over the budget"
    if figures.broken:
        return "broken windows"
    if repairs:
        return "windows that had to be repaired"
    if figures.thin > math.ceil(pressed / THIN):
        return "thin windows"
    return None


class Race:
    """Says which session a trial plays next, and when it is enough.

    After each rung, and after each session as far as that needs no comparison, the figures so far are judged.

    Args:
        trial: Filled in.
        parts: The cases by rungs.
        rivals: Trials that played all cases.
        parent: The one that this was made from, if it changes nothing to find out that both are the same.
        late: Whether time is up.
        told: Called with every case that begins.
    """

    def __init__(
        self,
        trial: Trial,
        parts: Sequence[Sequence[Case]],
        *,
        rivals: Sequence[Trial] = (),
        parent: Trial | None = None,
        late: Callable[[], bool] = lambda: False,
        told: Callable[[Case], None] = lambda case: None,
    ) -> None:
        self._trial, self._rivals, self._parent, self._late, self._told = trial, rivals, parent, late, told
        self._order = [case for part in parts for case in part]
        self._ends = set(accumulate(len(part) for part in parts))
        self._pressed = sum(case.pressed for case in self._order)
        self._repairs = 0

    def __call__(self, played: Sequence[Played]) -> Recording | None:
        """The next recording, given what was played of the trial so far; ``None`` to stop."""
        at = len(played)
        if at:
            self._trial.played[self._order[at - 1]] = played[-1]
            self._repairs += len(played[-1].repairs)
            if self._stopped(at):
                return None
        if at == len(self._order):
            self._trial.end = "whole"
            return None
        if self._late():
            self._trial.end = "cut"
            return None
        self._told(self._order[at])
        return self._order[at].recording

    def _stopped(self, at: int) -> bool:
        trial, done = self._trial, self._order[:at]
        figures = trial.figures(done)
        why = fault(figures, self._repairs, self._pressed)
        if why is not None:
            trial.end, trial.why = "excluded", why
        elif at not in self._ends:
            return False
        elif self._parent is not None and self._parent.figures(done) == figures:
            trial.end = "same"
        elif at < len(self._order) and behind(figures, [r.figures(done) for r in self._rivals], self._left(done)):
            trial.end = "behind"
        else:
            return False
        return True

    def _left(self, done: Iterable[Case]) -> float:
        return 1 - sum(case.pressed for case in done) / max(self._pressed, 1)


def behind(figures: Figures, rivals: Iterable[Figures], left: float) -> bool:
    """Whether a rival is clearly better on the same sessions.

    Args:
        figures: Of the trial so far.
        rivals: Of others over the same sessions.
        left: Share of the sessions that were not played yet; the larger, the clearer it must be.
    """
    slack = _SLACK * left
    hoped = figures.retention + slack, figures.bill * (1 - slack / 2)
    return any(dominates(worth(rival), hoped) for rival in rivals)


def fresh(trials: Iterable[Trial], cases: Iterable[Case]) -> Mapping[Trial, list[Case]]:
    """Which of the cases each trial has not played."""
    wanted = list(cases)
    return {trial: [case for case in wanted if case not in trial.played] for trial in trials}
