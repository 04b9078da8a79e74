"""What a configuration may set that merely lies in the working folder, and which of those files the user trusts.

Whoever opens a folder did not write all that is in it. A ``lamina.toml`` or ``pyproject.toml`` that was found there may
set what is harmless: budgets, shares, which pager, how long to wait. What reaches the network, files outside lamina's
home, commands, environment variables or other tenants it may not set, until its user has read it and said
``lamina trust``. A file that the user named (``--config``, ``$LAMINA_CONFIG``, an argument), the environment and
arguments may set everything.

A settings class says what needs trust, in the metadata of its fields or as a whole::

    url: str = field(metadata={"trust": True})                       # whatever its value
    path: Path = field(default=Path("a.db"), metadata={"trust": outside_home})   # where this is true of its value

    __trust__: ClassVar[bool] = True                                 # the part itself, in whatever settings

A file is trusted by its content: the user's configuration folder holds a hash of what it sets. When that changes, it is
read again and trusted again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import attrs
from attrs import frozen

KEY = "trust"
"""The key in a field's metadata."""

FILE = "trusted"
"""The name of the file with the hashes, one a line, in the user's configuration folder."""


@frozen
class Untrusted:
    """What a file that nobody trusts sets and may not."""

    file: Path
    keys: tuple[str, ...]
    """The paths of the settings concerned."""

    def __str__(self) -> str:
        listed = ", ".join(self.keys)
        return (
            f"{self.file}: lies in the working folder and is not trusted, so it may not set {listed}; read it, and if you "
            f"trust all that it sets: lamina trust {self.file}"
        )


def outside_home(value: object) -> bool:
    """Whether a path may lead out of lamina's home folder: it is absolute, begins with ``~`` or has ``..`` in it.

    On every system by the rules of all, since what a text means may depend on who reads it.
    """
    text = str(value)
    kinds: tuple[PurePath, ...] = (PurePosixPath(text), PureWindowsPath(text))
    return text.startswith("~") or any(path.anchor or ".." in path.parts for path in kinds)


def needs_trust(settings: type) -> bool:
    """Whether a part of these settings may not be chosen by a file that nobody trusts."""
    return bool(getattr(settings, "__trust__", False))


def guarded(settings: type, given: Mapping[str, Any]) -> Iterator[str]:
    """Those keys of a table whose values need trust.

    Args:
        settings: The attrs class that the table is for.
        given: The raw table; dashes in names are taken as underscores.
    """
    fields = {field.name: field for field in attrs.fields(settings)}
    for key, value in given.items():
        field = fields.get(key) or fields.get(key.replace("-", "_"))
        rule = field.metadata.get(KEY, False) if field is not None else False
        if rule(value) if callable(rule) else rule:
            yield key


def fingerprint(given: Mapping[str, Any]) -> str:
    """The hash of what a file sets: comments, order and layout do not count, types do."""

    def plain(value: Any) -> Any:
        return [type(value).__name__, str(value)]  # TOML's dates and times

    said = json.dumps(given, sort_keys=True, ensure_ascii=True, default=plain)
    return hashlib.sha256(said.encode()).hexdigest()


def folder(environ: Mapping[str, str] | None = None) -> Path | None:
    """The user's configuration folder: ``$XDG_CONFIG_HOME/lamina`` or ``~/.config/lamina``.

    ``None`` where the environment names no home: then nothing is trusted.
    """
    environ = os.environ if environ is None else environ
    if environ.get("XDG_CONFIG_HOME"):
        return Path(environ["XDG_CONFIG_HOME"]) / "lamina"
    if environ.get("HOME"):
        return Path(environ["HOME"]) / ".config" / "lamina"
    return None


def is_trusted(given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> bool:
    """Whether the user trusts a file that sets this."""
    return fingerprint(given) in dict(_entries(environ))


def trust(given: Mapping[str, Any], file: Path, environ: Mapping[str, str] | None = None) -> None:
    """Remember that the user trusts what this file sets.

    Raises:
        OSError: It cannot be written, or the environment names no home.
    """
    _write([*((known, name) for known, name in _entries(environ) if name != str(file)), (fingerprint(given), str(file))], environ)  # fmt: skip


def distrust(given: Mapping[str, Any], file: Path, environ: Mapping[str, str] | None = None) -> None:
    """Forget that the user trusts this file, or others that set the same.

    Raises:
        OSError: It cannot be written.
    """
    gone = fingerprint(given)
    _write([(known, name) for known, name in _entries(environ) if known != gone and name != str(file)], environ)


def _entries(environ: Mapping[str, str] | None) -> list[tuple[str, str]]:
    """Hashes, and the files that they were of when they were trusted."""
    place = folder(environ)
    try:
        lines = [] if place is None else (place / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [(known, name) for known, _, name in (line.partition(" ") for line in lines) if known]


def _write(entries: list[tuple[str, str]], environ: Mapping[str, str] | None) -> None:
    place = folder(environ)
    if place is None:
        raise FileNotFoundError("the environment names no home folder (HOME, XDG_CONFIG_HOME) to remember it in")
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Beside it and then in its place, so that what is there stays whole whenever this ends.
    fresh = place / f"{FILE}.{os.getpid()}"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.writelines(f"{known} {name}\n" for known, name in entries)
    fresh.replace(place / FILE)
