"""Which settings a configuration file makes that it may make only where its user trusts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from lamina.errors import PluginError
from lamina.plugins import Catalogue
from lamina.trust import guarded, needs_trust


@frozen
class Shape:
    """What a configuration consists of."""

    top: type
    """The settings outside of any table."""
    sections: Mapping[str, type]
    """The kernel's own tables."""
    tables: Mapping[str, str]
    """Kind of part to the name of its table of instances."""
    references: Sequence[tuple[str, str, str]]
    """Section, key and kind of every part that the kernel's own tables name."""


@frozen
class Guard:
    """One file among the layers of a configuration.

    Args:
        given: What the file sets.
        tree: All layers together.
        origins: Path of a value to the layer that it came from.
        origin: What the file is called there.
    """

    shape: Shape
    catalogue: Catalogue
    given: Mapping[str, Any]
    tree: Mapping[str, Any]
    origins: Mapping[str, str]
    origin: str

    def offences(self) -> tuple[str, ...]:
        """The paths of the settings that need trust and come from the file, each once, in the file's order."""
        return tuple(dict.fromkeys([*self._plain(), *self._parts(), *self._named()]))

    def vouched(self) -> frozenset[tuple[str, str]]:
        """Kind and name of the parts that another layer than the file names."""
        return frozenset(
            (kind, name)
            for section, key, kind in self.shape.references
            if self.origins.get(f"{section}.{key}") != self.origin
            for name in _names(self.tree, section, key)
        )

    def _plain(self) -> Iterator[str]:
        yield from (key for key in guarded(self.shape.top, self.given) if self._stands(key))
        for section, settings in self.shape.sections.items():
            paths = (f"{section}.{key}" for key in guarded(settings, _table(self.given, section)))
            yield from (path for path in paths if self._stands(path))

    def _parts(self) -> Iterator[str]:
        for kind, table in self.shape.tables.items():
            for name, given in _table(self.given, table).items():
                settings = self._settings(kind, name)
                if settings is None or not isinstance(given, Mapping):
                    continue  # reported for what it is
                path = f"{table}.{name}"
                if needs_trust(settings):
                    # An empty table is enough to have a tool opened.
                    yield from [f"{path}.{key}" for key in given if self._stands(f"{path}.{key}")] if given else [path]
                else:
                    keys = (f"{path}.{key}" for key in guarded(settings, given))
                    yield from (key for key in keys if self._stands(key))

    def _named(self) -> Iterator[str]:
        for section, key, kind in self.shape.references:
            if self.origins.get(f"{section}.{key}") == self.origin:
                for name in _names(self.tree, section, key):
                    settings = self._settings(kind, name)
                    if settings is not None and needs_trust(settings):
                        yield f"{section}.{key}"

    def _settings(self, kind: str, name: str) -> type | None:
        """The settings class of a part, by the strategy that it uses in the end."""
        table = _table(_table(self.tree, self.shape.tables[kind]), name)
        try:
            return self.catalogue.find(kind, str(table.get("use", name))).settings
        except PluginError:
            return None

    def _stands(self, path: str) -> bool:
        """Whether a value of the file, or one below it, counts in the end."""
        return any(origin == self.origin for p, origin in self.origins.items() if p == path or p.startswith(f"{path}."))


def _table(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = tree.get(name, {})
    return value if isinstance(value, Mapping) else {}


def _names(tree: Mapping[str, Any], section: str, key: str) -> list[str]:
    value = _table(tree, section).get(key)
    value = list(value.values()) if isinstance(value, Mapping) else value
    return [name for name in (value if isinstance(value, list | tuple) else [value]) if isinstance(name, str)]
