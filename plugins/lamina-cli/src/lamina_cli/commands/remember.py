"""``lamina remember``: a note that outlives every window."""

from __future__ import annotations

import argparse
import sys

from attrs import asdict

from lamina import Context
from lamina_cli._context import add_json, in_context
from lamina_cli._failures import wrong
from lamina_cli._output import say, write_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("text", metavar="TEXT", nargs="+", help="what to remember; - for standard input")
    parser.add_argument("--tag", action="append", default=[], metavar="TAG", help="a word to file it under; may be repeated")  # fmt: skip
    parser.add_argument("--kind", choices=("episodic", "semantic", "procedural"), default="semantic", help="what happened, what is so, or how something is done (default: semantic)")  # fmt: skip
    parser.add_argument("--importance", type=_importance, default=0.5, metavar="N", help="0 (trivia) to 1 (never forget); default: 0.5")  # fmt: skip
    add_json(parser)


def _importance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Write the memory and print its id."""
    text = " ".join(arguments.text)
    if text == "-":
        text = sys.stdin.read()
    text = text.strip()
    if not text:
        wrong("the text is empty; say what to remember")

    async def work(context: Context) -> int:
        memory = await context.remember(text, kind=arguments.kind, tags=arguments.tag, importance=arguments.importance)
        if arguments.json:
            write_json({"memory": asdict(memory)})
        else:
            say(memory.id)
        return 0

    return in_context(arguments, work)
