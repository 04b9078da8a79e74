"""The executor and its threads."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lamina.errors import ClosedError, ToolError
from lamina.outputs import Output
from lamina.protocols import ExecuteRequest, ExecutorCapability

if TYPE_CHECKING:
    from lamina_executor_local import LocalSettings

_Job = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class LocalExecutor:
    """Runs asynchronous tools on the loop that asks, blocking ones in threads.

    An asynchronous call costs what its tool costs. A blocking one costs some 60 µs, and its thread cannot be stopped:
    a call that is cancelled answers at once, and its thread is busy until the tool comes back. Threads are daemons, so
    that one that never does holds up no exit.
    """

    capabilities = frozenset({ExecutorCapability.LOCAL})

    def __init__(self, settings: LocalSettings, logger: Any) -> None:
        self._settings, self._logger = settings, logger
        self.limit: int | None = None
        self.blocking_limit: int | None = settings.threads
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._waiting = 0
        """Jobs that were handed in and are not done: a thread is started while there are more than threads."""
        self._closed = False

    async def execute(self, request: ExecuteRequest) -> Output:
        """Run it here.

        Raises:
            ToolError: It has no tool of this process.
            ClosedError: After closing.
        """
        if self._closed:
            raise ClosedError("the executor is closed")
        if request.blocking is not None:
            return await self._in_thread(request.blocking, request.run)
        if request.local is None:
            raise ToolError(f"tool {request.run.call.tool!r} is none of this process, and this executor runs no others")
        return await request.local(request.run)

    async def _in_thread(self, function: Callable[[Any], Output], given: Any) -> Output:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Output] = loop.create_future()
        context = contextvars.copy_context()
        with self._lock:
            self._waiting += 1
            if len(self._threads) < min(self._waiting, self._settings.threads):
                name = f"lamina-{len(self._threads) + 1}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        self._jobs.put((lambda: context.run(function, given), future, loop))
        return await future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            run, future, loop = job
            deliver: Callable[..., None] = _give
            value: Any = None
            # One that was cancelled while it waited is not begun.
            if not future.cancelled():
                try:
                    value = run()
                except BaseException as error:  # noqa: BLE001 - handed to who waits
                    deliver, value = _fail, error
            # Before it is handed over: who gets it may ask for the next at once, which this thread can take.
            with self._lock:
                self._waiting -= 1
            _hand(loop, deliver, future, value)
            del job, run, future, value

    async def close(self) -> None:
        """Let the threads end; wait for them a while."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        ends = time.monotonic() + self._settings.close_s

        def join() -> None:
            for thread in self._threads:
                thread.join(max(0.0, ends - time.monotonic()))

        if self._threads:
            await asyncio.to_thread(join)
        left = [thread.name for thread in self._threads if thread.is_alive()]
        if left:
            self._logger.error("a tool blocks its thread and cannot be stopped", threads=left)


def _hand(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *given: Any) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(function, *given)


def _give(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        if isinstance(error, StopIteration | SystemExit | KeyboardInterrupt):  # a future takes none of these as it is
            error = RuntimeError(f"the tool raised {type(error).__name__}")
        future.set_exception(error)
