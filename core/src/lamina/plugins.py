"""Finds what is installed: one entry-point group, each plugin loaded by itself.

A plugin that cannot be imported, misspells a hook or registers nonsense is reported by name and never stops the
rest. Nothing here is on a hot path: discovery runs once per opened context.
"""

from __future__ import annotations

import difflib
import fnmatch
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy
from attrs import Factory, define, frozen, has

from lamina.errors import ConfigError, DuplicatePluginError, PluginError, UnknownPluginError
from lamina.hookspecs import GROUP, Hooks
from lamina.protocols import KINDS, PROTOCOLS, Opener

if TYPE_CHECKING:
    import argparse


@frozen
class Offer:
    """One strategy that a plugin offers."""

    kind: str
    name: str
    opener: Opener[Any]
    settings: type
    distribution: str


@frozen
class Command:
    """One subcommand that a plugin offers."""

    name: str
    help: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    distribution: str


@frozen
class Broken:
    """A plugin that could not be used, and why."""

    distribution: str
    why: str


@define
class Catalogue:
    """Everything that the usable plugins offer, and which ones are not usable."""

    offers: dict[tuple[str, str], list[Offer]] = Factory(dict)
    profiles: dict[str, list[tuple[str, Mapping[str, Any]]]] = Factory(dict)
    """Name to (distribution, settings) of each that offers it."""
    commands: dict[str, list[Command]] = Factory(dict)
    broken: list[Broken] = Factory(list)
    blocked: list[str] = Factory(list)
    """Distributions that the block or allow list kept from being imported."""
    loaded: dict[str, str] = Factory(dict)
    """Distribution to version, of those that were loaded."""
    manager: pluggy.PluginManager = Factory(lambda: pluggy.PluginManager(GROUP))

    def names(self, kind: str) -> list[str]:
        """What is offered of a kind, sorted."""
        return sorted(name for k, name in self.offers if k == kind)

    def find(self, kind: str, name: str) -> Offer:
        """The one offer of that kind and name.

        Raises:
            UnknownPluginError: Nobody offers it; says what is installed.
            DuplicatePluginError: More than one distribution offers it; names both.
        """
        found = self.offers.get((kind, name), [])
        if not found:
            raise UnknownPluginError(kind, name, self.names(kind), self._hint(kind, name))
        if len(found) > 1:
            raise DuplicatePluginError(kind, name, found[0].distribution, found[1].distribution)
        return found[0]

    def profile(self, name: str | None) -> tuple[str | None, Mapping[str, Any]]:
        """A profile by name; without one, the only one that is installed, or nothing where there is none.

        Raises:
            ConfigError: Several are installed and none was named, or the named one is not there.
        """
        if name is None:
            if len(self.profiles) > 1:
                listed = ", ".join(sorted(self.profiles))
                raise ConfigError(
                    [f"profile: several are installed ({listed}); name one: profile = {listed.split(', ')[0]!r}"]
                )
            if not self.profiles:
                return None, {}
            name = next(iter(self.profiles))
        found = self.profiles.get(name, [])
        if not found:
            listed = ", ".join(sorted(self.profiles)) or "none"
            raise ConfigError([f"profile: {name!r} is not installed; installed: {listed}"])
        if len(found) > 1:
            raise DuplicatePluginError("profile", name, found[0][0], found[1][0])
        return name, found[0][1]

    def notify(self, hook: str, **facts: Any) -> None:
        """Tell the observers, if any; one that raises is logged and does not disturb the others."""
        for impl in getattr(self.manager.hook, hook).get_hookimpls():
            try:
                impl.function(*(facts[name] for name in impl.argnames))
            except Exception as error:  # noqa: BLE001 - the plugin boundary
                from lamina.logging import logger

                logger().warning("observer failed", hook=hook, plugin=impl.plugin_name, error=repr(error))

    def observed(self, hook: str) -> bool:
        """Whether anybody listens, so that facts need not be gathered in vain."""
        return bool(getattr(self.manager.hook, hook).get_hookimpls())

    def _hint(self, kind: str, name: str) -> str:
        elsewhere = sorted(k for k, n in self.offers if n == name)
        if elsewhere:
            return f"{name!r} is a {elsewhere[0]}"
        near = difflib.get_close_matches(name, self.names(kind), n=1)
        if near:
            return f"did you mean {near[0]!r}?"
        if self.broken:
            return f"{self.broken[0].distribution} is installed but broken: {self.broken[0].why}"
        return f'is its distribution installed? (pip install "lamina-{kind}-{name}")'


def discover(block: Sequence[str] = (), allow: Sequence[str] | None = None) -> Catalogue:
    """Load every installed plugin of the group ``lamina``.

    Args:
        block: Distribution names or globs that are not imported.
        allow: If given, only these distribution names or globs are imported.

    Returns:
        What they offer; whatever went wrong stands in ``broken``.
    """
    catalogue = Catalogue()
    catalogue.manager.add_hookspecs(Hooks)
    for distribution, version, point in _entry_points(_stamp()):
        # Filtered before anything is imported: a blocked plugin must not run at all.
        if any(fnmatch.fnmatchcase(distribution, b) for b in block) or (
            allow is not None and not any(fnmatch.fnmatchcase(distribution, a) for a in allow)
        ):
            catalogue.blocked.append(distribution)
            continue
        try:
            plugin = point.load()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            catalogue.broken.append(Broken(distribution, f"cannot be imported: {_line(error)}"))
            continue
        add(catalogue, plugin, distribution)
        if version is not None:
            catalogue.loaded[distribution] = version
    return catalogue


def _stamp() -> tuple[tuple[str, int], ...]:
    """What changes when something is installed or removed: the folders of ``sys.path`` and their times."""
    out = []
    for place in sys.path:
        try:
            out.append((place, Path(place or ".").stat().st_mtime_ns))
        except OSError:
            out.append((place, 0))
    return tuple(out)


@functools.lru_cache(maxsize=4)
def _entry_points(stamp: tuple[tuple[str, int], ...]) -> tuple[tuple[str, str | None, metadata.EntryPoint], ...]:
    """(distribution, version, entry point) of every plugin, sorted; reading them costs 1 ms for each distribution."""
    found = metadata.entry_points(group=GROUP)
    return tuple(
        (p.dist.name, p.dist.version, p) if p.dist else (p.value, None, p)
        for p in sorted(found, key=lambda p: (p.dist.name if p.dist else "", p.name))
    )


def add(catalogue: Catalogue, plugin: object, distribution: str) -> None:
    """Register one plugin object (a module or any object with hook implementations) under a name.

    What is wrong with it is noted in ``catalogue.broken``; then nothing of it is registered.
    """
    manager = catalogue.manager
    taken = {k: list(v) for k, v in catalogue.offers.items()}
    profiles = {k: list(v) for k, v in catalogue.profiles.items()}
    commands = {k: list(v) for k, v in catalogue.commands.items()}
    try:
        known = {name for name in vars(Hooks) if not name.startswith("_")}
        for name in sorted(set(vars(plugin) if isinstance(plugin, ModuleType) else dir(plugin)) - known):
            if manager.parse_hookimpl_opts(plugin, name) is not None:
                near = difflib.get_close_matches(name, known, n=1)
                raise PluginError(distribution, f"implements no hook of lamina: {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))  # fmt: skip
        manager.register(plugin, name=f"{distribution}:{id(plugin)}")
        for hook in sorted(known):
            if hook.startswith("register_"):
                _call(catalogue, hook.removeprefix("register_"), hook, plugin, distribution)
    except Exception as error:  # noqa: BLE001 - the plugin boundary
        catalogue.offers, catalogue.profiles, catalogue.commands = taken, profiles, commands
        if manager.is_registered(plugin):
            manager.unregister(plugin)
        why = error.what if isinstance(error, PluginError) else _line(error)
        catalogue.broken.append(Broken(distribution, why))


def _call(catalogue: Catalogue, kind: str, hook: str, plugin: object, distribution: str) -> None:
    for impl in getattr(catalogue.manager.hook, hook).get_hookimpls():
        if impl.plugin is plugin:
            register: Callable[..., None]
            if kind == "profile":
                register = functools.partial(_register_profile, catalogue, distribution)
            elif kind == "command":
                register = functools.partial(_register_command, catalogue, distribution)
            else:
                register = functools.partial(_register, catalogue, kind, distribution)
            impl.function(*({"register": register}[name] for name in impl.argnames))


def _register(
    catalogue: Catalogue,
    kind: str,
    distribution: str,
    name: str,
    opener: Opener[Any],
    settings: type,
    *,
    protocol: int | tuple[int, int] = 1,
) -> None:
    if kind not in KINDS:
        raise PluginError(distribution, f"registers an unknown kind {kind!r}")
    if not isinstance(name, str) or not name or not name.replace("-", "").replace("_", "").isalnum():
        raise PluginError(distribution, f"registers a {kind} under the impossible name {name!r}")
    _check_protocol(distribution, kind, name, protocol)
    if not callable(opener):
        raise PluginError(distribution, f"{kind} {name!r}: the opener is not callable")
    if not (isinstance(settings, type) and has(settings)):
        raise PluginError(distribution, f"{kind} {name!r}: the settings are no attrs class")
    catalogue.offers.setdefault((kind, name), []).append(Offer(kind, name, opener, settings, distribution))


def _check_protocol(distribution: str, kind: str, name: str, protocol: int | tuple[int, int]) -> None:
    """Refuse an offer that has no version in common with this release.

    Raises:
        PluginError: It has none, or what it says is no range of versions.
    """
    low, high = (protocol, protocol) if isinstance(protocol, int) else protocol
    if not 1 <= low <= high:
        raise PluginError(distribution, f"{kind} {name!r} says protocol={protocol!r}, which is no range of versions")
    first, last = PROTOCOLS[kind]
    if high < first or last < low:
        raise PluginError(
            distribution,
            f"{kind} {name!r} needs protocol {_span(low, high)} of its kind; this lamina has {_span(first, last)}",
        )


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _register_profile(catalogue: Catalogue, distribution: str, name: str, settings: Mapping[str, Any]) -> None:
    catalogue.profiles.setdefault(name, []).append((distribution, settings))


def _register_command(
    catalogue: Catalogue,
    distribution: str,
    name: str,
    help: str,
    configure: Callable[[argparse.ArgumentParser], None],
    run: Callable[[argparse.Namespace], int],
) -> None:
    catalogue.commands.setdefault(name, []).append(Command(name, help, configure, run, distribution))


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
