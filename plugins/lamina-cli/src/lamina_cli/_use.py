"""Which parts a configuration uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from lamina import Config, LaminaError
from lamina.config import TABLES


def named(config: Config) -> Iterator[tuple[str, str]]:
    """The parts that a context opens, by kind and instance, without those that these open themselves."""
    window = config.window
    yield "storage", config.log.storage
    yield "counter", window.counter
    yield "pager", window.pager
    if window.scorer is not None:
        yield "scorer", window.scorer
    yield from (("compressor", name) for name in window.compressors)
    yield from (("tier", name) for name in config.memory.tiers)
    yield from (("index", name) for name in config.memory.indexes)
    yield from (("consolidator", name) for name in config.memory.consolidators)
    yield from (("extractor", name) for name in config.memory.extractors)
    if config.memory.ranker is not None:
        yield "ranker", config.memory.ranker
    calls = config.calls
    named = [calls.executor] if calls.executor is not None else []
    yield from (("executor", name) for name in dict.fromkeys([*named, *calls.executors.values()]))
    if calls.grants is not None:
        yield "grants", calls.grants
    yield from (("tool", name) for name in config.names("tool"))
    yield from (
        ("format", name) for name in dict.fromkeys([*config.names("format"), *config.catalogue.names("format")])
    )


def used(config: Config) -> dict[tuple[str, str], list[str]]:
    """The strategies that the configuration uses, by kind and name, each with its instances.

    Parts that use others name them in a setting that is called like their kind (``storage = "cold"``,
    ``scorers = [...]``); these are followed.
    """
    found: dict[tuple[str, str], list[str]] = {}
    waiting = list(named(config))
    seen = set(waiting)
    while waiting:
        kind, name = waiting.pop()
        try:
            instance = config.instance(kind, name)
        except LaminaError:
            continue  # told by whoever opens it
        found.setdefault((kind, instance.use), []).append(name)
        for part in _mentioned(instance.settings):
            if part not in seen:
                seen.add(part)
                waiting.append(part)
    return found


def _mentioned(settings: Any) -> Iterator[tuple[str, str]]:
    for kind, table in TABLES.items():
        for field in attrs.fields(type(settings)):
            if field.name in (kind, table):
                yield from ((kind, name) for name in _names(getattr(settings, field.name)))


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | tuple | list):
        yield from (name for name in value if isinstance(name, str))
