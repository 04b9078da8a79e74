"""Multiple-choice knapsack on convex hulls: at most one option of each group, within a capacity.

The linear relaxation of the problem is solved by a greedy walk over the upper convex hulls of the groups. What the walk
takes whole is a solution of the problem itself, and what it could take in part bounds how much is missed.

Source:
    Sinha and Zoltners 1979, "The multiple-choice knapsack problem"; Kellerer, Pferschy and Pisinger 2004, "Knapsack
    Problems", chapter 11. Deviations: the walk goes on behind the first step that does not fit, and options off the
    hulls may fill what is left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from attrs import frozen


class Option(NamedTuple):
    """One way to spend on a group."""

    cost: int
    """Of the capacity; 0 or more."""
    value: float
    """Finite. What is worth nothing is never chosen."""


@frozen
class Choice:
    """What was chosen, and how good it is."""

    chosen: tuple[int | None, ...]
    """For each group the index of its option, or ``None`` for nothing."""
    value: float
    """Of the options chosen: at least half the optimum."""
    cost: int
    """Of the options chosen; at most the capacity."""
    bound: float
    """Optimum of the linear relaxation: no choice is worth more."""
    missed: float = 0.0
    """The largest gain of one step on a hull that did not fit; the optimum is worth at most so much more than
    :attr:`value`. 0 where the choice is the optimum."""


class _Step(NamedTuple):
    """From one point of a group's hull to the next; sorts in the order in which steps are taken."""

    loss: float
    """Negative gain per cost."""
    rank: int
    """Of the group, by what it offers."""
    number: int
    """Of the step in its group."""
    group: int
    option: int
    cost: int
    gain: float


def hull(options: Sequence[Option], capacity: int | None = None) -> list[int]:
    """The options on the upper convex hull over the point of no cost and no value, by growing cost and value.

    From one to the next a gain per cost never grows. Of equal options the first counts; options of no value, and those
    that cost more than the capacity, are left out. O(n log n).

    Raises:
        ValueError: A cost is negative, or a value is not finite.
    """
    for option in options:
        if option.cost < 0 or not math.isfinite(option.value):
            raise ValueError(f"{option!r}: costs are 0 or more, and values are finite")
    if len(options) == 1:  # so are most groups
        cost, value = options[0]
        return [0] if value > 0 and (capacity is None or cost <= capacity) else []
    order = sorted(range(len(options)), key=lambda i: (options[i].cost, -options[i].value, i))
    points: list[tuple[int, float, int]] = [(0, 0.0, -1)]
    for i in order:
        cost, value = options[i]
        if (capacity is not None and cost > capacity) or value <= points[-1][1]:
            continue
        # A point that costs nothing takes the place of having nothing.
        while points and (points[-1][0] == cost or _below(points, cost, value)):
            points.pop()
        points.append((cost, value, i))
    return [i for _, _, i in points if i >= 0]


def _below(points: Sequence[tuple[int, float, int]], cost: int, value: float) -> bool:
    """Whether the last point lies below the line from the one before it to the new one."""
    if len(points) < 2:
        return False
    (before, low, _), (at, middle, _) = points[-2:]
    return (middle - low) * (cost - at) < (value - middle) * (at - before)


def choose(groups: Sequence[Sequence[Option]], capacity: int) -> Choice:
    """At most one option of each group, so that the sum of values is high and that of costs within the capacity.

    Steps along the hulls are taken by gain per cost, as long as they fit; what is left is filled with any options that
    still fit. If one option alone is worth more, it stands instead, and is completed likewise. So the value is at least
    half the optimum, and misses at most the gain of one step that did not fit.

    Ties are decided by what groups offer, and among equal groups by their order: another order of the groups gives the
    same value. O(n log n) in the number of options.

    Raises:
        ValueError: The capacity or a cost is negative, or a value is not finite.
    """
    if capacity < 0:
        raise ValueError(f"capacity = {capacity}: it is 0 or more")
    hulls = [hull(options, capacity) for options in groups]
    steps = _steps(groups, hulls)
    taken, relaxed, missed = _walk(groups, steps, capacity, {})
    taken = _filled(groups, taken, capacity)
    best = max((g for g, points in enumerate(hulls) if points), key=lambda g: _alone(groups[g], hulls[g]), default=None)
    if best is not None and groups[best][hulls[best][-1]].value > _value(groups, taken):
        alone, _, _ = _walk(groups, steps, capacity, {best: hulls[best][-1]})
        taken = _filled(groups, alone, capacity)
    value = _value(groups, taken)
    chosen = tuple(taken.get(g) for g in range(len(groups)))
    # Rounding must not put the bound of a choice below the choice.
    return Choice(chosen, value, _cost(groups, taken), max(relaxed, value), missed)


def _alone(options: Sequence[Option], points: Sequence[int]) -> tuple[float, int, list[Option]]:
    """How good a group's best option is, by itself; ties are decided by what else the group offers."""
    top = options[points[-1]]
    return top.value, -top.cost, sorted(options)


def _steps(groups: Sequence[Sequence[Option]], hulls: Sequence[Sequence[int]]) -> list[_Step]:
    """All steps on all hulls, in the order in which they are taken."""
    offers = [sorted(options) for options in groups]
    order = sorted(range(len(groups)), key=offers.__getitem__)
    ranks: dict[int, int] = {}
    for rank, g in enumerate(order):
        same = rank and offers[order[rank - 1]] == offers[g]
        ranks[g] = ranks[order[rank - 1]] if same else rank
    steps = []
    for g, points in enumerate(hulls):
        at, loss = Option(0, 0.0), -math.inf
        for number, i in enumerate(points):
            option = groups[g][i]
            cost, gain = option.cost - at.cost, option.value - at.value
            # Rounding must not bring a later step before an earlier one.
            loss = max(loss, -gain / cost if cost else -math.inf)
            steps.append(_Step(loss, ranks[g], number, g, i, cost, gain))
            at = option
    steps.sort()
    return steps


def _walk(
    groups: Sequence[Sequence[Option]], steps: Sequence[_Step], capacity: int, fixed: Mapping[int, int]
) -> tuple[dict[int, int], float, float]:
    """Take the steps that fit; give what is taken, the value of the linear relaxation, and the largest gain missed."""
    taken, left = dict(fixed), capacity - _cost(groups, fixed)
    relaxed: float | None = None
    missed = 0.0
    full: set[int] = set(fixed)
    for step in steps:
        if step.group in full:
            continue
        if step.cost <= left:
            taken[step.group] = step.option
            left -= step.cost
            continue
        full.add(step.group)
        missed = max(missed, step.gain)
        if relaxed is None:
            relaxed = math.fsum((_value(groups, taken), step.gain * left / step.cost))
    return taken, _value(groups, taken) if relaxed is None else relaxed, missed


def _filled(groups: Sequence[Sequence[Option]], taken: Mapping[int, int], capacity: int) -> dict[int, int]:
    """What is taken, with options exchanged for better ones of their groups, on the hulls or off them, while they fit."""
    out, left = dict(taken), capacity - _cost(groups, taken)
    now = [groups[g][taken[g]] if g in taken else Option(0, 0.0) for g in range(len(groups))]
    better = [
        (-(o.value - now[g].value) / (o.cost - now[g].cost), o, sorted(options), g, i)
        for g, options in enumerate(groups)
        for i, o in enumerate(options)
        if o.value > now[g].value and now[g].cost < o.cost <= now[g].cost + left
    ]
    for _, option, _, g, i in sorted(better):
        if option.value > now[g].value and option.cost - now[g].cost <= left:
            left -= option.cost - now[g].cost
            out[g], now[g] = i, option
    return out


def _value(groups: Sequence[Sequence[Option]], taken: Mapping[int, int]) -> float:
    # fsum is exact, so that the order of the groups never decides.
    return math.fsum(groups[g][i].value for g, i in taken.items())


def _cost(groups: Sequence[Sequence[Option]], taken: Mapping[int, int]) -> int:
    return sum(groups[g][i].cost for g, i in taken.items())
