"""The configuration: a profile < one TOML file < the environment < arguments.

A file that merely lies in the working folder may set only what is harmless; see :mod:`lamina.trust`.
Parts are named instances (``[storages.cold] use = "sqlite"``); a name that has no table is the strategy of that
name with its default settings. Every fault is reported at once, with its path, the value, where the value came
from, and the remedy. Nothing falls back silently.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
from attrs import Factory, field, frozen, validators

from lamina import trust
from lamina._bounded import LEAST
from lamina._guard import Guard, Shape
from lamina._structure import structure
from lamina.errors import ConfigError, PluginError
from lamina.logging import LEVELS
from lamina.plugins import Catalogue, discover
from lamina.protocols import KINDS

TABLES = {kind: {"index": "indexes", "grants": "grants"}.get(kind, f"{kind}s") for kind in KINDS}
"""Kind to the name of its table in the configuration."""

PREFIX = "LAMINA_"


@frozen
class WindowSettings:
    """``[window]``: how windows are built."""

    pager: str
    """The pager that plans windows."""
    counter: str
    """The counter of tokens."""
    scorer: str | None = None
    """The scorer that pagers may ask; none scores every page 0."""
    compressors: tuple[str, ...] = ()
    """The compressors whose offers pagers may use, in order of preference."""
    format: str | None = None
    """The format of sessions that were not imported; the first by name where none is given."""
    budget: int = field(default=8000, validator=validators.gt(0))
    """Tokens of a window where the caller names none."""
    recall_share: float = field(default=0.1, validator=[validators.ge(0), validators.le(0.5)])
    """The tail of recalled memories takes at most this share of the budget, and only what the window leaves."""
    recall_limit: int = field(default=5, validator=validators.ge(0))
    """At most so many memories in the tail; 0 for no tail."""
    strict: bool = False
    """Raise where the gate would repair what a plugin did wrong."""


@frozen
class LogSettings:
    """``[log]``: where sessions are kept."""

    storage: str
    """The storage of the session logs."""


def _found(memory: MemorySettings, _: Any, indexes: tuple[str, ...]) -> None:
    if memory.tiers and not indexes:
        raise ValueError('find nothing of what the tiers hold; name one that is installed: indexes = ["NAME"]')


@frozen
class MemorySettings:
    """``[memory]``: the tiers, and how what they hold is found."""

    tiers: tuple[str, ...] = ()
    """The tiers, in any order (their rank orders them); none for no memory beside the log."""
    indexes: tuple[str, ...] = field(default=(), validator=_found)
    """The indexes that find memories; each is told of all of them."""
    ranker: str | None = None
    """Makes one ranking of what the indexes find; without one, the greatest score of any index decides."""
    consolidators: tuple[str, ...] = ()
    """They say, in this order, which memories another one takes the place of, when memories are consolidated."""
    extractors: tuple[str, ...] = ()
    """They draw memories from conversations that rest, when memories are consolidated."""
    extract_after_s: float = field(default=900.0, validator=validators.ge(0))
    """Seconds without a message after which an open session rests; a closed one rests at once."""
    follow_pages: int = field(default=500, validator=validators.ge(1))
    """Pages that the tiers take in at most within a recall; an open context takes in the rest in the background."""


@frozen
class CallSettings:
    """``[calls]``: how tools are called."""

    executor: str | None = field(default=None, metadata={"trust": True})
    """The executor; without one, calls run directly."""
    executors: Mapping[str, str] = field(factory=dict, metadata={"trust": True})
    """Executors of single tools, by the tool's name or a glob; the first that fits counts."""
    grants: str | None = field(default=None, metadata={"trust": True})
    """The part that permits calls; without one, all are allowed but those that change what cannot be taken back."""
    timeout_s: float = field(default=60.0, validator=validators.gt(0))
    """How long one call may take, where its tool does not say."""
    limit: int = field(default=1000, validator=validators.ge(1))
    """Calls that run at once."""
    queue: int = field(default=10_000, validator=validators.ge(1))
    """Calls that are taken in at once, running or waiting; who has more waits until there is room."""
    retries: int = field(default=2, validator=validators.ge(0))
    """How often a call that failed for the moment is tried again, where its tool may run twice."""
    backoff_s: float = field(default=0.1, validator=validators.ge(0))
    """Seconds before the second try; doubled for each further one, and spread by half."""
    breaker_failures: int = field(default=5, validator=validators.ge(0))
    """After so many time-outs or failures for the moment in a row, a tool's calls fail at once; 0 for never."""
    breaker_s: float = field(default=30.0, validator=validators.gt(0))
    """Seconds until one call of such a tool is let through again."""
    output_bytes: int = field(default=10_000_000, validator=validators.ge(1000))
    """Characters of a text and bytes of a blob that are kept of one output; what is more is dropped, and said."""
    result_tokens: int = field(default=2000, validator=validators.ge(LEAST))
    """Larger results are logged whole by :meth:`lamina.Session.add_result`, and shown as head, tail and page."""


@frozen
class PluginSettings:
    """``[plugins]``: which distributions may be imported."""

    block: tuple[str, ...] = field(default=(), metadata={"trust": True})
    """Distribution names or globs that are never imported."""
    allow: tuple[str, ...] | None = field(default=None, metadata={"trust": True})
    """If given, nothing else is imported."""


@frozen
class LoggingSettings:
    """``[logging]``."""

    level: str = field(default="warning", validator=validators.in_(LEVELS))
    """The least level that is written."""
    format: Literal["text", "json"] = "text"
    """The form of a line."""


SECTIONS: dict[str, type] = {
    "window": WindowSettings,
    "log": LogSettings,
    "memory": MemorySettings,
    "calls": CallSettings,
    "plugins": PluginSettings,
    "logging": LoggingSettings,
}


@frozen
class Top:
    """The keys outside of any table."""

    profile: str | None = field(default=None, metadata={"trust": True})
    """Which profile to start from, where several are installed."""
    namespace: str = field(
        default="default", validator=validators.matches_re(r"[^\x00/]{1,100}"), metadata={"trust": True}
    )
    """The tenant: nothing of one namespace is visible in another."""
    home: str = field(default=Factory(lambda: default_home()), metadata={"trust": True})
    """The folder that relative paths of plugins lie in."""
    seed: int | None = None
    """Seeds the random generator that parts are given, for repeatable runs."""


@frozen
class Instance:
    """A configured part: which strategy, with which settings."""

    kind: str
    name: str
    use: str
    settings: Any


@frozen
class Value:
    """One effective value and where it came from."""

    path: str
    value: Any
    origin: str


@frozen
class Config:
    """The effective configuration."""

    top: Top
    window: WindowSettings
    log: LogSettings
    memory: MemorySettings
    calls: CallSettings
    plugins: PluginSettings
    logging: LoggingSettings
    instances: Mapping[tuple[str, str], Instance]
    """By kind and name; those without a table of their own are made when first asked for."""
    values: tuple[Value, ...]
    """Every effective value of the kernel's sections and the named instances, with its origin."""
    catalogue: Catalogue
    """What is installed."""
    file: Path | None = None
    untrusted: Path | None = None
    """The file again, where it was found in the working folder and is not trusted."""
    vouched: frozenset[tuple[str, str]] = frozenset()
    """Kind and name of the parts that something else than that file names."""

    def instance(self, kind: str, name: str) -> Instance:
        """A named instance, or the strategy of that name with its defaults.

        Raises:
            ConfigError: It has required settings and no table, or only a file that is not trusted asks for it.
            UnknownPluginError: Nothing of that name is configured or installed.
        """
        known = self.instances.get((kind, name))
        if known is not None:
            return known
        offer = self.catalogue.find(kind, name)
        # Here are the parts that others name in settings of their own, which only they understand.
        if self.untrusted and trust.needs_trust(offer.settings) and (kind, name) not in self.vouched:
            raise ConfigError([str(trust.Untrusted(self.untrusted, (f"{TABLES[kind]}.{name}",)))])
        settings, faults = structure(offer.settings, {}, f"{TABLES[kind]}.{name}", {})
        if faults:
            raise ConfigError(faults)
        return Instance(kind, name, name, settings)

    def names(self, kind: str) -> list[str]:
        """The instances of a kind that have a table."""
        return [name for k, name in self.instances if k == kind]


def default_home() -> str:
    """``$XDG_DATA_HOME/lamina``, or ``~/.local/share/lamina``."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path("~/.local/share").expanduser())
    return str(Path(base) / "lamina")


def placed(
    settings: Mapping[str, Any] | None, home: str | Path | None, namespace: str | None
) -> Mapping[str, Any] | None:
    """Settings with a home and a namespace, where they are given beside them."""
    beside = {"home": None if home is None else str(home), "namespace": namespace}
    given = {name: value for name, value in beside.items() if value is not None}
    return {**(settings or {}), **given} if given else settings


def load(
    path: str | Path | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    catalogue: Catalogue | None = None,
) -> Config:
    """Read the effective configuration.

    Args:
        path: A TOML file; otherwise ``$LAMINA_CONFIG``, ``lamina.toml`` or ``[tool.lamina]`` in
            ``pyproject.toml``, both in the working folder, if there.
        settings: Arguments, in the shape of the file; they win over everything.
        profile: The profile to start from.
        environ: The environment (``os.environ``): ``LAMINA_TIERS__LONG__STORAGE=cold`` sets
            ``tiers.long.storage``; values are read as TOML, or as text where they are none.
        catalogue: What is installed; found anew unless given.

    Raises:
        ConfigError: With every fault.
    """
    faults: list[str] = []
    environ = os.environ if environ is None else environ
    file, layers, trusted = _layers(path, settings, environ, faults)
    if profile is not None:
        layers.append(("argument", {"profile": profile}))
    early, _ = _merge(layers)
    if catalogue is None:
        catalogue = _discover(layers, trusted)
    named = early.get("profile")
    try:
        profile_name, base = catalogue.profile(named if isinstance(named, str) else None)
    except (ConfigError, PluginError) as error:
        faults += error.faults if isinstance(error, ConfigError) else [str(error)]
        profile_name, base = None, {}
    tree, origins = _merge([(f"profile {profile_name}", base), *layers])
    guard = Guard(SHAPE, catalogue, layers[0][1], tree, origins, layers[0][0])
    offences = () if trusted or file is None else guard.offences()
    if offences and file is not None:
        faults.append(str(trust.Untrusted(file, offences)))
    config = _structured(tree, origins, catalogue, file, faults)
    return config if trusted else attrs.evolve(config, untrusted=file, vouched=guard.vouched())


def installed(
    path: str | Path | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Catalogue:
    """What is installed and may be imported, whatever else the configuration says, valid or not.

    Args:
        path: As for :func:`load`, and so are the others.
        settings: Arguments.
        environ: The environment.

    Raises:
        ConfigError: The file is not there, or no TOML.
    """
    _, layers, trusted = _layers(path, settings, os.environ if environ is None else environ, [])
    return _discover(layers, trusted)


def guarded_keys(given: Mapping[str, Any], catalogue: Catalogue) -> tuple[str, ...]:
    """The paths of the settings among these that need trust; see :mod:`lamina.trust`."""
    tree, origins = _merge([("file", given)])
    return Guard(SHAPE, catalogue, given, tree, origins, "file").offences()


def _layers(
    path: str | Path | None, settings: Mapping[str, Any] | None, environ: Mapping[str, str], faults: list[str]
) -> tuple[Path | None, list[tuple[str, Mapping[str, Any]]], bool]:
    """The file, what it, the environment and arguments set, and whether the file may set everything."""
    file, from_file = read_file(path, environ)
    named = bool(path or environ.get("LAMINA_CONFIG"))
    layers = [
        (str(file) if file else "file", from_file),
        ("environment", _from_environment(environ, faults)),
        ("argument", settings or {}),
    ]
    return file, layers, named or file is None or trust.is_trusted(from_file, environ)


def _discover(layers: Sequence[tuple[str, Mapping[str, Any]]], trusted: bool) -> Catalogue:
    # Before anything else is known, because what is blocked must not be imported. A file that is not trusted blocks
    # nothing: not the plugin that asks before a call either.
    early, _ = _merge([*layers] if trusted else [*layers[1:]])
    chosen, _ = structure(PluginSettings, _table(early, "plugins"), "plugins", {})
    chosen = chosen or PluginSettings()
    return discover(chosen.block, chosen.allow)


def read_file(
    path: str | Path | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Path | None, Mapping[str, Any]]:
    """The configuration file that :func:`load` would read, and what it sets; nothing where there is none.

    Raises:
        ConfigError: It was named and is not there, or is no TOML.
    """
    environ = os.environ if environ is None else environ
    named = path or environ.get("LAMINA_CONFIG")
    candidates = [Path(named)] if named else [Path("lamina.toml"), Path("pyproject.toml")]
    for candidate in candidates:
        if not candidate.is_file():
            continue
        try:
            data = tomllib.loads(candidate.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError([f"{candidate}: not valid TOML: {error}"]) from error
        if candidate.name == "pyproject.toml":
            tool = data.get("tool")
            data = tool.get("lamina", {}) if isinstance(tool, dict) else {}
            if not data:
                continue
        return candidate, data
    if named:
        raise ConfigError([f"{named}: no such file; give the path of a lamina.toml"])
    return None, {}


def _from_environment(environ: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    scalars = {a.name for a in attrs.fields(Top)}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX):
            continue
        keys = [k.lower() for k in variable.removeprefix(PREFIX).split("__")]
        if len(keys) == 1 and keys[0] not in scalars:
            continue  # LAMINA_CONFIG, or something of another tool's
        if not all(keys):
            faults.append(f"{variable}: an empty name in it; write it like LAMINA_WINDOW__BUDGET")
            continue
        node = tree
        for key in keys[:-1]:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                break
        if isinstance(node, dict):
            node[keys[-1]] = (
                environ[variable] if len(keys) == 1 and keys[0] != "seed" else _toml_value(environ[variable])
            )
    return tree


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(layers: list[tuple[str, Mapping[str, Any]]]) -> tuple[dict[str, Any], dict[str, str]]:
    """One tree, later layers winning, and for every leaf's path the layer that it came from."""
    tree: dict[str, Any] = {}
    origins: dict[str, str] = {}

    def lay(into: dict[str, Any], given: Mapping[str, Any], path: str, origin: str) -> None:
        for raw, value in given.items():
            # The environment cannot write dashes: a name with underscores finds the one with dashes.
            key = next((k for k in into if k.replace("-", "_") == raw), raw) if origin == "environment" else raw
            here = f"{path}.{key}" if path else key
            if isinstance(value, Mapping):
                child = into.get(key)
                if not isinstance(child, dict):
                    child = into[key] = {}
                elif "use" in value and "use" in child and value["use"] != child["use"]:
                    # Another strategy: the settings of the one that it replaces mean nothing to it.
                    child.clear()
                lay(child, value, here, origin)
            else:
                into[key] = value
                origins[here] = origin

    for origin, layer in layers:
        lay(tree, layer, "", origin)
    return tree, origins


def _table(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = tree.get(name, {})
    return value if isinstance(value, Mapping) else {}


def _structured(
    tree: dict[str, Any], origins: dict[str, str], catalogue: Catalogue, file: Path | None, faults: list[str]
) -> Config:
    values: list[Value] = []
    scalars = {a.name for a in attrs.fields(Top)}
    top, wrong = structure(Top, {k: v for k, v in tree.items() if k in scalars}, "", origins)
    faults += wrong
    sections: dict[str, Any] = {}
    for name, cls in SECTIONS.items():
        if not isinstance(tree.get(name, {}), Mapping):
            faults.append(f"{name}: {tree[name]!r} is not a table; write [{name}]")
            continue
        sections[name], wrong = structure(cls, _table(tree, name), name, origins)
        faults += wrong
        values += _values(sections[name], name, origins)
    instances = _instances(tree, origins, catalogue, faults, values)
    known = [*scalars, *SECTIONS, *TABLES.values()]
    for key in tree:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            faults.append(f"{key}: unknown{_from(origins, key)}; {hint}")
    faults += _references(tree, instances, catalogue, origins)
    if faults or top is None:
        raise ConfigError(faults)
    values = [*_values(top, "", origins), *values]
    return Config(top, **sections, instances=instances, values=tuple(values), catalogue=catalogue, file=file)


def _from(origins: Mapping[str, str], path: str) -> str:
    found = next((o for p, o in origins.items() if p == path or p.startswith(path + ".")), None)
    return f" (from {found})" if found else ""


def _instances(
    tree: dict[str, Any], origins: dict[str, str], catalogue: Catalogue, faults: list[str], values: list[Value]
) -> dict[tuple[str, str], Instance]:
    instances: dict[tuple[str, str], Instance] = {}
    for kind, table in TABLES.items():
        if not isinstance(tree.get(table, {}), Mapping):
            faults.append(f"{table}: {tree[table]!r} is not a table; write [{table}.NAME]")
            continue
        for name, given in _table(tree, table).items():
            path = f"{table}.{name}"
            if not isinstance(given, Mapping):
                faults.append(f"{path}: {given!r} is not a table; write [{path}]")
                continue
            rest = dict(given)
            use = rest.pop("use", name)
            try:
                offer = catalogue.find(kind, str(use))
            except PluginError as error:
                faults.append(f"{path}.use: {error}{_from(origins, path)}")
                continue
            settings, wrong = structure(offer.settings, rest, path, origins)
            faults += wrong
            if settings is not None:
                instances[kind, name] = Instance(kind, name, offer.name, settings)
                values.append(Value(f"{path}.use", offer.name, origins.get(f"{path}.use", "default")))
                values += _values(settings, path, origins)
    return instances


def _values(settings: Any, path: str, origins: Mapping[str, str]) -> Iterator[Value]:
    if settings is None:
        return
    for attribute in attrs.fields(type(settings)):
        here = f"{path}.{attribute.name}" if path else attribute.name
        yield Value(here, getattr(settings, attribute.name), origins.get(here, "default"))


REFERENCES = (
    ("window", "pager", "pager"),
    ("window", "counter", "counter"),
    ("window", "scorer", "scorer"),
    ("window", "compressors", "compressor"),
    ("window", "format", "format"),
    ("log", "storage", "storage"),
    ("memory", "tiers", "tier"),
    ("memory", "indexes", "index"),
    ("memory", "ranker", "ranker"),
    ("memory", "consolidators", "consolidator"),
    ("memory", "extractors", "extractor"),
    ("calls", "executor", "executor"),
    ("calls", "executors", "executor"),
    ("calls", "grants", "grants"),
)
"""Section, key and kind of every part that the kernel's own sections name."""

SHAPE = Shape(Top, SECTIONS, TABLES, REFERENCES)


def _references(
    tree: Mapping[str, Any],
    instances: Mapping[tuple[str, str], Instance],
    catalogue: Catalogue,
    origins: Mapping[str, str],
) -> Iterator[str]:
    """A fault for every part that the kernel's sections name and that is neither configured nor installed."""
    for section, key, kind in REFERENCES:
        given = _table(tree, section).get(key)
        given = list(given.values()) if isinstance(given, Mapping) else given
        for name in given if isinstance(given, list | tuple) else [given]:
            configured = isinstance(name, str) and name in _table(tree, TABLES[kind])
            if not isinstance(name, str) or configured or (kind, name) in instances:
                continue  # a wrong type is reported already, and so is what is wrong with a table
            try:
                catalogue.find(kind, name)
            except PluginError as error:
                yield f"{section}.{key}: {error}{_from(origins, f'{section}.{key}')}"
