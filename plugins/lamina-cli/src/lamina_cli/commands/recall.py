"""``lamina recall``: what was said or remembered, from all tiers."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from lamina import Context, Hit
from lamina.protocols import Filter
from lamina_cli._context import add_json, in_context, positive, stored
from lamina_cli._failures import wrong
from lamina_cli._output import busy, is_terminal, note, score, visible, write_json
from lamina_cli._tables import Table, show

EXCERPT = 240
"""Characters of a memory that the table shows, around the first word of the query."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("query", metavar="QUERY", nargs="+", help="any text")
    add_filters(parser)
    parser.add_argument("--explain", action="store_true", help="what each score is made of")
    parser.add_argument("--limit", type=positive, default=10, metavar="N", help="at most so many (default: 10)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Recall and list the hits, best first."""
    query = " ".join(arguments.query).strip()
    if not query:
        wrong("the query is empty; say what to look for")

    async def work(context: Context) -> int:
        if arguments.session is not None:
            await stored(context, arguments.session)
        with busy("looking"):
            hits = await context.recall(query, limit=arguments.limit, filter=filter_of(arguments), tiers=arguments.tier)
        if arguments.json:
            write_json({"query": query, "session": arguments.session, "hits": [as_object(hit) for hit in hits]})
            return 0
        if not hits:
            note(f"nothing recalled for {query!r}")
            return 0
        found = Table([">score", "tier", "~where", "*what"])
        for hit in hits:
            found.add(score(hit.score), hit.tier, hit.memory.id, excerpt(hit.memory.text, query))
        show(found)
        if arguments.explain:
            show(_explained(hits))
        pages = [hit.memory.id for hit in hits if hit.page is not None]
        if pages and is_terminal(sys.stdout):
            note(f"in full: lamina expand {shlex.quote(pages[0])}")
        return 0

    return in_context(arguments, work)


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which memories are meant."""
    parser.add_argument("--session", metavar="ID", help="only pages of this session, or memories of this thread")
    parser.add_argument("--tier", action="append", metavar="NAME", help="only of this tier; may be repeated")
    parser.add_argument("--tag", action="append", metavar="TAG", help="only with this tag; may be repeated: with all of them")  # fmt: skip
    parser.add_argument("--kind", choices=("episodic", "semantic", "procedural"), help="only of this kind")
    parser.add_argument("--author", metavar="NAME", help="only by this author; of a session's pages, their role")


def filter_of(arguments: argparse.Namespace) -> Filter:
    """The filter that the options say."""

    def given(values: Iterable[str] | None) -> frozenset[str] | None:
        return None if values is None else frozenset(values)

    return Filter(
        threads=given(arguments.session and [arguments.session]),
        tags=given(arguments.tag),
        kinds=given(arguments.kind and [arguments.kind]),
        authors=given(arguments.author and [arguments.author]),
    )


def _explained(hits: Sequence[Hit]) -> Table:
    """The features of each hit's score, and what shares its place."""
    table = Table([">", "~where", "feature", ">value"])
    for place, hit in enumerate(hits, start=1):
        for name, value in hit.scores.items():
            table.add(str(place), hit.memory.id, name, score(value))
        for id in hit.same:
            table.add(str(place), hit.memory.id, "says the same", id)
    return table


def as_object(hit: Hit) -> dict[str, Any]:
    """What ``--json`` says of a memory."""
    memory = hit.memory
    return {
        "id": memory.id,
        "text": memory.text,
        "score": hit.score,
        "scores": dict(hit.scores),
        "tier": hit.tier,
        "session": hit.session,
        "page": hit.page,
        "kind": memory.kind,
        "tags": list(memory.tags),
        "importance": memory.importance,
        "created_s": memory.created_s,
        "used_s": memory.used_s,
        "uses": memory.uses,
        "author": memory.author,
        "thread": memory.thread,
        "provenance": list(memory.provenance),
        "same": list(hit.same),
    }


def excerpt(text: str, query: str) -> str:
    """The part of the text in which the most words of the query stand, on one line."""
    line = " ".join(visible(text).split())
    if len(line) <= EXCERPT:
        return line
    words = sorted({w for w in re.findall(r"\w+", query.casefold()) if len(w) > 2 or not w.isascii()})
    folded = line.casefold()
    places = [m.start() for w in words for m in re.finditer(re.escape(w), folded)] or [0]
    best = max(places, key=lambda at: (sum(w in folded[at : at + EXCERPT // 2] for w in words), -at))
    start = max(0, min(best, len(line)) - EXCERPT // 8)
    return ("…" if start else "") + line[start : start + EXCERPT].strip() + ("…" if start + EXCERPT < len(line) else "")
