"""The conformance suite of executors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.model import Call
from lamina.protocols import ExecuteRequest, Executor
from lamina.testing.suite import Suite

T = TypeVar("T")
OpenExecutor = Callable[[], AbstractAsyncContextManager[Executor]]

GIVE_UP_S = 20.0
"""After so long what should have ended is taken to hang."""


class Unlucky(Exception):  # noqa: N818  a tool's own exception, which no executor knows
    """What a failing tool raises in this suite."""


def request(run: Callable[[], Awaitable[str]], timeout_s: float | None = None) -> ExecuteRequest:
    """Asks to run this."""
    return ExecuteRequest(call=Call("tool", {"n": 1}, id="1"), run=run, timeout_s=timeout_s)


async def forever() -> str:
    """A tool that never ends by itself."""
    await asyncio.Event().wait()
    return "never"


async def _comes(event: asyncio.Event) -> bool:
    """Whether it happens before long; asked inside the loop, whose end cancels everything anyway."""
    try:
        async with asyncio.timeout(GIVE_UP_S / 20):
            return await event.wait()
    except TimeoutError:
        return False


class ExecutorSuite(Suite):
    """What every executor must hold.

    Give a fixture ``open_executor``: ``async with open_executor() as executor``.
    """

    concurrent: ClassVar[int] = 100
    """How many calls it runs at once, at least, as the fixture opens it."""

    @pytest.fixture
    def open_executor(self) -> OpenExecutor:
        raise NotImplementedError("give the fixture open_executor")

    def run(self, open_executor: OpenExecutor, act: Callable[[Executor], Coroutine[Any, Any, T]]) -> T:
        """Do something with a freshly opened executor."""

        async def opened() -> T:
            async with asyncio.timeout(GIVE_UP_S), open_executor() as executor:
                return await act(executor)

        return asyncio.run(opened())

    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(text=st.text(max_size=40))
    def test_the_result_comes_back_unchanged(self, open_executor: OpenExecutor, text: str) -> None:
        async def tool() -> str:
            return text

        assert self.run(open_executor, lambda executor: executor.execute(request(tool))) == text

    def test_a_call_runs_once(self, open_executor: OpenExecutor) -> None:
        runs: list[int] = []

        async def tool() -> str:
            runs.append(1)
            await asyncio.sleep(0)
            return "done"

        self.run(open_executor, lambda executor: executor.execute(request(tool, timeout_s=GIVE_UP_S)))
        assert len(runs) == 1

    def test_a_failing_call_runs_once_and_its_exception_passes(self, open_executor: OpenExecutor) -> None:
        runs: list[int] = []

        async def tool() -> str:
            runs.append(1)
            raise Unlucky("as expected")

        with pytest.raises(Unlucky, match="as expected"):
            self.run(open_executor, lambda executor: executor.execute(request(tool)))
        assert len(runs) == 1

    def test_a_call_that_takes_too_long_is_stopped_with_a_timeout_error(self, open_executor: OpenExecutor) -> None:
        async def act(executor: Executor) -> bool:
            stopped = asyncio.Event()

            async def tool() -> str:
                try:
                    return await forever()
                finally:
                    stopped.set()

            task = asyncio.ensure_future(executor.execute(request(tool, timeout_s=0.01)))
            done, _ = await asyncio.wait([task], timeout=GIVE_UP_S / 10)
            if not done:
                task.cancel()
            assert done
            with pytest.raises(TimeoutError):
                await task
            return await _comes(stopped)

        assert self.run(open_executor, act)

    def test_a_call_within_its_time_is_not_stopped(self, open_executor: OpenExecutor) -> None:
        async def tool() -> str:
            await asyncio.sleep(0)
            return "in time"

        assert self.run(open_executor, lambda e: e.execute(request(tool, timeout_s=GIVE_UP_S))) == "in time"

    def test_a_timeout_error_of_the_tool_itself_passes(self, open_executor: OpenExecutor) -> None:
        async def tool() -> str:
            raise TimeoutError("the tool's own")

        with pytest.raises(TimeoutError, match="the tool's own"):
            self.run(open_executor, lambda executor: executor.execute(request(tool)))

    def test_cancelling_a_call_cancels_the_tool(self, open_executor: OpenExecutor) -> None:
        async def act(executor: Executor) -> bool:
            started, cancelled = asyncio.Event(), asyncio.Event()

            async def tool() -> str:
                started.set()
                try:
                    return await forever()
                except asyncio.CancelledError:
                    cancelled.set()
                    raise

            task = asyncio.ensure_future(executor.execute(request(tool)))
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await _comes(cancelled)

        assert self.run(open_executor, act)

    def test_many_calls_run_at_once(self, open_executor: OpenExecutor) -> None:
        """Every call waits until all have begun, which none would see if they ran one after another."""

        async def act(executor: Executor) -> list[str]:
            barrier = asyncio.Barrier(self.concurrent)

            async def tool() -> str:
                async with asyncio.timeout(GIVE_UP_S / 8):
                    return f"{await barrier.wait()}"

            return await asyncio.gather(*(executor.execute(request(tool)) for _ in range(self.concurrent)))

        assert sorted(map(int, self.run(open_executor, act))) == list(range(self.concurrent))
