"""What of a call's arguments a rule is about: a command line, paths, or a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import frozen

from lamina.protocols import ToolSpec

_SHELL = frozenset({"command", "cmd", "command_line", "bash", "shell"})
_PATH = frozenset({"path", "file", "file_path", "filepath", "filename", "file_name", "dir", "directory", "folder",
                   "source", "destination", "src", "dst", "target", "old_path", "new_path", "paths", "files", "cwd"})  # fmt: skip


@frozen
class Subject:
    """The arguments that a pattern is matched with, and as what."""

    kind: Literal["shell", "path", "text"]
    names: tuple[str, ...]


def subject_of(spec: ToolSpec) -> Subject | None:
    """What a pattern for this tool is about.

    The properties of the schema that have the format ``shell``; else those of ``path``; else those whose names say
    so; else the first text that is required. ``None`` where there is no text at all.
    """
    given: Any = spec.parameters.get("properties", {})
    properties: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    forms = {name: s.get("format") for name, s in properties.items() if isinstance(s, Mapping)}
    for kind, known in (("shell", _SHELL), ("path", _PATH)):
        by_format = tuple(name for name, form in forms.items() if form == kind)
        if by_format:
            return Subject(kind, by_format)  # type: ignore[arg-type]
        by_name = tuple(name for name, form in forms.items() if form is None and name in known)
        if by_name and not any(form == "path" for form in forms.values()):
            return Subject(kind, by_name)  # type: ignore[arg-type]
    texts = [name for name, s in properties.items() if isinstance(s, Mapping) and s.get("type") == "string"]
    required = [name for name in spec.parameters.get("required", ()) if name in texts]
    return Subject("text", tuple((required or texts)[:1])) if texts else None


def given(subject: Subject, arguments: Mapping[str, Any]) -> list[str] | None:
    """The texts that a call gives for it; ``None`` where one is no text, or there is none at all."""
    out: list[str] = []
    for name in subject.names:
        if name not in arguments or arguments[name] is None:
            continue
        value = arguments[name]
        values = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(item, str) for item in values):
            return None
        out += values
    return out or None
