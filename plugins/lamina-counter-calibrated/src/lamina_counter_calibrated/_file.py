"""The file that calibrations are kept in: what was learned, and the pairs that it was learned from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
from attrs import field, frozen

from lamina.errors import ConfigError, IntegrityError
from lamina_counter_calibrated._fit import Calibration, Pair, calibrate

SCHEMA = 1
MOST_PAIRS = 500
"""Pairs kept for each model and counter; the oldest go."""


@frozen
class Store:
    """What the file holds."""

    schema: int = SCHEMA
    calibrations: tuple[Calibration, ...] = ()
    pairs: tuple[Pair, ...] = field(default=(), repr=False)
    """In the order they were read."""


class _Versioned(msgspec.Struct):
    schema: int


def read(path: Path) -> Store:
    """What the file holds; nothing where it is not there.

    Raises:
        IntegrityError: It is damaged, or from a newer release.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Store()
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        schema = msgspec.json.decode(data, type=_Versioned).schema
        if schema > SCHEMA:
            raise IntegrityError(f"{path} was written by a newer release (schema {schema}); upgrade this plugin")
        return msgspec.json.decode(data, type=Store)
    except msgspec.MsgspecError as error:
        raise IntegrityError(f"{path} is damaged ({error}); delete it and run lamina calibrate again") from error


def write(path: Path, store: Store) -> None:
    """Replace the file in one step: who reads it meanwhile sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(store), indent=1) + b"\n")
    fresh.replace(path)


def learn(store: Store, pairs: Iterable[Pair]) -> tuple[Store, int]:
    """The store with these pairs as well, their calibrations made anew, and how many of them it did not have.

    Reading a recording again adds nothing.
    """
    kept: dict[tuple[str, str, str, str], Pair] = {_key(pair): pair for pair in store.pairs}
    added = 0
    changed: set[tuple[str, str]] = set()
    for pair in pairs:
        if _key(pair) not in kept:
            added += 1
            kept[_key(pair)] = pair
            changed.add((pair.model, pair.counter))
    groups: dict[tuple[str, str], list[Pair]] = {}
    for pair in kept.values():
        groups.setdefault((pair.model, pair.counter), []).append(pair)
    groups = {key: group[-MOST_PAIRS:] for key, group in groups.items()}
    made = {(c.model, c.counter): c for c in store.calibrations}
    made |= {key: calibrate(groups[key]) for key in sorted(changed)}
    pairs_kept = tuple(pair for group in groups.values() for pair in group)
    return Store(SCHEMA, tuple(made[key] for key in sorted(made)), pairs_kept), added


def _key(pair: Pair) -> tuple[str, str, str, str]:
    return pair.model, pair.counter, pair.session, pair.request


def select(store: Store, model: str, counter: str, path: Path) -> Calibration:
    """The calibration of a model for a counter.

    Raises:
        ConfigError: There is none; says which there are, and how to make one.
    """
    remedy = "run lamina calibrate FILE… on recordings that report usage"
    of_model = [c for c in store.calibrations if c.model == model]
    for calibration in of_model:
        if calibration.counter == counter:
            return calibration
    if of_model:
        others = ", ".join(repr(c.counter) for c in of_model)
        raise ConfigError([f"{path} calibrates {model} for the counters {others}, not for {counter!r}; {remedy}"])
    known = ", ".join(dict.fromkeys(c.model for c in store.calibrations)) or "nothing"
    raise ConfigError([f"{path} holds no calibration of {model!r} (it calibrates: {known}); {remedy}"])
