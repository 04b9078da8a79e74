"""Tools that executors are tested with: plain functions, found from any process.

What they do is seen in files, because they may run elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from lamina.model import Image, Text
from lamina.outputs import Blob, Output, failed
from lamina.protocols import Progress, RunRequest


class Unlucky(Exception):  # noqa: N818  a tool's own exception, which no executor knows
    """What a failing tool raises."""


def _append(file: str, text: str) -> None:
    with Path(file).open("a") as out:
        out.write(text)


def _count(folder: str) -> int:
    return len(list(Path(folder).iterdir()))


async def echo(value: object = None) -> Output:
    """Give what it is given: a text as text, anything else as the structured value."""
    return Output((Text(value),)) if isinstance(value, str) else Output(structured=value)


async def everything() -> Output:
    """Give an output with all that there is in one."""
    blob = Blob("application/x-thing", bytes(range(256)), name="thing")
    return Output((Text("a\n"), Image("image/png", "aGk="), blob, Text("")), {"a": [1, None, 1.5, True, "x"]})


async def fails_politely() -> Output:
    """Give a failure."""
    return failed("Busy", "the printer is busy", retryable=True, hint="wait")


async def runs(file: str) -> str:
    """Write a line."""
    _append(file, "run\n")
    await asyncio.sleep(0)
    return "done"


async def fails(file: str) -> str:
    """Write a line, and raise."""
    await runs(file)
    raise Unlucky("as expected")


async def times_out_itself() -> str:
    """Raise a TimeoutError of its own."""
    raise TimeoutError("the tool's own")


async def ticks(file: str) -> str:
    """Write ever more into a file, for ever."""
    while True:
        _append(file, ".")
        await asyncio.sleep(0.01)


def blocks(file: str, seconds: float) -> str:
    """Block the thread that it runs in."""
    Path(file).write_text("began")
    time.sleep(seconds)
    return "unblocked"


async def meets(folder: str, number: int, of: int) -> str:
    """Wait until all of them are there."""
    _append(f"{folder}/{number}", "here")
    async with asyncio.timeout(8):
        while _count(folder) < of:  # noqa: ASYNC110 - the others may be in other processes
            await asyncio.sleep(0.01)
    return str(number)


async def tells(request: RunRequest) -> str:
    """Tell progress, and who asked."""
    for done in range(3):
        request.report(Progress(done, 3, f"step {done}"))
    call = request.call
    return f"{call.tool} {call.id} {call.session} {request.key} {request.attempt}"
