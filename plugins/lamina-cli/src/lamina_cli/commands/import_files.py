"""``lamina import``: recorded sessions into the store."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import asdict, define, field

from lamina import Context
from lamina.session import Imported
from lamina_cli._context import add_json, add_strict, damage, in_context, read, skips
from lamina_cli._failures import FAILED, told, wrong
from lamina_cli._output import busy, is_terminal, note, number, plural, say, write_json
from lamina_cli._tables import Table, show


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a recorded session or a set of them; - for standard input"
    )
    parser.add_argument("--session", metavar="ID", help="which session of a file that holds several; or the id to store it under")  # fmt: skip
    parser.add_argument("--format", default="auto", metavar="NAME", help="the files' format (default: found out by their content)")  # fmt: skip
    add_strict(parser)
    add_json(parser)


@define
class Outcome:
    """What became of the files."""

    done: list[tuple[str, Imported]] = field(factory=list)
    empty: list[str] = field(factory=list)
    failed: list[tuple[str, str]] = field(factory=list)


def run(arguments: argparse.Namespace) -> int:
    """Store each file that can be read; one that cannot does not stop the others."""
    if arguments.session is not None and len(arguments.files) > 1:
        wrong("--session is for one file; import the files one by one, or leave it out")

    async def work(context: Context) -> int:
        if arguments.format != "auto":
            await context.format(arguments.format)
        outcome = Outcome()
        with _progress(arguments.files) as files:
            for file in files:
                await _import(context, file, arguments, outcome)
        with busy("indexing for recall"):
            await context.tier_counts()
        if arguments.json:
            write_json(_object(outcome))
        else:
            _print(outcome)
        return FAILED if outcome.failed else 0

    return in_context(arguments, work)


async def _import(context: Context, file: str, arguments: argparse.Namespace, outcome: Outcome) -> None:
    try:
        data, source = read(file)
        if not data.strip():
            outcome.empty.append(file)
            return
        done = await context.import_data(
            data, source, format=arguments.format, session=arguments.session, strict=arguments.strict
        )
    except Exception as error:  # noqa: BLE001 - the other files are still to be imported
        if arguments.debug:
            import traceback

            traceback.print_exception(error)
        text, _ = told(error)
        outcome.failed.append((file, text))
        note(text if file in text else f"{file}: {text}")
        return
    outcome.done += [(file, imported) for imported in done]
    if not done:
        outcome.empty.append(file)


@contextmanager
def _progress(files: Sequence[str]) -> Iterator[Iterator[str]]:
    """The files one by one, with a bar on a terminal's standard error; into a pipe nothing is written."""
    if not is_terminal(sys.stderr):
        yield iter(files)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=len(files))

        def each() -> Iterator[str]:
            for file in files:
                bar.update(task, description=Path(file).name)
                yield file
                bar.advance(task)

        yield each()


def _object(outcome: Outcome) -> dict[str, Any]:
    return {
        "imported": [{"file": file, **asdict(imported)} for file, imported in outcome.done],
        "empty": outcome.empty,
        "failed": [{"file": file, "error": error} for file, error in outcome.failed],
    }


def _print(outcome: Outcome) -> None:
    listed = Table(["~session", "format", ">new", ">already", ">pages", ">tokens", "~skipped", "~file"])
    for file, imported in outcome.done:
        listed.add(
            imported.session, imported.format, number(imported.added), number(imported.already),
            number(imported.pages), number(imported.tokens), skips(imported) or "–", file,
        )  # fmt: skip
    show(listed)
    for file, imported in outcome.done:
        for line in damage(imported):
            say(f"{file}: {line}")
    for file in outcome.empty:
        say(f"{file}: empty, nothing to import")
    added = sum(imported.added for _, imported in outcome.done)
    failed = f"; {plural(len(outcome.failed), 'file')} failed" if outcome.failed else ""
    say(f"{plural(added, 'new message')} in {plural(len(outcome.done), 'session')}{failed}")
