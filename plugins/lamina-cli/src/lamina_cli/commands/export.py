"""``lamina export``: a stored session as a file."""

from __future__ import annotations

import argparse

from lamina import Context
from lamina_cli._context import in_context, stored
from lamina_cli._output import write_bytes


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("session", metavar="SESSION", help="a stored session's id")
    parser.add_argument("--format", metavar="NAME", help="the file's format (default: the one that it came in)")
    parser.add_argument("--out", metavar="FILE", help="the file (default: standard output)")


def run(arguments: argparse.Namespace) -> int:
    """Write the session; records in their own format come out byte for byte."""

    async def work(context: Context) -> int:
        info = await stored(context, arguments.session)
        session = await context.session(info.id, create=False)
        write_bytes(await session.export(arguments.format), arguments.out)
        return 0

    return in_context(arguments, work)
