"""The command: its arguments, and what it writes where."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from lamina.errors import LaminaError
from lamina_command_replay._recording import Recording, read
from lamina_command_replay._replay import Emit, Outcome, ReplayError, open_all, replay
from lamina_command_replay._report import as_json, show


class _WrongUseError(LaminaError):
    """The arguments do not go together; exit code 2."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="recorded sessions, in any installed format")
    add("--budget", type=_positive, required=True, metavar="N", help="tokens of each window")
    add("--config", action="append", metavar="FILE", help="a lamina.toml; given several times, they are compared")
    add("--session", action="append", metavar="ID", help="only this session, or those that fit a pattern (tau/*)")
    add("--emit", metavar="OUT.jsonl", help="write every window, one line per step, in OpenAI form")
    add("--html", metavar="OUT.html", help="write a report for a browser: one page with everything in it")
    add("--json", action="store_true", help="write the figures as JSON")


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if value <= 0:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def run(args: argparse.Namespace) -> int:
    """Replay, and write what came of it.

    Returns:
        0 done, 2 used wrongly.

    Raises:
        LaminaError: The job failed.
        OSError: A file is not there.
    """
    try:
        # Opened first: whether the report can be written shows before the work.
        with _reporting(args.html) as report:
            outcomes = asyncio.run(_replayed(args))
            report(args.budget, outcomes)
    except _WrongUseError as error:
        sys.stderr.write(f"lamina: {error}\n")
        return 2
    if args.json:
        sys.stdout.write(json.dumps(as_json(args.budget, outcomes), indent=2) + "\n")
    else:
        show(outcomes, sys.stdout)
    return 0


async def _replayed(args: argparse.Namespace) -> list[Outcome]:
    configs: list[str | None] = list(args.config or [None])
    if args.emit and len(configs) > 1:
        raise _WrongUseError("--emit takes the windows of one configuration; give --config at most once with it")
    # What the command line sets for every command; absent where another surface runs this one.
    settings, profile = getattr(args, "settings", None), getattr(args, "profile", None)
    async with open_all(configs, settings=settings, profile=profile) as opened:
        recordings = read(opened[0][1], args.files, args.session or ())
        _check(recordings, args)
        total = len(opened) * sum(len(recording.messages) for recording in recordings)
        with _emitting(args.emit) as emit, _progress(total) as told:
            await replay(opened, recordings, args.budget, emit=emit, trace=bool(args.html), told=told)
    outcomes = [outcome for outcome, _ in opened]
    if not any(one.figures.steps for one in outcomes):
        raise ReplayError(f"{', '.join(args.files)}: no session has an assistant message after its first message")
    return outcomes


def _check(recordings: Sequence[Recording], args: argparse.Namespace) -> None:
    if recordings:
        return
    if args.session:
        raise _WrongUseError(f"no session fits --session {' '.join(args.session)}")
    raise ReplayError(f"{', '.join(args.files)}: no messages in it")


@contextlib.contextmanager
def _emitting(out: str | None) -> Iterator[Emit | None]:
    """Collects windows in a file that gets its name when all are there."""
    if out is None:
        yield None
        return
    with _whole(out) as file:

        def emit(session: str, index: int, messages: list[dict[str, Any]]) -> None:
            file.write(_line({"transcript": session, "step": index, "messages": messages}))

        yield emit


@contextlib.contextmanager
def _reporting(out: str | None) -> Iterator[Callable[[int, Sequence[Outcome]], None]]:
    """Writes the report to a file, if one is wanted."""
    if not out:
        yield lambda budget, outcomes: None
        return
    with _whole(out) as file:

        def write(budget: int, outcomes: Sequence[Outcome]) -> None:
            import lamina
            from lamina_command_replay._html import as_html

            file.write(as_html(budget, outcomes, lamina.__version__))

        yield write


@contextlib.contextmanager
def _whole(out: str) -> Iterator[TextIO]:
    """A file that gets its name when all is written: nobody reads half of it."""
    final = Path(out)
    # A pipe or a device cannot be replaced.
    path = final.with_name(f"{final.name}.{os.getpid()}.part") if final.is_file() or not final.exists() else final
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        if path != final:
            path.replace(final)
    finally:
        if path != final:
            path.unlink(missing_ok=True)


def _line(value: dict[str, Any]) -> str:
    line = json.dumps(value, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:  # a lone surrogate, which recordings may hold in escaped form
        line = json.dumps(value)
    return line + "\n"


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on standard error where that is a terminal; nothing in a pipe."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda session: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replaying", total=total)

        def told(session: str) -> None:
            shown = "".join(c if c.isprintable() else "?" for c in session[-40:])
            progress.update(task, advance=1, description=escape(shown))

        yield told
