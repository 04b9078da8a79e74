"""``lamina sessions``: what is stored."""

from __future__ import annotations

import argparse

from attrs import asdict

from lamina import Context
from lamina_cli._context import add_json, in_context
from lamina_cli._output import note, number, when, write_json
from lamina_cli._tables import Table, show


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """List the sessions, the most recently used first."""

    async def work(context: Context) -> int:
        infos = await context.sessions()
        if arguments.json:
            write_json({"sessions": [asdict(info) for info in infos]})
            return 0
        if not infos:
            note("no session is stored yet; store one with: lamina import FILE")
        listed = Table(["~session", "format", ">pages", ">tokens", "last used"])
        for info in infos:
            listed.add(info.id, info.format, number(info.pages), number(info.tokens), when(info.updated_s))
        show(listed)
        return 0

    return in_context(arguments, work)
