"""The pool of worker processes."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from lamina.errors import CallTimeoutError, ClosedError, ToolError
from lamina.outputs import Output
from lamina.protocols import ExecuteRequest, ExecutorCapability
from lamina_executor_process._frames import output_of_frame, request_frame
from lamina_executor_process._worker import Worker

if TYPE_CHECKING:
    from lamina_executor_process import ProcessSettings


class ProcessExecutor:
    """Runs each call in a process that it has for itself.

    A call costs some 200 µs in a process that is there, and the start of Python and of the tool's module in a fresh
    one. A call that takes too long, is cancelled, or dies takes its process with it, and all that this has started;
    the next call gets a fresh one. Nothing of a call is seen by another but what its module keeps in the process.
    """

    capabilities = frozenset({ExecutorCapability.SHIPS, ExecutorCapability.TIMEOUT})

    def __init__(self, settings: ProcessSettings, logger: Any) -> None:
        self._settings, self._logger = settings, logger
        self.limit: int | None = settings.workers
        self.blocking_limit: int | None = None
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._busy = 0
        self._closed = False

    async def execute(self, request: ExecuteRequest) -> Output:
        """Ship the call, and give what came back.

        Raises:
            ToolError: It has no reference.
            CallTimeoutError: It took longer than ``timeout_s``; its process and all below it were killed.
            LostCallError: Its process died.
            ClosedError: After closing.
        """
        if request.reference is None:
            raise ToolError(f"tool {request.run.call.tool!r} cannot be found from another process")
        frame = request_frame(request.run, request.reference)
        await self._slot()
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._call(frame, request)
        except TimeoutError:
            # The worker's own failures come as other errors: this is the end of the time.
            raise CallTimeoutError(f"{request.run.call.tool} took longer than {request.timeout_s} s") from None
        finally:
            self._free()

    async def _call(self, frame: bytes, request: ExecuteRequest) -> Output:
        worker, sound = await self._worker(), False
        try:
            answer = await worker.call(frame, request.run.report)
            sound = worker.calls < self._settings.calls and not worker.spoilt
            return output_of_frame(answer)
        finally:
            # Also when cancelled: what runs in there must not go on.
            if sound and not self._closed:
                self._idle.append(worker)
            else:
                self._all.discard(worker)
                await asyncio.shield(worker.kill())

    async def _worker(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            self._all.discard(worker)
            await worker.kill()
        worker = Worker(self._settings)
        self._all.add(worker)
        try:
            await worker.start()
        except BaseException:
            self._all.discard(worker)
            await asyncio.shield(worker.kill())
            raise
        return worker

    async def _slot(self) -> None:
        if self._closed:
            raise ClosedError("the executor is closed")
        if self._busy < self._settings.workers and not self._waiting:
            self._busy += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._free()
            raise

    def _free(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._busy -= 1

    async def close(self) -> None:
        """Kill every process, and all that they started."""
        self._closed = True
        workers, self._all, self._idle = list(self._all), set(), []
        await asyncio.gather(*(worker.kill() for worker in workers))
