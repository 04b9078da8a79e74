"""``lamina config``: the effective configuration and where each value came from."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from lamina_cli._context import add_json, configuration
from lamina_cli._output import say, write_json
from lamina_cli._tables import Table, show

_SECRET = re.compile(r"(^|_)(password|secret|token|api_key|key|authorization|credentials?)$")
"""Names of settings that people would not paste into a report."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print every effective value with its origin."""
    config = configuration(arguments)
    profile = config.catalogue.profile(config.top.profile)[0]
    rows = [(value.path, shown(value.path, value.value), value.origin) for value in config.values]
    if arguments.json:
        listed = [{"path": path, "value": value, "origin": origin} for path, value, origin in rows]
        write_json({"file": None if config.file is None else str(config.file), "profile": profile, "values": listed})
        return 0
    table = Table(["~setting", "~value", "~from"])
    for path, value, origin in rows:
        table.add(path, "–" if value is None else json.dumps(value, ensure_ascii=False), origin)
    say(f"profile: {profile or 'none'}; file: {config.file or 'none'}\n")
    show(table)
    return 0


def shown(path: str, value: Any) -> Any:
    """The value as JSON can say it; what is secret by its name is not shown."""
    if isinstance(value, str) and value and _SECRET.search(path.rpartition(".")[2]):
        return "(secret)"
    match value:
        case Path():
            return str(value)
        case Mapping():
            return {str(key): shown(f"{path}.{key}", item) for key, item in value.items()}
        case tuple() | list() | set() | frozenset():
            return [shown(path, item) for item in value]
        case _ if attrs.has(type(value)):
            return shown(path, attrs.asdict(value))
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
