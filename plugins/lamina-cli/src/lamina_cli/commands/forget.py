"""``lamina forget``: memories that are to be recalled no more."""

from __future__ import annotations

import argparse

from lamina import Context
from lamina_cli._context import add_json, in_context
from lamina_cli._failures import wrong
from lamina_cli._output import plural, say, write_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("ids", metavar="ID", nargs="+", help="a memory's id, as lamina recall and lamina memories show it")  # fmt: skip
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Remove them from tiers and indexes; the original of a page stays in its session."""

    async def work(context: Context) -> int:
        gone = await context.forget(*arguments.ids)
        missing = [id for id in arguments.ids if id not in gone]
        if missing and not gone:
            wrong(f"no memory {missing[0]!r}; see: lamina memories")
        if arguments.json:
            write_json({"forgotten": gone, "missing": missing})
        else:
            say(f"{plural(len(gone), 'memory', 'memories')} forgotten")
        return 0

    return in_context(arguments, work)
