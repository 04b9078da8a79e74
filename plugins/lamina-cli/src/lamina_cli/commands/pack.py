"""``lamina pack``: a session's window for a budget, ready to send."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any, TextIO

from attrs import asdict

from lamina import Context, Session, Window
from lamina_cli import _ledger
from lamina_cli._context import Taken, add_json, add_strict, damage, in_context, positive, skips, take
from lamina_cli._output import busy, is_terminal, number, plural, say, share, write_json
from lamina_cli._tables import show

SHOWN_ROWS = 30
"""The report shows at most so many runs of pages; ``lamina explain`` shows all."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("given", metavar="SESSION", help="a recorded session's file, - for standard input, or a stored session's id")  # fmt: skip
    parser.add_argument("--budget", type=positive, metavar="TOKENS", help="tokens of the window (default: [window] budget)")  # fmt: skip
    parser.add_argument("--query", metavar="TEXT", help="what the window is wanted for: memories are recalled for it")
    parser.add_argument("--format", default="auto", metavar="NAME", help="form of the messages: auto (as they came), openai, anthropic")  # fmt: skip
    parser.add_argument("--session", metavar="ID", help="which session of a file that holds several; or the id to store it under")  # fmt: skip
    add_strict(parser)
    parser.add_argument("--out", metavar="FILE", help="write the messages there and the report to standard output")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Import, build the window, print it and the report."""

    async def work(context: Context) -> int:
        if arguments.format != "auto":
            await context.format(arguments.format)  # before anything is stored
        taken = await take(context, arguments.given, arguments.session, strict=arguments.strict)
        with busy("building the window"):
            window = await taken.session.window(arguments.budget, query=arguments.query)
        form = window.format if arguments.format == "auto" else arguments.format
        messages = window.messages(form)
        if arguments.json:
            write_json(_object(taken, window, form, messages, arguments.query), arguments.out)
        else:
            _print(arguments, taken, window, form, messages)
        with busy("indexing for recall"):
            await context.tier_counts()
        return 0

    return in_context(arguments, work)


def _object(
    taken: Taken, window: Window, form: str, messages: list[dict[str, Any]], query: str | None
) -> dict[str, Any]:
    session = taken.session
    return {
        "session": session.id,
        "format": form,
        "source_format": session.format,
        "budget": window.budget,
        "query": query,
        "tokens": {"before": session.tokens, "after": window.tokens},
        "pages": {"total": len(session.pages), **_ledger.counted(window, session.pages)},
        "compacted": window.compacted,
        "messages": messages,
        "ledger": _ledger.as_rows(window.told(form)),
        "notes": _ledger.notes(window.told(form).rows),
        "repairs": list(window.ledger.repairs),
        "imported": None if taken.imported is None else asdict(taken.imported),
    }


def _print(
    arguments: argparse.Namespace, taken: Taken, window: Window, form: str, messages: list[dict[str, Any]]
) -> None:
    if arguments.out not in (None, "-"):
        write_json(messages, arguments.out)
        report(taken, window, sys.stdout, form)
        say(f"\n{plural(len(messages), 'message')} written to {arguments.out}")
    elif is_terminal(sys.stdout) and arguments.out is None:
        report(taken, window, sys.stdout, form)
        given = shlex.quote(taken.session.id)
        say(f"\n{plural(len(messages), 'message')} ready to send: lamina pack {given} --budget {window.budget} --out FILE, or a pipe")  # fmt: skip
    else:
        write_json(messages)
        report(taken, window, sys.stderr, form)


def report(taken: Taken, window: Window, stream: TextIO, form: str | None = None) -> None:
    """Write what became of the session, for people; ``form`` is the form of the messages."""
    session, ledger = taken.session, window.told(form)
    origin = f"{session.format}, {session.source}" if session.source else session.format
    say(f"session {session.id} ({origin})", stream)
    if taken.imported is not None:
        there = taken.imported.already
        already = f", {plural(there, 'record')} already there" if there else ""
        skipped = f"; skipped: {skips(taken.imported)}" if taken.imported.skipped else ""
        say(f"stored: {plural(taken.imported.added, 'new message')}{already}{skipped}", stream)
        for line in damage(taken.imported):
            say(line, stream)
    percent = share(window.tokens, session.tokens)
    say(f"tokens: {number(session.tokens)} → {number(window.tokens)} ({percent}) of a budget of {number(window.budget)}", stream)  # fmt: skip
    say(f"{plural(len(session.pages), 'page')}: {_renditions(session, window)}\n", stream)
    made = _ledger.runs(ledger.rows)
    show(_ledger.table(made[:SHOWN_ROWS]), stream)
    if len(made) > SHOWN_ROWS:
        say(f"… and {len(made) - SHOWN_ROWS} more rows: lamina explain {shlex.quote(session.id)}", stream)
    if notes := _ledger.notes(ledger.rows):
        say(f"not sent as it came, by page: {'; '.join(notes)}", stream)
    for repair in ledger.repairs:
        say(f"repaired: {repair}", stream)


def _renditions(session: Session, window: Window) -> str:
    counts = _ledger.counted(window, session.pages)
    words = {"verbatim": "kept", "digest": "in excerpts", "recalled": "recalled beside them"}
    said = [f"{number(count)} {words.get(name, name)}" for name, count in counts.items() if count]
    return ", ".join(said) or "nothing in the window"
