"""``lamina expand``: the original text of pages."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from lamina import Context, Page
from lamina_cli._context import in_context, stored
from lamina_cli._failures import wrong
from lamina_cli._output import first_line, for_reader, note, number, say, write_bytes, write_json
from lamina_cli._pages import span
from lamina_cli._tables import Table, show


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("pages", metavar="ID|RANGE", help="a page (12, SESSION#12) or a run of them (12-30), which is listed")  # fmt: skip
    parser.add_argument("--session", metavar="ID", help="the session (default: the one used last)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--raw", action="store_true", help="the source records, byte for byte, one after the other")
    how.add_argument("--json", action="store_true", help="print one JSON object instead")


def run(arguments: argparse.Namespace) -> int:
    """Print the pages."""
    wanted = span(arguments.pages)
    if None not in (wanted.session, arguments.session) and wanted.session != arguments.session:
        wrong(f"{arguments.pages!r} and --session {arguments.session} name different sessions; leave one out")

    async def work(context: Context) -> int:
        info = await stored(context, wanted.session or arguments.session)
        session = await context.session(info.id, create=False)
        if arguments.raw:
            for record in await session.raw(wanted.first, wanted.last):
                write_bytes(record + b"\n")
        elif arguments.json:
            pages = await session.expand(wanted.first, wanted.last)
            write_json({"session": session.id, "pages": [_object(page) for page in pages]})
        elif wanted.last is not None:
            # A list shows where to look; only what is then read counts as needed.
            _list(session.select(wanted.first, wanted.last))
        else:
            _print((await session.expand(wanted.first))[0])
        return 0

    return in_context(arguments, work)


def _object(page: Page) -> dict[str, Any]:
    return {
        "id": page.id,
        "role": page.role,
        "tokens": page.tokens,
        "messages": len(page.messages),
        "pinned": page.pinned,
        "text": page.text,
    }


def _list(pages: Sequence[Page]) -> None:
    listed = Table([">page", "role", ">tokens", "*says"])
    for page in pages:
        listed.add(str(page.id), page.role, number(page.tokens), first_line(page.text))
    show(listed)


def _print(page: Page) -> None:
    text = page.text
    if not text:
        parts = sorted({type(part).__name__.lower() for message in page.messages for part in message.parts})
        note(f"page {page.id} has no text ({', '.join(parts) or 'empty'}); --raw prints its source record")
        return
    say(for_reader(text), sys.stdout)
