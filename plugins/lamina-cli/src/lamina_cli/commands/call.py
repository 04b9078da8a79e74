"""``lamina call``: run one tool."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from attrs import asdict

from lamina import Call, CallResult, Context
from lamina.protocols import Decision
from lamina_cli import commands
from lamina_cli._context import add_json, in_context
from lamina_cli._failures import FAILED, wrong
from lamina_cli._output import for_reader, is_terminal, note, say, visible, write_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="NAME", help="the tool; lamina tools lists them")
    parser.add_argument("--args", default="{}", metavar="JSON", help="its arguments, an object; - for standard input")
    parser.add_argument("--session", metavar="ID", help="the session that it is called for")
    parser.add_argument("--yes", action="store_true", help="allow the call where the grants ask")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run it as an agent would: checked, permitted, within its time. Exit code 1 where it failed."""
    given = _arguments(arguments.args)
    interactive = arguments.args != "-" and is_terminal(sys.stdin) and is_terminal(sys.stderr)

    async def ask(call: Call, decision: Decision) -> bool | None:
        if arguments.yes:
            return True
        if not interactive:
            return None
        why = f" ({visible(decision.why)})" if decision.why else ""
        say(f"lamina: {visible(decision.rule)}{why}\nRun {visible(call.tool)} {visible(json.dumps(given, ensure_ascii=False))}? [y/N] ", sys.stderr)  # fmt: skip
        answer = await asyncio.to_thread(sys.stdin.readline)
        return answer.strip().lower() in ("y", "yes")

    async def work(context: Context) -> int:
        result = await context.tools.call(Call(arguments.name, given, id="cli", session=arguments.session))
        if arguments.json:
            write_json(_object(result))
        else:
            say(for_reader(result.text))
            for part in result.output.parts if result.output is not None else ():
                if getattr(part, "reference", ""):
                    note("large parts are kept in the storage, by the reference shown")
        return FAILED if result.error else 0

    commands.asking = ask
    try:
        return in_context(arguments, work)
    finally:
        commands.asking = None


def _arguments(text: str) -> dict[str, Any]:
    if text == "-":
        text = sys.stdin.read()
    try:
        given = json.loads(text)
    except ValueError as error:
        wrong(f"--args is no JSON: {error}")
    if not isinstance(given, dict):
        wrong(f'--args holds {type(given).__name__}; give an object, such as \'{{"query": "port"}}\'')
    return given


def _object(result: CallResult) -> dict[str, Any]:
    output, grant = result.output, result.grant
    return {
        "tool": result.call.tool,
        "arguments": dict(result.call.arguments),
        "state": result.state,
        "text": result.text,
        "structured": None if output is None else output.structured,
        "failure": None if output is None or output.failure is None else asdict(output.failure),
        "tries": result.tries,
        "elapsed_s": result.elapsed_s,
        "grant": None if grant is None else asdict(grant),
    }
