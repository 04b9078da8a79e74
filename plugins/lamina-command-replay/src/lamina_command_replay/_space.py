"""The configurations that may be tried: those of the installed parts, around the user's own one.

Nothing here knows a part by its name. Which pagers, compressors and scorers there are says the catalogue, and which of
their settings are worth changing say their settings classes (:mod:`lamina_command_replay.tuning`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from attrs import evolve, frozen

from lamina.config import TABLES, Config
from lamina.errors import ConfigError, LaminaError, PluginError
from lamina_command_replay.tuning import Choices, Domain, Range, domains, for_trials

LONGEST = 4
"""So many compressors in a chain are tried, unless the user's own chain is longer."""
_STRIDES = (0.05, 0.15, 0.4)
"""How far a changed number lands from where it was, as shares of its range: refined, moved, and moved far."""

PAGER, SCORER, CHAIN = "window.pager", "window.scorer", "window.compressors"


@frozen
class Point:
    """One configuration, by what it differs in from the user's own one."""

    pager: str
    scorer: str | None
    compressors: tuple[str, ...]
    values: tuple[tuple[str, Any], ...] = ()
    """Settings of the parts in use that differ, as (path, value), ordered by path."""

    def value(self, path: str) -> Any:
        """What it sets here; ``None`` where it sets nothing."""
        return dict(self.values).get(path)


class Space:
    """All points that may be tried.

    Args:
        config: The user's own configuration; its parts stay available, with the settings that it gives them.
        keep: Paths or patterns of what must stay as it is (``window.pager``, ``pagers.coverage.*``). What the
            environment or an argument sets stays too: it would win over any file that a search could write.

    Raises:
        ConfigError: The configuration uses a part that is not for trials.
        PluginError: A settings class declares nonsense; names the distribution.
    """

    def __init__(self, config: Config, keep: Sequence[str] = ()) -> None:
        self._config = config
        self._keep = (*keep, *(v.path for v in config.values if v.origin in ("environment", "argument")))
        window = config.window
        self.base = Point(window.pager, window.scorer, window.compressors)
        self._defaults: dict[str, Any] = {}
        self._domains: dict[str, Domain] = {}
        self._settings: dict[tuple[str, str], tuple[str, ...]] = {}
        self.pagers = self._parts("pager", [window.pager], PAGER)
        self.scorers = self._parts("scorer", [window.scorer] if window.scorer else [], SCORER)
        self.compressors = self._parts("compressor", window.compressors, CHAIN)

    def _kept(self, path: str) -> bool:
        return any(path == pattern or fnmatchcase(path, pattern) for pattern in self._keep)

    def _parts(self, kind: str, used: Sequence[str], chosen_by: str) -> tuple[str, ...]:
        """The parts of a kind that can be chosen: those in use first, then the others by name."""
        others = [] if self._kept(chosen_by) else [*self._config.names(kind), *self._config.catalogue.names(kind)]
        if chosen_by == SCORER and not used:
            others = []  # a file cannot say that there shall be none, so there would be no way back
        found = []
        for name in dict.fromkeys([*used, *sorted(others)]):
            try:
                instance = self._config.instance(kind, name)
                offer = self._config.catalogue.find(kind, instance.use)
            except LaminaError:
                if name in used:
                    raise
                continue  # it needs settings that only the user can give, or two distributions offer it
            if not for_trials(offer.settings):
                if name in used:
                    raise ConfigError([_not_for_trials(kind, name, chosen_by)])
                continue
            try:
                self._learn(kind, name, instance.settings, domains(offer.settings))
            except ValueError as error:
                raise PluginError(offer.distribution, str(error)) from error
            found.append(name)
        return tuple(found)

    def _learn(self, kind: str, name: str, settings: Any, found: Mapping[str, Domain]) -> None:
        paths = {f"{TABLES[kind]}.{name}.{field}": field for field in found}
        self._domains.update({path: found[field] for path, field in paths.items()})
        self._defaults.update({path: getattr(settings, field) for path, field in paths.items()})
        self._settings[kind, name] = tuple(path for path in paths if not self._kept(path))

    # ------------------------------------------------------------------------------------------- what there is

    def dimensions(self, point: Point) -> list[str]:
        """Paths of all that can be changed of a point."""
        found = []
        if len(self.pagers) > 1:
            found.append(PAGER)
        if len(self.scorers) > 1:
            found.append(SCORER)
        if not self._kept(CHAIN) and self.compressors:
            found.append(CHAIN)
        for kind, name in self._in_use(point):
            found += self._settings.get((kind, name), ())
        return found

    @staticmethod
    def _in_use(point: Point) -> Iterator[tuple[str, str]]:
        yield "pager", point.pager
        if point.scorer:
            yield "scorer", point.scorer
        yield from (("compressor", name) for name in point.compressors)

    def made(self, point: Point, values: Iterable[tuple[str, Any]]) -> Point:
        """The point with exactly these values, less those that change nothing."""
        meant = {path for part in self._in_use(point) for path in self._settings.get(part, ())}
        kept = {path: value for path, value in values if path in meant and value != self._defaults[path]}
        return evolve(point, values=tuple(sorted(kept.items())))

    def settings(self, point: Point) -> dict[str, Any]:
        """The point in the shape of ``lamina.toml``; to be laid over the user's configuration."""
        window: dict[str, Any] = {"pager": point.pager}
        if point.scorer:
            window["scorer"] = point.scorer
        tree: dict[str, Any] = {"window": {**window, "compressors": list(point.compressors)}}
        for path, value in point.values:
            table, rest = path.split(".", 1)
            name, field = rest.rsplit(".", 1)
            tree.setdefault(table, {}).setdefault(name, {})[field] = value
        return tree

    def differences(self, point: Point) -> dict[str, Any]:
        """What the point changes of the user's configuration, by path."""
        triples = (
            (PAGER, point.pager, self.base.pager),
            (SCORER, point.scorer, self.base.scorer),
            (CHAIN, list(point.compressors), list(self.base.compressors)),
        )
        return {**{path: own for path, own, base in triples if own != base}, **dict(point.values)}

    # ------------------------------------------------------------------------------------------------- changes

    def pager_points(self) -> list[Point]:
        """Every other pager, as it is configured."""
        return [self.made(evolve(self.base, pager=name), ()) for name in self.pagers[1:]]

    def chain_points(self) -> list[Point]:
        """Every change of one link of the chain: one more before the others, or one less."""
        if self._kept(CHAIN):
            return []
        chain = self.base.compressors
        longer = [(name, *chain) for name in self.compressors if name not in chain and len(chain) < LONGEST]
        shorter = [chain[:at] + chain[at + 1 :] for at in range(len(chain))]
        return [self.made(evolve(self.base, compressors=c), ()) for c in (*longer, *shorter)]

    def changed(self, point: Point, dimension: str, rng: random.Random) -> Point:
        """The point with another value of one dimension; the same point where there is none near."""
        if dimension == PAGER:
            point = evolve(point, pager=_other(self.pagers, point.pager, rng))
        elif dimension == SCORER:
            point = evolve(point, scorer=_other(self.scorers, point.scorer, rng))
        elif dimension == CHAIN:
            point = evolve(point, compressors=self._rechained(point.compressors, rng))
        else:
            own = point.value(dimension)
            value = self._defaults[dimension] if own is None else own
            return self.made(point, [*point.values, (dimension, moved(self._domains[dimension], value, rng))])
        return self.made(point, point.values)

    def reverted(self, point: Point, path: str) -> Point:
        """The point without one of its differences from the user's configuration."""
        if path in (PAGER, SCORER, CHAIN):
            name = "compressors" if path == CHAIN else path.split(".")[1]
            return self.made(evolve(point, **{name: getattr(self.base, name)}), point.values)
        return self.made(point, [pair for pair in point.values if pair[0] != path])

    def anywhere(self, point: Point, rng: random.Random) -> Point:
        """The point with about half of its pager's numbers drawn anew."""
        numbers = [p for p in self._settings["pager", point.pager] if isinstance(self._domains[p], Range)]
        paths = [path for path in numbers if rng.random() < 0.5]
        drawn = [(path, drawn_from(self._domains[path], rng)) for path in paths]
        return self.made(point, [*point.values, *drawn])

    def mixed(self, one: Point, other: Point, rng: random.Random) -> Point:
        """A point that has each value from one of two that use the same pager; the first where they do not."""
        if one.pager != other.pager:
            return one
        chain, scorer = (rng.choice((getattr(one, n), getattr(other, n))) for n in ("compressors", "scorer"))
        paths = sorted({path for point in (one, other) for path, _ in point.values})
        picked = [(path, rng.choice((one, other)).value(path)) for path in paths]
        return self.made(
            evolve(one, compressors=chain, scorer=scorer),
            [(path, value) for path, value in picked if value is not None],
        )

    def _rechained(self, chain: tuple[str, ...], rng: random.Random) -> tuple[str, ...]:
        free = [name for name in self.compressors if name not in chain]
        moves = []
        if free and len(chain) < max(LONGEST, len(self.base.compressors)):
            moves.append("add")
        if chain:
            moves.append("drop")
        if len(chain) > 1:
            moves.append("swap")
        links = list(chain)
        match rng.choice(moves) if moves else None:
            case "add":
                links.insert(rng.randrange(len(links) + 1), rng.choice(free))
            case "drop":
                del links[rng.randrange(len(links))]
            case "swap":
                at, to = rng.sample(range(len(links)), 2)
                links[at], links[to] = links[to], links[at]
        return tuple(links)


def _not_for_trials(kind: str, name: str, chosen_by: str) -> str:
    return (
        f"{chosen_by}: {kind} {name!r} is not for trials (each may cost money or reach the network); "
        f"leave it out with --set '{chosen_by}=…'"
    )


def _other(options: Sequence[str], own: str | None, rng: random.Random) -> str:
    return rng.choice([option for option in options if option != own])


def moved(domain: Domain, value: Any, rng: random.Random) -> Any:
    """Another value of a domain: near for numbers, any for choices."""
    if isinstance(domain, Choices):
        return rng.choice([option for option in domain.options if option != value])
    if not isinstance(value, int | float):  # a field that may also be empty
        return drawn_from(domain, rng)
    step = rng.gauss(0, rng.choice(_STRIDES))
    found = _number(domain, _share(domain, value) + step)
    if found == value and domain.whole:
        found = value + (1 if step > 0 else -1)
    return min(max(found, domain.low), domain.high) if domain.whole else found


def drawn_from(domain: Domain, rng: random.Random) -> Any:
    """Any value of a domain."""
    return rng.choice(domain.options) if isinstance(domain, Choices) else _number(domain, rng.random())


def _share(domain: Range, value: float) -> float:
    """Where a number stands in its range, 0 to 1."""
    value = min(max(value, domain.low), domain.high)
    if domain.by_ratio:
        return math.log(value / domain.low) / math.log(domain.high / domain.low)
    return (value - domain.low) / (domain.high - domain.low)


def _number(domain: Range, share: float) -> float | int:
    """The number at a share of the range, with no more digits than make a difference: people will read it."""
    share = min(max(share, 0.0), 1.0)
    if domain.by_ratio:
        exact = domain.low * (domain.high / domain.low) ** share
        rounded = float(f"{exact:.2g}")
    else:
        exact = domain.low + share * (domain.high - domain.low)
        # From 25 to 250 steps.
        rounded = round(exact, 2 - math.floor(math.log10(domain.high - domain.low) + 0.6))
    inside = min(max(rounded, domain.low), domain.high)
    return round(inside) if domain.whole else float(inside)
