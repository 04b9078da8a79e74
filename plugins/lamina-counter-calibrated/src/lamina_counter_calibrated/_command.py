"""``lamina calibrate``: reads recordings, and writes what they teach."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from lamina.config import Config, load
from lamina.context import open_part
from lamina.errors import FormatError, LaminaError, UnknownPluginError
from lamina.protocols import Counter, CountRequest, Format, ParseRequest
from lamina_counter_calibrated import CalibratedSettings
from lamina_counter_calibrated._classes import CLASSES
from lamina_counter_calibrated._file import Store, learn, read, write
from lamina_counter_calibrated._fit import Calibration, Pair
from lamina_counter_calibrated._usage import pairs_of


class NoUsageError(LaminaError):
    """The recordings report no usage that can be compared with a count."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="recorded sessions with reported usage, in any installed format")
    add("--counter", metavar="NAME", help="the configured counter to correct (default: the window's)")
    add("--format", metavar="NAME", default="auto", help="the recordings' format (default: found out)")
    add("--file", metavar="OUT.json", help="where calibrations are kept (default: calibration.json in lamina's home)")


def run(args: argparse.Namespace) -> int:
    """Read, learn, write, and show what was learned.

    Raises:
        LaminaError: A recording cannot be read, or none reports usage.
        OSError: A file is not there, or cannot be written.
    """
    config = load(
        getattr(args, "config", None), settings=getattr(args, "settings", None), profile=getattr(args, "profile", None)
    )
    name, path = _chosen(config, args)
    recordings = [ParseRequest(data=Path(file).read_bytes(), source=file) for file in args.files]
    pairs = asyncio.run(_pairs(config, name, args.format, recordings))
    if not pairs:
        raise NoUsageError(
            f"no usage that can be compared is reported in {', '.join(args.files)}; recordings need the usage beside"
            " each answer, and two answers at least"
        )
    store, added = learn(read(path), pairs)
    write(path, store)
    _show(store, pairs, added, name, path)
    return 0


def _chosen(config: Config, args: argparse.Namespace) -> tuple[str, Path]:
    """The counter to correct, and the file."""
    name, file = args.counter or config.window.counter, "calibration.json"
    settings = config.instance("counter", name).settings
    if isinstance(settings, CalibratedSettings):  # the window's own: what it corrects, and where it looks
        name, file = settings.counter, str(settings.file)
    home = Path(config.top.home).expanduser()
    return name, Path(args.file).absolute() if args.file else home / Path(file).expanduser()


async def _pairs(config: Config, counter: str, form: str, recordings: Sequence[ParseRequest]) -> list[Pair]:
    out: list[Pair] = []
    async with AsyncExitStack() as stack:
        part: Counter = await stack.enter_async_context(open_part(config, "counter", counter))
        names = dict.fromkeys([*config.names("format"), *config.catalogue.names("format")])
        formats = {name: await stack.enter_async_context(open_part(config, "format", name)) for name in names}

        def count(texts: Sequence[str]) -> Sequence[int]:
            return part.count(CountRequest(texts=texts))

        for request in recordings:
            parsed = _format(formats, form, request).parse(request)
            out += pairs_of(parsed, count, part.info.fingerprint, request.source)
    return out


def _format(formats: dict[str, Format], name: str, request: ParseRequest) -> Format:
    if name != "auto":
        if name not in formats:
            raise UnknownPluginError("format", name, tuple(formats))
        return formats[name]
    sure = {name: form.sniff(request) for name, form in formats.items()}
    best = max(sure, key=lambda n: sure[n], default=None)
    if best is None or sure[best] <= 0:
        known = ", ".join(sorted(formats)) or "none"
        raise FormatError(f"no installed format fits; name one with --format (installed: {known})", request.source)
    return formats[best]


def _show(store: Store, pairs: Sequence[Pair], added: int, counter: str, path: Path) -> None:
    say = sys.stdout.write
    say(f"{added} new requests of {len(pairs)} read; kept in {path}\n")
    read_now = {(pair.model, pair.counter) for pair in pairs}
    for calibration in store.calibrations:
        if (calibration.model, calibration.counter) in read_now:
            say("\n".join(["", *_lines(calibration, counter, path), ""]))


def _lines(made: Calibration, counter: str, path: Path) -> list[str]:
    before, after = made.before, made.after
    factors = ", ".join(
        f"{name} {made.factors[name]:.2f}" for name in CLASSES if made.evidence.get(name) or name == "prose"
    )
    return [
        f"{made.model or 'a model without a name'}: {made.pairs} requests of {made.sessions} sessions",
        f"  off before  {before.mean:6.1%} on average, 95 % within {before.p95:.1%}",
        f"  off after   {after.mean:6.1%} on average, 95 % within {after.p95:.1%}  (each session by the others)",
        f"  factors     {factors}; a message {made.message_tokens:.0f}, a call {made.call_tokens:.0f}",
        f"  margin      {after.margins[2]:.1%} covers 95 % of requests",
        "",
        "  [counters.calibrated]",
        f"  counter = {json.dumps(counter, ensure_ascii=False)}",
        f"  model = {json.dumps(made.model, ensure_ascii=False)}",
        f"  file = {json.dumps(str(path), ensure_ascii=False)}",
    ]
