"""The search: from the user's own configuration outwards, always around the best that is known.

Every trial is a real replay with the real measures. What comes next is drawn by a seeded generator from what the trials
before came to, in whole numbers; the clock only decides when to stop, and to leave out what would take too long. So a
search of so many trials is the same at every run.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from attrs import define, field, frozen

from lamina.config import TABLES
from lamina_command_replay._front import Worth, choose, front, spread
from lamina_command_replay._race import Race, Trial, fresh, worth
from lamina_command_replay._recording import Recording
from lamina_command_replay._replay import Played
from lamina_command_replay._schedule import Case, Pace, Split, rungs
from lamina_command_replay._space import SCORER, Point, Space

SHOWN = 12
"""So many members of the front are shown, at most."""
_START = 0.2
"""Share of the time that the user's own configuration may take; sessions that it does not reach are left out."""
_DRAWS = 300
"""So many draws without a new configuration mean that there are no more."""
_STILL = 2
"""A dimension that made no difference so many times, and a difference never, is left alone."""

_Drawn = tuple[Point | None, Trial | None, str | None]

Wanted = Callable[[Sequence[Played]], Recording | None]


class Play(Protocol):
    """Replays a configuration."""

    def valid(self, point: Point) -> bool:
        """Whether its settings go together."""
        ...

    def __call__(self, point: Point, wanted: Wanted) -> Awaitable[None]:
        """Replay what is wanted, one after another, given all that was played so far."""
        ...


@frozen
class Limits:
    """When a search ends, and what it is about."""

    trials: int | None = None
    seconds: float | None = None
    at_most_bill: float | None = None
    at_least_retention: float | None = None


@define
class Found:
    """What a search came to."""

    split: Split
    """As far as it was played."""
    unreached: int
    """Sessions that there was no time for."""
    base: Trial
    front: list[Trial] = field(factory=list)
    """By ascending bill, on the search's part of the sessions."""
    chosen: Trial | None = None
    trials: list[Trial] = field(factory=list)
    """All but the user's own configuration, in order."""
    stopped: str = ""
    """What ended it: ``trials``, ``time`` or ``space``."""
    untried: list[str] = field(factory=list)
    """Installed parts that no trial got to."""

    @property
    def ends(self) -> Counter[str]:
        """How many trials ended how."""
        return Counter(trial.end for trial in self.trials)

    @property
    def reasons(self) -> Counter[str]:
        """Why trials were excluded or failed."""
        return Counter(trial.why for trial in self.trials if trial.why)


class Search:
    """One search.

    Args:
        space: What may be tried.
        parts: The sessions.
        play: Replays.
        limits: When to stop.
        clock: Seconds, from anywhere.
        seed: Of the generator.
        told: Called at every session with the trials done and the seconds since the start.
    """

    def __init__(
        self,
        space: Space,
        parts: Split,
        play: Play,
        limits: Limits,
        *,
        clock: Callable[[], float],
        seed: int = 0,
        told: Callable[[int, float], None] = lambda trials, seconds: None,
    ) -> None:
        self._space, self._parts, self._play, self._limits = space, parts, play, limits
        self._clock, self._told = clock, told
        self._rng = random.Random(seed)  # noqa: S311 - not for secrets
        self._started = clock()
        self._found = Found(parts, 0, Trial(space.base, 0))
        self._seen = {space.base}
        self._still: dict[tuple[str, str], int] = {}
        self._pace = Pace({}, space.base.pager)
        self._rungs: list[tuple[Case, ...]] = []
        self._known: list[Trial] = []
        self._judged = 0
        self._worths: dict[Trial, Worth] = {}
        self._pagers, self._chains = space.pager_points(), space.chain_points()

    async def run(self) -> Found:
        """Search, and measure the front on the sessions that were held out.

        Raises:
            LaminaError: The user's own configuration cannot be replayed.
        """
        await self._start()
        skipped = 0
        while not self._over():
            point, parent, dimension = self._next()
            if point is None:
                self._found.stopped = "space"
            elif self._in_time(point):
                await self._try(point, parent, dimension)
            elif skipped < _DRAWS and self._in_time(self._space.base):
                skipped += 1  # a slow pager; others may still do
            else:
                self._found.stopped = "time"
        await self._conclude()
        return self._found

    # ------------------------------------------------------------------------------------------------ trials

    async def _start(self) -> None:
        """Replay the user's own configuration, which says how long things take."""
        found, limit = self._found, self._limits.seconds
        every = [case for pair in _interleaved(self._parts) for case in pair]
        stamps = [self._clock()]

        def late() -> bool:
            stamps.append(self._clock())
            enough = any(case in found.base.played for case in self._parts.search)
            return limit is not None and enough and stamps[-1] - self._started > _START * limit

        await self._play(found.base.point, _Unjudged(found.base, every, late, self._tell))
        stamps.append(self._clock())
        took = {case: stamps[at + 2] - stamps[at + 1] for at, case in enumerate(found.base.played)}
        found.unreached = len(every) - len(took)
        found.split = Split(
            *(tuple(c for c in part if c in took) for part in (self._parts.search, self._parts.held_out))
        )
        found.base.end = "whole"
        found.base.why = found.base.fault(found.split.search) or ""
        self._rungs, self._pace = rungs(found.split.search), Pace(took, found.base.point.pager)

    async def _try(self, point: Point, parent: Trial | None, dimension: str | None) -> None:
        self._seen.add(point)
        found = self._found
        trial = Trial(point, len(found.trials) + 1)
        # A simpler one that comes to the same is worth its whole trial: it takes the other's place.
        simpler = parent is not None and self._simplicity(trial) < self._simplicity(parent)
        race = Race(
            trial,
            self._rungs,
            rivals=self._front(),
            parent=None if simpler else parent,
            late=self._is_late,
            told=self._tell,
        )
        begun = self._clock()
        try:
            await self._play(point, race)
        except Exception as error:  # noqa: BLE001 - whatever a part raises is a fact about this configuration
            trial.end, trial.why = "failed", " ".join(f"{type(error).__name__}: {error}".split())
        self._pace.saw(point.pager, list(trial.played), self._clock() - begun)
        found.trials.append(trial)
        if dimension is not None and trial.end not in ("failed", "cut"):
            key = point.pager, _topic(dimension)
            # Once it made a difference it is never given up.
            self._still[key] = self._still.get(key, 0) + 1 if trial.end == "same" else -(10**9)

    def _is_new(self, point: Point) -> bool:
        if point in self._seen:
            return False
        if self._play.valid(point):
            return True
        self._seen.add(point)
        return False

    def _next(self) -> _Drawn:
        """Every pager at first, then the links of the chain in turn with what is drawn."""
        while self._pagers or (self._chains and len(self._found.trials) % 2 == 0):
            point = (self._pagers or self._chains).pop(0)
            if self._is_new(point):
                return point, None, None
        drawn = self._drawn()
        while drawn[0] is None and self._chains:
            point = self._chains.pop(0)
            if self._is_new(point):
                return point, None, None
        return drawn

    def _drawn(self) -> _Drawn:
        """A new point near a good one, that one, and the one dimension in which they differ, if it is one."""
        for _ in range(_DRAWS):
            parent = self._parent()
            point, dimension = self._child(parent.point)
            if self._is_new(point):
                return point, parent, dimension
        return None, None, None

    def _parent(self) -> Trial:
        """The point that would be chosen now, the user's own, or one anywhere along the front."""
        known, rng = self._front(), self._rng
        dice = rng.random()
        if not known or dice < 0.2:
            return self._found.base
        if dice < 0.65:
            return self._choice(known) or rng.choice(known)
        bills = [self._worth(trial)[1] for trial in known]
        # By place and not by rank, so that a crowded stretch gets no more than its share.
        place = bills[0] + rng.random() * (bills[-1] - bills[0])
        return min(known, key=lambda trial: (abs(self._worth(trial)[1] - place), trial.number))

    def _child(self, parent: Point) -> tuple[Point, str | None]:
        space, rng = self._space, self._rng
        dice = rng.random()
        if dice < 0.15 and (changes := list(space.differences(parent))):
            path = rng.choice(changes)
            return space.reverted(parent, path), path
        if dice < 0.3:
            other = rng.choice(self._front() or [self._found.base]).point
            return space.mixed(parent, other, rng), None
        if dice < 0.37:
            return space.anywhere(parent, rng), None
        open_ = [d for d in space.dimensions(parent) if not self._is_still(parent.pager, d)]
        if not open_:
            return parent, None
        picked = [rng.choice(open_) for _ in range(1 if dice < 0.75 else 2 if dice < 0.92 else 3)]
        point = parent
        for dimension in picked:
            if dimension in space.dimensions(point):  # another pager has other settings
                point = space.changed(point, dimension, rng)
        return point, picked[0] if len(picked) == 1 else None

    def _is_still(self, pager: str, dimension: str) -> bool:
        topic = _topic(dimension)
        # Any other scorer shows whether a pager asks for scores at all; of a number the next value may matter.
        return self._still.get((pager, topic), 0) >= (1 if topic == SCORER else _STILL)

    # ------------------------------------------------------------------------------------------------- worth

    def _worth(self, trial: Trial) -> Worth:
        known = self._worths.get(trial)
        if known is None:
            known = self._worths[trial] = worth(trial.figures(self._found.split.search))
        return known

    def _simplicity(self, trial: Trial) -> tuple[int, int]:
        return len(self._space.differences(trial.point)), trial.number

    def _front(self) -> list[Trial]:
        # Asked for at every draw, and changed by few trials.
        for trial in (self._found.base, *self._found.trials)[self._judged :]:
            self._judged += 1
            if trial.end == "whole" and not trial.why:
                self._known = front([*self._known, trial], self._worth, self._simplicity)
        return self._known

    def _choice(self, known: Sequence[Trial]) -> Trial | None:
        limits = self._limits
        return choose(
            known, self._worth, at_most_bill=limits.at_most_bill, at_least_retention=limits.at_least_retention
        )

    async def _conclude(self) -> None:
        """Show the front what it has not seen yet, and leave out what does not hold there."""
        found = self._found
        known = self._front()
        chosen = self._choice(known)
        shown = spread(known, self._worth, SHOWN, [chosen] if chosen else [])
        # The chosen one first: where time runs out after all, it is the one that must be known.
        for trial, cases in fresh(sorted(shown, key=lambda t: t is not chosen), found.split.held_out).items():
            if cases:
                begun = self._clock()
                await self._play(trial.point, _Unjudged(trial, cases, self._is_past, self._tell))
                self._pace.saw(trial.point.pager, cases, self._clock() - begun)
        for trial in shown:
            why = trial.fault((*found.split.search, *found.split.held_out))
            if why is not None:
                trial.end, trial.why = "excluded", f"{why} (on the sessions held out)"
        found.front = [trial for trial in shown if not trial.why]
        found.chosen = self._choice(found.front)
        found.base.why = found.base.fault((*found.split.search, *found.split.held_out)) or ""
        tried = {part for trial in (found.base, *found.trials) for part in _parts(trial.point)}
        space = self._space
        scorers = () if self._is_still(space.base.pager, SCORER) else space.scorers
        found.untried = [
            f"{kind} {name}"
            for kind, names in (("pager", space.pagers), ("scorer", scorers), ("compressor", space.compressors))
            for name in names
            if (kind, name) not in tried
        ]

    # -------------------------------------------------------------------------------------------------- time

    def _over(self) -> bool:
        most = self._limits.trials
        if most is not None and len(self._found.trials) >= most:
            self._found.stopped = "trials"
        elif self._is_late():
            self._found.stopped = "time"
        return bool(self._found.stopped)

    def _remaining(self) -> float:
        """Seconds less those that the sessions held out will take in the end."""
        if self._limits.seconds is None:
            return float("inf")
        members = min(len(self._front()) + 1, SHOWN)
        pager = self._space.base.pager
        needed = members * self._pace.expect(pager, self._found.split.held_out)
        return self._limits.seconds - needed - (self._clock() - self._started)

    def _is_late(self) -> bool:
        return self._limits.seconds is not None and self._remaining() <= 0

    def _is_past(self) -> bool:
        return self._limits.seconds is not None and self._clock() - self._started > self._limits.seconds

    def _in_time(self, point: Point) -> bool:
        return self._pace.expect(point.pager, self._found.split.search) <= self._remaining()

    def _tell(self, case: Case) -> None:
        self._told(len(self._found.trials), self._clock() - self._started)


class _Unjudged:
    """Plays all cases, as far as there is time."""

    def __init__(
        self, trial: Trial, cases: Sequence[Case], late: Callable[[], bool], told: Callable[[Case], None]
    ) -> None:
        self._trial, self._cases, self._late, self._told = trial, cases, late, told

    def __call__(self, played: Sequence[Played]) -> Recording | None:
        at = len(played)
        if at:
            self._trial.played[self._cases[at - 1]] = played[-1]
        if self._late() or at == len(self._cases):
            return None
        self._told(self._cases[at])
        return self._cases[at].recording


def _interleaved(parts: Split) -> list[tuple[Case, ...]]:
    """Two of the search's cases for one that is held out, so that any beginning has of both."""
    search, held = list(parts.search), list(parts.held_out)
    found = []
    while search or held:
        found.append((*search[:2], *held[:1]))
        search, held = search[2:], held[1:]
    return found


def _topic(dimension: str) -> str:
    """What a dimension is about: the settings of scorers matter where the choice of the scorer does."""
    return SCORER if dimension.startswith(f"{TABLES['scorer']}.") else dimension


def _parts(point: Point) -> list[tuple[str, str]]:
    scorer = [("scorer", point.scorer)] if point.scorer else []
    return [("pager", point.pager), *scorer, *(("compressor", name) for name in point.compressors)]
