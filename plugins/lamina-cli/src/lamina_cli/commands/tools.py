"""``lamina tools``: what a model may be shown."""

from __future__ import annotations

import argparse
from typing import Any

from attrs import asdict

from lamina import Context
from lamina.protocols import Effects
from lamina_cli._context import add_json, in_context
from lamina_cli._output import first_line, note, say, visible, write_json
from lamina_cli._tables import Table, show


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("need", metavar="NEED", nargs="*", help="only those that fit this need, the best first")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """List the tools, with what they do and where they run."""
    need = " ".join(arguments.need).strip()

    async def work(context: Context) -> int:
        registry = context.tools
        names = [found.spec.name for found in registry.find_tools(need, 20)] if need else registry.names()
        if arguments.json:
            write_json({"tools": [_object(context, name) for name in names], "refused": registry.refused})
            return 0
        listed = Table(["tool", "~effects", "~runs in", "~from", "*what it does"])
        for name in names:
            spec, place = registry.get(name).spec, registry.placed(name)
            shown = "denied always" if place.hidden else effects(spec.effects)
            listed.add(name, shown, place.executor or "this process", place.source, first_line(spec.description))
        show(listed)
        for name, why in registry.refused.items():
            say(f"left out: {visible(name)}: {visible(why)}")
        if not names:
            note(f"no tool fits {need!r}" if need else "no tools; name some under [tools]")
        return 0

    return in_context(arguments, work)


def effects(declared: Effects) -> str:
    """What a tool says that it does, in words."""
    said = [name.replace("_", "-") for name, yes in asdict(declared).items() if yes]
    return ", ".join(said) or "its own state"


def _object(context: Context, name: str) -> dict[str, Any]:
    spec, place = context.tools.get(name).spec, context.tools.placed(name)
    return {
        "name": name,
        "description": spec.description,
        "parameters": spec.parameters,
        "tags": list(spec.tags),
        "effects": asdict(spec.effects),
        "resources": list(spec.resources),
        "timeout_s": spec.timeout_s,
        "version": spec.version,
        "source": place.source,
        "executor": place.executor or None,
        "hidden": place.hidden,
    }
