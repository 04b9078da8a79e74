"""``lamina memories``: what is remembered, browsed by filters."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from lamina import Context, Filter, Hit
from lamina_cli._context import add_json, in_context, positive
from lamina_cli._output import busy, first_line, note, number, write_json
from lamina_cli._tables import Table, show
from lamina_cli.commands.recall import add_filters, as_object, filter_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_filters(parser)
    parser.add_argument("--superseded", action="store_true", help="those too whose place another memory took")
    parser.add_argument("--limit", type=positive, default=50, metavar="N", help="at most so many (default: 50)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """List them, tier by tier."""

    async def work(context: Context) -> int:
        hits: list[Hit] = []
        more = False
        wanted = filter_of(arguments)
        with busy("reading"):
            async for hit in context.memories(filter=wanted, tiers=arguments.tier, superseded=arguments.superseded):
                if len(hits) == arguments.limit:
                    more = True
                    break
                hits.append(hit)
        if arguments.json:
            write_json({"memories": [_object(hit) for hit in hits], "more": more})
            return 0
        if not hits:
            note("nothing is remembered" if wanted == Filter() and not arguments.tier else "no memory fits")
            return 0
        show(_table(hits))
        if more:
            note(f"only the first {number(arguments.limit)}; for more: --limit")
        return 0

    return in_context(arguments, work)


def _table(hits: Iterable[Hit]) -> Table:
    table = Table(["tier", "~memory", "kind", ">uses", "*what"])
    for hit in hits:
        memory = hit.memory
        gone = f"[superseded by {memory.superseded_by}] " if memory.superseded_by else ""
        table.add(hit.tier, memory.id, memory.kind, number(memory.uses), gone + first_line(memory.text))
    return table


def _object(hit: Hit) -> dict[str, Any]:
    told = {name: value for name, value in as_object(hit).items() if name not in ("score", "scores", "same")}
    return {**told, "superseded_by": hit.memory.superseded_by}
