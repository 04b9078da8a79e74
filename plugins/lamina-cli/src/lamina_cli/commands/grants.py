"""``lamina grants``: whether a call would be allowed, by which rule, and why."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from lamina import Call, Context
from lamina.kit.subjects import subject_of
from lamina.protocols import Effects, ToolSpec
from lamina_cli._context import add_json, in_context
from lamina_cli._failures import wrong
from lamina_cli._output import note, say, visible, write_json

_CALL = re.compile(r"([A-Za-z0-9_-]+)(?:\((.*)\))?", re.DOTALL)
_KINDS = {"shell": "command", "path": "path", "text": "text"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("test",), help="test: decide about a call without running it")
    parser.add_argument("call", metavar="CALL", help='a tool and what it is given: "shell(git push)", "recall", or NAME({…}) with JSON')  # fmt: skip
    parser.add_argument("--session", metavar="ID", help="the session that it would be for")
    parser.add_argument("--as", dest="kind", choices=tuple(_KINDS), help="what the argument of a tool is that is not installed (default: by its name)")  # fmt: skip
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the answer, the rule that decides, and why."""
    match = _CALL.fullmatch(arguments.call.strip())
    if match is None:
        wrong(f'{arguments.call!r} is no call; write NAME or NAME(ARGUMENT), such as "shell(git push)"')
    name, argument = match[1], match[2]

    async def work(context: Context) -> int:
        known = name in context.tools.names()
        spec = context.tools.get(name).spec if known else _assumed(name, arguments.kind)
        call = Call(name, _arguments(argument, spec), id="test", session=arguments.session)
        decision = await context.tools.decide(call, spec)
        if arguments.json:
            write_json({"tool": name, "arguments": call.arguments, "known": known, "answer": decision.answer, "rule": decision.rule, "why": decision.why})  # fmt: skip
            return 0
        if not known:
            note(
                f"no tool named {name!r} is configured; taken to be one that destroys, and its argument to be a {_kind(spec)}"
            )
        say(f"{decision.answer}: {visible(decision.rule)}" + (f": {visible(decision.why)}" if decision.why else ""))
        return 0

    return in_context(arguments, work)


def _kind(spec: ToolSpec) -> str:
    subject = subject_of(spec)
    return {"shell": "command line", "path": "path"}.get(subject.kind if subject else "", "text")


def _assumed(name: str, kind: str | None) -> ToolSpec:
    """A tool that is not there, with the worst effects."""
    if kind is None:
        folded = name.lower()
        shell = any(word in folded for word in ("shell", "bash", "exec", "terminal", "command"))
        kind = "shell" if shell else "path" if re.search(r"file|read|write|edit|path|dir", folded) else "text"
    properties = {_KINDS[kind]: {"type": "string", "format": kind}}
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return ToolSpec(name, "not installed", parameters, effects=Effects(destructive=True, open_world=True))


def _arguments(argument: str | None, spec: ToolSpec) -> dict[str, Any]:
    if argument is None:
        return {}
    if argument.lstrip().startswith("{"):
        try:
            given = json.loads(argument)
        except ValueError:
            given = None
        if isinstance(given, dict):
            return given
    subject = subject_of(spec)
    if subject is None:
        wrong(f'{spec.name!r} takes no text; give its arguments as JSON: "{spec.name}({{…}})"')
    return dict.fromkeys(subject.names, argument)
