"""One worker process, from this side."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lamina.errors import LostCallError
from lamina.outputs import failed
from lamina.protocols import Progress
from lamina_executor_process._frames import LENGTH, frame_of_output, packed

if TYPE_CHECKING:
    from lamina_executor_process import ProcessSettings

_START_S = 30.0


class Worker:
    """A process that runs one call at a time."""

    def __init__(self, settings: ProcessSettings) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._folder: str | None = None
        self.calls = 0
        self.spoilt = False
        """Whether it asked not to be used again."""

    @property
    def alive(self) -> bool:
        """Whether it can take a call."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process, in a session of its own, with no stream of ours and no secret of ours."""
        settings = self._settings
        ours, theirs = socket.socketpair()
        self._folder = None if settings.folder else tempfile.mkdtemp(prefix="lamina-")
        limits = {
            "memory_mb": settings.memory_mb, "cpu_s": settings.cpu_s, "file_mb": settings.file_mb,
            "files": settings.files, "output_mb": settings.output_mb,
        }  # fmt: skip
        environment = {name: os.environ[name] for name in settings.environment if name in os.environ}
        # What is importable here is importable there, whatever way it came onto the path.
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "lamina_executor_process._child", str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),), start_new_session=True, env=environment,
                cwd=str(settings.folder or self._folder),
            )  # fmt: skip
        finally:
            theirs.close()
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=2**20)
        self._writer.write(packed(limits))
        try:
            async with asyncio.timeout(_START_S):
                await self._frame()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError) as error:
            raise LostCallError(f"no process could be started for the tool ({type(error).__name__})") from error

    async def call(self, frame: bytes, report: Callable[[Progress], None]) -> Any:
        """Run one call and give its output's frame.

        Raises:
            LostCallError: The process died.
        """
        assert self._writer is not None
        self.calls += 1
        try:
            self._writer.write(frame)
            await self._writer.drain()
            while True:
                answer = await self._frame()
                if not isinstance(answer, dict):
                    raise LostCallError("the tool's process sent what is no answer")
                if "progress" not in answer:
                    self.spoilt = bool(answer.get("spoilt"))
                    return answer
                report(Progress(*answer["progress"]))
        except (ConnectionError, asyncio.IncompleteReadError, msgspec.MsgspecError, TypeError) as error:
            return self._lost(await self._end(), error)

    def _lost(self, code: int | None, error: Exception) -> Any:
        if code == -signal.SIGXCPU:
            return frame_of_output(failed("CpuLimit", f"used more than {self._settings.cpu_s:g} CPU seconds"))
        if code == -signal.SIGXFSZ:
            return frame_of_output(failed("FileLimit", f"wrote a file of more than {self._settings.file_mb} MB"))
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        raise LostCallError(f"the tool's process ended {how}") from error

    async def _end(self) -> int | None:
        """The exit code, killing what does not exit."""
        assert self._process is not None
        try:
            async with asyncio.timeout(1.0):
                return await self._process.wait()
        except TimeoutError:
            return None

    async def _frame(self) -> Any:
        assert self._reader is not None
        (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
        if length > (self._settings.output_mb + 1) * 2**20:
            raise LostCallError(f"the tool's process sent {length} bytes at once")
        return msgspec.msgpack.decode(await self._reader.readexactly(length))

    async def kill(self) -> None:
        """Kill the process and all that it started, also what left its group; leave nothing behind."""
        if self._process is not None:
            pid = self._process.pid
            if self._process.returncode is None:
                below = descendants(pid)
                for target in (pid, *below):
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(target, signal.SIGKILL)
            # The group has the process's number for as long as anybody is in it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            await self._process.wait()
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


def descendants(pid: int) -> list[int]:
    """All processes below one, where the system tells (Linux); a worker adopts those whose parents ended."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            threads = list(Path(f"/proc/{parent}/task").iterdir())
            below = [int(n) for thread in threads for n in (thread / "children").read_text().split()]
        except (OSError, ValueError):
            continue
        found += below
        waiting += below
    return found
