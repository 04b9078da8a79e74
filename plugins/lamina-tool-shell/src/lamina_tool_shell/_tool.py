"""The tool."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from typing import TYPE_CHECKING

from lamina.model import Text
from lamina.outputs import Failure, Output
from lamina.protocols import Effects, Progress, RunRequest, ToolSpec

if TYPE_CHECKING:
    from lamina_tool_shell import ShellSettings

_PIECE = 65_536


class Shell:
    """Runs command lines, each in a session of its own, which ends with it."""

    def __init__(self, settings: ShellSettings) -> None:
        self._settings = settings
        self.spec = ToolSpec(
            "shell",
            "Run a command line in a shell and give its output and exit code. It has no terminal and no input; what it "
            "leaves running in the background ends with it.",
            {
                "type": "object",
                "properties": {"command": {"type": "string", "minLength": 1, "format": "shell", "description": "The command line."}},
                "required": ["command"],
                "additionalProperties": False,
            },
            tags=("shell",),
            effects=Effects(destructive=True, open_world=True),
            timeout_s=settings.timeout_s,
            limit=settings.limit,
            output={"type": "object", "properties": {"exit_code": {"type": "integer"}}, "required": ["exit_code"]},
            shippable=True,
        )  # fmt: skip

    async def run(self, request: RunRequest) -> Output:
        """Run it to its end; cancelled, it kills all that it started."""
        kept = _Kept(self._settings.output_bytes)
        # A pipe of our own: one of asyncio's holds up the process's end until all that it left has closed it.
        ours, theirs = os.pipe()
        try:
            process = await self._start(str(request.arguments["command"]), theirs)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        reading = asyncio.ensure_future(self._read(ours, kept, request))
        try:
            code = await process.wait()
        finally:
            # With what is left in the background, which holds the pipe open.
            _kill(process.pid)
            await asyncio.wait([reading], timeout=1.0)
            reading.cancel()
            await process.wait()
        how = f"exit code {code}" if code >= 0 else f"ended by signal {-code} ({signal.Signals(-code).name})"
        failure = None if code == 0 else Failure("Exit", how)
        return Output((Text(kept.text()),), {"exit_code": code}, failure)

    async def _start(self, command: str, output: int) -> asyncio.subprocess.Process:
        settings = self._settings
        return await asyncio.create_subprocess_exec(
            settings.shell, "-c", command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, cwd=settings.folder.expanduser(),
            env={name: os.environ[name] for name in settings.environment if name in os.environ},
        )  # fmt: skip

    @staticmethod
    async def _read(descriptor: int, kept: _Kept, request: RunRequest) -> None:
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        made = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb"))
        try:
            while piece := await reader.read(_PIECE):
                kept.add(piece)
                request.report(Progress(text=piece[-2000:].decode("utf-8", "replace")))
        finally:
            made[0].close()


class _Kept:
    """The first and the last bytes of a stream, in bounded memory."""

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = self._dropped = 0

    def add(self, piece: bytes) -> None:
        """Take in what comes next."""
        room = self._half - len(self._head)
        self._head += piece[:room]
        rest = piece[room:] if room > 0 else piece
        if rest:
            self._tail.append(rest)
            self._tail_size += len(rest)
        while self._tail and self._tail_size - len(self._tail[0]) >= self._half:
            gone = self._tail.popleft()
            self._tail_size -= len(gone)
            self._dropped += len(gone)

    def text(self) -> str:
        """What is kept, with a remark where something is missing."""
        tail = b"".join(self._tail)
        cut = max(0, len(tail) - self._half)
        dropped = self._dropped + cut
        remark = f"\n[… {dropped} bytes left out …]\n" if dropped else ""
        return self._head.decode("utf-8", "replace") + remark + tail[cut:].decode("utf-8", "replace")


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
