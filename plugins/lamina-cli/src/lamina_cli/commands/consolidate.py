"""``lamina consolidate``: memories move between the tiers."""

from __future__ import annotations

import argparse

from lamina import Context
from lamina_cli._context import add_json, in_context
from lamina_cli._output import busy, number, plural, say, write_json
from lamina_cli._tables import Table, show


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Let the tiers follow the log and move what their policies say; nothing is deleted."""

    async def work(context: Context) -> int:
        with busy("consolidating"):
            moved = await context.consolidate()
            held = await context.tier_counts()
        if arguments.json:
            moves = {
                name: [{"memory": memory, "from": source, "to": to} for memory, source, to in made]
                for name, made in (("demoted", moved.demoted), ("promoted", moved.promoted))
            }
            gone = [{"memory": old, "by": by, "why": why} for old, by, why in moved.superseded]
            write_json({**moves, "superseded": gone, "run": moved.run, "extracted": moved.extracted, "tiers": held})
            return 0
        tiers = Table(["tier", ">memories"])
        for name, count in held.items():
            tiers.add(name, number(count))
        show(tiers)
        down, up = len(moved.demoted), len(moved.promoted)
        if moved.run:
            say(
                f"{plural(len(moved.superseded), 'memory', 'memories')} superseded; to take that back: lamina undo {moved.run}"
            )
        say(f"{plural(down, 'memory', 'memories')} demoted, {number(up)} promoted")
        return 0

    return in_context(arguments, work)
