"""Which sessions a search is run on, in which order, and what that takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from attrs import field, frozen

from lamina_command_replay._recording import Recording

ENOUGH = 6
"""From so many sessions on, some are held out."""
_OF = 3
"""One of so many is."""
_SHARES = (1 / 9, 1 / 3)
"""What the first rungs of a trial may cost, of the whole."""


@frozen(eq=False)
class Case:
    """One recorded session that exceeds the budget."""

    recording: Recording
    pressed: int
    """Steps whose full history exceeds the budget: what a trial of it costs, about."""
    rank: bytes = field(init=False)
    """Stands for chance: the same at every run, and unlike what the session is about."""

    @rank.default
    def _hash(self) -> bytes:
        return blake2b(self.recording.id.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@frozen
class Split:
    """The sessions by what they are for."""

    search: tuple[Case, ...]
    held_out: tuple[Case, ...] = ()
    """Never looked at by the search; what is said of them is therefore no hindsight."""


def split(cases: Sequence[Case]) -> Split:
    """Hold sessions out, where there are enough.

    Of each three sessions that are alike in size one is held out, chosen by a hash of its id: so both parts have short
    and long ones, whatever the order of the files. Recordings of one id are never in both parts.
    """
    ids: dict[str, list[Case]] = {}
    for case in cases:
        ids.setdefault(case.recording.id, []).append(case)
    if len(ids) < ENOUGH:
        return Split(ordered(cases))
    alike = sorted(ids, key=lambda id: (sum(case.pressed for case in ids[id]), ids[id][0].rank))
    threes = [alike[at : at + _OF] for at in range(0, len(alike) - _OF + 1, _OF)]
    held = {min(three, key=lambda id: ids[id][0].rank) for three in threes}
    return Split(
        ordered([case for case in cases if case.recording.id not in held]),
        ordered([case for case in cases if case.recording.id in held]),
    )


def ordered(cases: Sequence[Case]) -> tuple[Case, ...]:
    """The cases in the order of chance, which is none of the files'."""
    return tuple(sorted(cases, key=lambda case: (case.rank, case.pressed, case.recording.source)))


def rungs(cases: Sequence[Case]) -> list[tuple[Case, ...]]:
    """The cases in parts: a trial that does badly on the first, few and short, never meets the others.

    Each part but the last brings the cost up to a ninth and a third of the whole, at most, if any case is short enough
    for that; all parts together are all cases.
    """
    whole = sum(case.pressed for case in cases)
    left, parts, cost = list(ordered(cases)), [], 0
    for share in _SHARES:
        part = []
        for case in list(left):
            if cost + case.pressed <= share * whole:
                part.append(case)
                left.remove(case)
                cost += case.pressed
        if part:
            parts.append(tuple(part))
    return [*parts, tuple(left)] if left else parts


class Pace:
    """Estimates seconds by what was seen.

    Args:
        base: Seconds that the user's own configuration took for each case.
    """

    _UNKNOWN = 2.0
    """A pager that was not seen yet is taken to be so many times slower than the configured one."""
    _CARE = 1.2

    def __init__(self, base: Mapping[Case, float], pager: str) -> None:
        self._base = base
        self._seen: dict[str, tuple[float, float]] = {pager: (sum(base.values()), sum(base.values()))}

    def saw(self, pager: str, cases: Sequence[Case], took_s: float) -> None:
        """Learn from a trial."""
        own, base = self._seen.get(pager, (0.0, 0.0))
        self._seen[pager] = own + took_s, base + sum(self._base[case] for case in cases)

    def expect(self, pager: str, cases: Sequence[Case]) -> float:
        """Seconds that these cases will take, rather too many than too few."""
        own, base = self._seen.get(pager, (0.0, 0.0))
        ratio = own / base if base > 0 else self._UNKNOWN
        return self._CARE * ratio * sum(self._base[case] for case in cases)
