"""The command ``lamina tune``: its arguments, and what it writes where."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lamina.errors import ConfigError
from lamina_command_replay._command import _positive
from lamina_command_replay._player import Player, laid
from lamina_command_replay._replay import ReplayError
from lamina_command_replay._schedule import split
from lamina_command_replay._search import Found, Limits, Search
from lamina_command_replay._space import Point, Space
from lamina_command_replay._toml import as_toml
from lamina_command_replay._tune_report import as_json, heading, show

_MINUTES = 5.0

_MORE = """\
A configuration is tried by replaying your sessions through it, as `lamina replay` does; no model is called. What is tried
are the installed pagers, scorers and chains of compressors, and those of their settings that declare a range. With
--trials the result is the same at every run; with --minutes the clock decides how far the search gets. Where six or more
sessions exceed the budget, a third of them is held out: the search never sees them, and the table shows both.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = _MORE
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="recorded sessions, in any installed format")
    add("--budget", type=_positive, metavar="N", help="tokens of each window (default: window.budget as configured)")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--minutes", type=_number, metavar="M", help=f"search for so long (default: {_MINUTES:g})")
    end.add_argument("--trials", type=_positive, metavar="N", help="try so many configurations instead")
    point = parser.add_mutually_exclusive_group()
    point.add_argument(
        "--at-most-bill", type=_number, metavar="X", help="choose what keeps the most for a bill up to X (0.5)"
    )
    point.add_argument(
        "--at-least-retention", type=_number, metavar="Y", help="choose what costs least and keeps at least Y (0.9)"
    )
    add("--keep", action="append", metavar="PATH", help="leave this as configured: window.pager, pagers.NAME.*")
    add("--session", action="append", metavar="ID", help="only this session, or those that fit a pattern (tau/*)")
    add("--out", metavar="FILE", help="write the configuration there (lamina.toml) instead of printing it")
    add("--json", action="store_true", help="write everything as JSON")


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def run(args: argparse.Namespace) -> int:
    """Search, and write what came of it.

    Returns:
        0 done, 1 no configuration fits what was asked for, 2 used wrongly.

    Raises:
        LaminaError: The job failed.
        OSError: A file is not there, or cannot be written.
    """
    # Before the search, not after minutes of it.
    if args.out and Path(args.out).exists():
        sys.stderr.write(f"lamina: {args.out} is there already; name another file with --out, or move it away\n")
        return 2
    player = Player(args)
    space = player.space(args.keep or ())
    found = asyncio.run(_searched(args, player, space))
    toml = None if found.chosen is None else written(player, space, found.chosen.point, heading(found, player.budget))
    if args.json:
        value = as_json(found, space, player.budget, lambda point: written(player, space, point))
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True) + "\n")
    else:
        show(found, space, player.budget, sys.stdout)
    if toml is None:
        sys.stderr.write(f"lamina: {_none(found, args)}\n")
        return 1
    if args.out:
        _write(Path(args.out), toml)
    if not args.json:
        sys.stdout.write(f"\nwritten to {args.out}\n" if args.out else f"\n{toml}")
    return 0


def _none(found: Found, args: argparse.Namespace) -> str:
    if not found.front:
        return "no configuration tried is free of faults on these sessions; try more of them, or a larger --budget"
    cases = found.split.search
    if args.at_most_bill is not None:
        least = found.front[0].figures(cases).bill
        return f"no configuration found costs at most {args.at_most_bill:g}; the least is {least:.3f}"
    most = found.front[-1].figures(cases).retention
    return f"no configuration found retains at least {args.at_least_retention:g}; the most is {most:.3f}"


async def _searched(args: argparse.Namespace, player: Player, space: Space) -> Found:
    seconds = None if args.trials else 60 * (args.minutes or _MINUTES)
    limits = Limits(args.trials, seconds, args.at_most_bill, args.at_least_retention)
    async with player.ready():
        cases, largest = await player.cases(args.files, args.session or ())
        if not cases:
            raise ReplayError(
                f"no session exceeds the budget of {player.budget:,} tokens at any step (the largest has {largest:,}), "
                "so nothing has to be left out and there is nothing to tune; give a smaller --budget or longer sessions"
            )
        with _progress(limits) as told:
            seed = player.own.top.seed or 0
            search = Search(space, split(cases), player, limits, clock=time.monotonic, seed=seed, told=told)
            return await search.run()


def written(player: Player, space: Space, point: Point, comment: str = "") -> str:
    """A ``lamina.toml`` that stands for a point: what the user's own file and arguments say, and the point over it.

    What the environment says is left to it. The text is read back before it is given away.
    """
    over: dict[str, Any] = {} if player.profile is None else {"profile": player.profile}
    text = comment + as_toml(laid(_file_of(player), over, player.given, space.settings(point)))
    tomllib.loads(text)
    return text


def _file_of(player: Player) -> dict[str, Any]:
    file = player.own.file
    if file is None:
        return {}
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:  # it was changed while the search ran
        raise ConfigError([f"{file}: not valid TOML: {error}"]) from error
    return dict(data.get("tool", {}).get("lamina", {})) if file.name == "pyproject.toml" else data


def _write(path: Path, text: str) -> None:
    # Exclusively: what came there while the search ran stays.
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)


@contextlib.contextmanager
def _progress(limits: Limits) -> Iterator[Callable[[int, float], None]]:
    """A bar on standard error where that is a terminal; nothing in a pipe."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda trials, seconds: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("tuning"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        total = limits.trials or limits.seconds
        task = progress.add_task("your own configuration", total=total)

        def told(trials: int, seconds: float) -> None:
            done = trials if limits.trials else min(seconds, total or seconds)
            progress.update(task, completed=done, description=f"{trials} tried")

        yield told
