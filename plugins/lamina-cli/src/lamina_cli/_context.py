"""How commands get at the configuration, the context and the session that is meant."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from pathlib import Path

from attrs import frozen

import lamina
from lamina import Config, Context, Session, SessionInfo
from lamina.config import load
from lamina.errors import UnknownSessionError
from lamina.session import Imported
from lamina_cli._failures import JobError, wrong
from lamina_cli._output import busy, note


def configuration(arguments: argparse.Namespace) -> Config:
    """The effective configuration, by the global options.

    Raises:
        ConfigError: Every fault at once.
    """
    return load(arguments.config, settings=arguments.settings, profile=arguments.profile, catalogue=arguments.catalogue)


def in_context(arguments: argparse.Namespace, work: Callable[[Context], Awaitable[int]]) -> int:
    """Do the work in an opened context and give its exit code."""
    config = configuration(arguments)

    async def run() -> int:
        async with lamina.open(config=config) as context:
            return await work(context)

    return asyncio.run(run())


def add_json(parser: argparse.ArgumentParser) -> None:
    """Give a command ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def add_strict(parser: argparse.ArgumentParser) -> None:
    """Give a command ``--strict``."""
    parser.add_argument("--strict", action="store_true", help="refuse a file with a half-written line, instead of skipping it")  # fmt: skip


def positive(text: str) -> int:
    """A whole number above zero, for argparse."""
    try:
        value = int(text.replace("_", ""))
    except ValueError:
        value = 0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return value


@frozen
class Taken:
    """The session that a command is about."""

    session: Session
    imported: Imported | None
    """What was stored of it just now, where a file was named."""


async def take(context: Context, given: str, chosen: str | None = None, *, strict: bool = False) -> Taken:
    """The session of a file (stored first), of standard input (``-``), or the stored one of this id.

    Raises:
        UsageError: Several sessions and no choice, or a choice where there is none.
        JobError: Neither a file nor a stored session, or nothing in it.
        FormatError: The file cannot be read; nothing was stored.
    """
    kind = _kind(given)
    if kind != "file":
        known = {info.id for info in await context.sessions()}
        if given in known:
            if chosen not in (None, given):
                wrong(f"{given} is a stored session; --session chooses among those of a file")
            return Taken(await context.session(given, create=False), None)
        if kind == "folder":
            raise JobError(f"{given}: is a folder; name a file in it, or a stored session")
        raise JobError(f"{given}: no such file, and no stored session of this id; check the path, or: lamina sessions")
    with busy(f"reading {Path(given).name}"):
        imported = await _import_one(context, given, chosen, strict)
    return Taken(await context.session(imported.session), imported)


def _kind(given: str) -> str:
    path = Path(given)
    if given == "-":
        return "file"
    try:
        return "folder" if path.is_dir() else "file" if path.exists() else ""
    except (OSError, ValueError):  # too long for a path, or with U+0000 in it
        return ""


def read(given: str) -> tuple[bytes, str]:
    """The bytes of a file or of standard input (``-``), and the source's name."""
    if given != "-":
        return Path(given).read_bytes(), given
    data = sys.stdin.buffer.read()
    # Named by its content: what else comes through a pipe some day is another session.
    return data, f"stdin-{blake2b(data, digest_size=4).hexdigest()}"


async def _import_one(context: Context, given: str, chosen: str | None, strict: bool) -> Imported:
    data, source = read(given)
    done = await context.import_data(data, source, session=chosen, single=True, strict=strict) if data.strip() else []
    if not done or not done[0].pages:
        skipped = f" (skipped: {skips(done[0])})" if done and done[0].skipped else ""
        raise JobError(f"{given}: holds no messages{skipped}; give a recorded session")
    return done[0]


def skips(imported: Imported) -> str:
    """What was skipped of an import and why: ``3 summary, 1 progress``."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(imported.skipped.items()))


def damage(imported: Imported) -> list[str]:
    """Which lines are half-written, in words; nothing where none is."""
    if not imported.damaged:
        return []
    lines = ", ".join(map(str, imported.damaged[:20])) + (", …" if len(imported.damaged) > 20 else "")
    what = "line" if len(imported.damaged) == 1 else "lines"
    return [f"{what} {lines}: half-written or overwritten, skipped; refuse such files with --strict"]


async def stored(context: Context, id: str | None) -> SessionInfo:
    """What is stored of the session of this id, or of the one used last, which is then named.

    Raises:
        UnknownSessionError: There is none of this id.
        JobError: There is none at all.
    """
    infos = await context.sessions()
    if id is None:
        if not infos:
            raise JobError("no session is stored yet; store one with: lamina import FILE")
        note(f"session {infos[0].id}, the one used last (choose another with --session)")
        return infos[0]
    for info in infos:
        if info.id == id:
            return info
    raise UnknownSessionError(id, [info.id for info in infos])
