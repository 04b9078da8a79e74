"""Writes what commands have to say: text, JSON and bytes, on terminals and into pipes."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO


def is_terminal(stream: TextIO) -> bool:
    """Whether a person reads this stream as it is written, on something that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def say(text: str, stream: TextIO | None = None) -> None:
    """Write a line; what the stream's encoding lacks is shown as ``?``."""
    out = sys.stdout if stream is None else stream
    data = (text + "\n").encode(out.encoding or "utf-8", "replace")
    if hasattr(out, "buffer"):
        out.flush()
        _write(out.buffer, data)
    else:  # a program that calls main() may have put a StringIO there
        out.write(data.decode(out.encoding or "utf-8"))


def _write(out: BinaryIO, data: bytes) -> None:
    # Under PYTHONUNBUFFERED the stream is raw: it may take a part only, and says so by the count alone.
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) or 0 :]
    out.flush()


def note(text: str) -> None:
    """A line beside the result: to standard error, which a pipe does not carry on."""
    sys.stdout.flush()  # so that the two stay in order where both go to one place
    say(f"lamina: {text}", sys.stderr)
    sys.stderr.flush()


def write_bytes(data: bytes, out: str | None = None) -> None:
    """Write bytes as they are, to a file or standard output (``None`` or ``-``)."""
    if out is not None and out != "-":
        Path(out).write_bytes(data)
        return
    sys.stdout.flush()
    _write(sys.stdout.buffer, data)


def as_json(value: Any) -> bytes:
    """The value as indented JSON in UTF-8, with a line's end."""
    try:
        return (json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n").encode()
    except UnicodeEncodeError:  # a lone surrogate, which recordings may hold in escaped form
        return (json.dumps(value, ensure_ascii=True, indent=2, default=str) + "\n").encode()


def write_json(value: Any, out: str | None = None) -> None:
    """Write the value as JSON, to a file or standard output."""
    write_bytes(as_json(value), out)


def visible(text: str) -> str:
    """The text without characters that could steer a terminal: they are shown as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _escape(c) for c in text)


def _escape(character: str) -> str:
    return "" if character == "\r" else character.encode("unicode_escape").decode("ascii")


def for_reader(text: str) -> str:
    """The text as it is in a pipe, and harmless on a terminal."""
    return visible(text) if sys.stdout.isatty() else text


def first_line(text: str) -> str:
    """The first line with anything in it, on one line, harmless on terminals."""
    line = next((part for part in text.splitlines() if part.strip()), "")
    return " ".join(visible(line).split())


def number(value: int) -> str:
    """A count as people read it: ``12,345``."""
    return f"{value:,}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def share(part: int, whole: int) -> str:
    """A part of a whole in per cent; of nothing, all."""
    return f"{100 * part / whole:.1f} %" if whole else "100.0 %"


def score(value: float | None) -> str:
    """A score, short."""
    return "" if value is None else f"{value:.2f}"


def when(seconds: float) -> str:
    """A time here, as ``ls`` writes it: to the minute for half a year, then to the day."""
    recent = abs(time.time() - seconds) < 183 * 24 * 3600
    return time.strftime("%b %d %H:%M" if recent else "%b %d  %Y", time.localtime(seconds))


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on a terminal that something is under way; into a pipe nothing is written."""
    if not is_terminal(sys.stderr):
        yield
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(f"{escape(visible(what)[:60])} …"):
        yield
