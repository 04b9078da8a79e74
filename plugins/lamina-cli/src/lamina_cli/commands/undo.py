"""``lamina undo``: what a consolidation superseded stands again."""

from __future__ import annotations

import argparse

from lamina import Context
from lamina_cli._context import add_json, in_context
from lamina_cli._output import plural, say, write_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="which one, as lamina consolidate named it (default: the last one)")  # fmt: skip
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Take it back."""

    async def work(context: Context) -> int:
        back = await context.undo(arguments.run)
        if arguments.json:
            write_json({"standing_again": back})
        else:
            say(f"{plural(len(back), 'memory', 'memories')} standing again")
        return 0

    return in_context(arguments, work)
