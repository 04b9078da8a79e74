"""The worker's side: reads calls, runs tools, writes outputs. Started by :mod:`lamina_executor_process._worker`."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import resource
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from lamina.outputs import Output, failed, failure_of
from lamina.protocols import Progress
from lamina_executor_process._frames import LENGTH, call_of_frame, frame_of_output, packed

_PR_SET_CHILD_SUBREAPER = 36


def main(descriptor: int) -> None:
    """Serve calls until the other side is gone."""
    channel = socket.socket(fileno=descriptor)
    channel.set_inheritable(False)  # what a tool starts must not speak for it
    limits = _read(channel)
    _limit(limits)
    _adopt()
    channel.sendall(packed({"ready": True}))
    with asyncio.Runner() as runner, contextlib.suppress(EOFError, ConnectionError):
        while True:
            frame = _read(channel)
            _allow_cpu(limits["cpu_s"])
            answer = _answer(runner, channel, frame)
            answer["spoilt"] = _clean()
            channel.sendall(_bounded(answer, limits["output_mb"]))


def _read(channel: socket.socket) -> Any:
    def exactly(count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = channel.recv(min(count - len(data), 2**20))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    (length,) = LENGTH.unpack(exactly(LENGTH.size))
    return msgspec.msgpack.decode(exactly(length))


def _limit(limits: dict[str, Any]) -> None:
    for which, most in (
        (resource.RLIMIT_AS, limits["memory_mb"] * 2**20),
        (resource.RLIMIT_FSIZE, limits["file_mb"] * 2**20),
        (resource.RLIMIT_NOFILE, limits["files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(which)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # some systems know some of them only by name
            resource.setrlimit(which, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def _allow_cpu(seconds: float) -> None:
    """So many CPU seconds from now on: the system counts those of the process's whole life."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = math.ceil(used.ru_utime + used.ru_stime + seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def _adopt() -> None:
    """Become the parent of all that is started below, so that it can be found when its own parent has ended."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _answer(runner: asyncio.Runner, channel: socket.socket, frame: dict[str, Any]) -> dict[str, Any]:
    lock = threading.Lock()

    def report(progress: Progress) -> None:
        with lock, contextlib.suppress(OSError):
            channel.sendall(packed({"progress": [progress.done, progress.total, progress.text]}))

    try:
        output = runner.run(_run(frame, report))
    except MemoryError:
        output = failed("MemoryError", "needed more memory than it may have")
    except BaseException as error:  # noqa: BLE001 - whatever a tool raises, exit included, is its failure
        output = Output(failure=failure_of(error))
    if type(output) is not Output:
        output = failed("ContractError", f"returned {type(output).__name__}, not an Output")
    return frame_of_output(output)


async def _run(frame: dict[str, Any], report: Any) -> Any:
    request = call_of_frame(frame, report)
    key = (frame["target"], msgspec.json.encode(frame["settings"], order="sorted"))
    if key not in _OPEN:
        _OPEN[key] = await _tool(frame["target"], frame["settings"])
    tool = _OPEN[key]
    blocking = getattr(tool, "run_blocking", None)
    # It has the process for itself: a blocking tool may block the loop, and runs in the main thread.
    return blocking(request) if blocking is not None else await tool.run(request)


_OPEN: dict[tuple[str, bytes], Any] = {}
"""Tools that were found; they stay open as long as the process lives, which ends by being killed."""


async def _tool(target: str, settings: dict[str, Any]) -> Any:
    kind, _, name = target.partition(":")
    if kind != "tool":
        from lamina.tools import resolved

        return resolved(target)
    from lamina.config import load
    from lamina.context import open_part

    # The folder that it works in is empty, and the environment has none of lamina's variables.
    part = open_part(load(settings=settings, environ={}), "tool", name)
    return await part.__aenter__()


def _bounded(answer: dict[str, Any], output_mb: int) -> bytes:
    try:
        data = packed(answer)
    except (MemoryError, TypeError, ValueError, OverflowError) as error:
        return packed({**frame_of_output(Output(failure=failure_of(error))), "spoilt": True})
    if len(data) > output_mb * 2**20:
        why = f"gave {len(data) // 2**20} MB; at most {output_mb} are taken"
        return packed({**frame_of_output(failed("OutputTooLarge", why, hint="ask for less")), "spoilt": True})
    return data


def _clean() -> bool:
    """Whether the call left something behind: processes, or threads. Then this process is not used again."""
    left = False
    try:
        for thread in Path("/proc/self/task").iterdir():
            left = left or bool((thread / "children").read_text().split())
    except OSError:
        pass
    return left or threading.active_count() > 1


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(0)  # threads that a tool left do not hold it up
