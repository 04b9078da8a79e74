"""``lamina explain``: the ledger of a session's current window."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from attrs import asdict

from lamina import Context, Window
from lamina_cli import _ledger
from lamina_cli._context import Taken, add_json, in_context, positive, take
from lamina_cli._output import busy, first_line, number, say, score, share, write_json
from lamina_cli._pages import one_page
from lamina_cli._tables import Table, show


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("given", metavar="SESSION", help="a stored session's id, or a recorded session's file")
    parser.add_argument("page", metavar="ID", nargs="?", help="only this page")
    parser.add_argument("--budget", type=positive, metavar="TOKENS", help="tokens of the window (default: those of the last one)")  # fmt: skip
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Build the window as it stands and tell what became of each page."""
    page = None if arguments.page is None else one_page(arguments.page)

    async def work(context: Context) -> int:
        taken = await take(context, arguments.given)
        budget = arguments.budget or taken.session.budget
        with busy("building the window"):
            window = await taken.session.window(budget)
        if page is not None:
            _explain_page(taken, window, page, arguments.json)
        elif arguments.json:
            write_json(_object(taken, window, _ledger.as_rows(window.ledger)))
        else:
            session = taken.session
            percent = share(window.tokens, session.tokens)
            say(f"session {session.id}: {number(session.tokens)} → {number(window.tokens)} tokens ({percent}) of a budget of {number(window.budget)}\n")  # fmt: skip
            show(_table(window))
            for repair in window.ledger.repairs:
                say(f"repaired: {repair}", sys.stdout)
        if taken.imported is not None:
            await context.tier_counts()
        return 0

    return in_context(arguments, work)


def _object(taken: Taken, window: Window, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "session": taken.session.id,
        "budget": window.budget,
        "tokens": {"before": taken.session.tokens, "after": window.tokens},
        "ledger": rows,
        "repairs": list(window.ledger.repairs),
    }


def _table(window: Window) -> Table:
    return _ledger.table([_ledger.Run((row,)) for row in window.ledger.rows], lines=True)


def _explain_page(taken: Taken, window: Window, page: int, as_json: bool) -> None:
    told = taken.session.page(page)
    row = window.ledger.page(page)
    if as_json:
        facts = {"id": page, "role": told.role, "tokens": told.tokens, "pinned": told.pinned}
        write_json({**_object(taken, window, [asdict(row)]), "page": facts})
        return
    run = _ledger.pages_text(row.first, row.last)
    stands = row.rendition if row.first == row.last else f"{row.rendition}, with pages {run}"
    say(f"page {page} of session {taken.session.id}, budget {number(window.budget)}")
    facts_table = Table(["", "*"])
    facts_table.add("says", f"{told.role}: {first_line(told.text)}")
    facts_table.add("as said", f"{number(told.tokens)} tokens{', pinned' if told.pinned else ''}")
    facts_table.add("stands", stands)
    facts_table.add("why", row.rule)
    if row.score is not None:
        facts_table.add("score", score(row.score))
    if row.compressor:
        facts_table.add("by", row.compressor)
    for line in (line for line in row.lines if line.page == page):
        facts_table.add("stands as", _ledger.told(line))
    for note in row.notes:
        facts_table.add("as sent", note)
    facts_table.add("in the window", f"{number(row.tokens_after)} tokens for {number(row.tokens_before)}")
    show(facts_table)
