"""The conformance suite of executors."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.errors import CallTimeoutError, ClosedError, ToolError
from lamina.model import Call
from lamina.outputs import Output, failure_of
from lamina.protocols import ExecuteRequest, Executor, ExecutorCapability, Progress, RunRequest
from lamina.testing import shipped
from lamina.testing.suite import Suite
from lamina.tools import function_tool

T = TypeVar("T")
OpenExecutor = Callable[[], AbstractAsyncContextManager[Executor]]

GIVE_UP_S = 30.0
"""After so long what should have ended is taken to hang."""

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def request(function: Callable[..., Any], timeout_s: float | None = None, **arguments: Any) -> ExecuteRequest:
    """Asks to run one of the functions of :mod:`lamina.testing.shipped`, here or elsewhere."""
    tool = function_tool(function)
    return ExecuteRequest(
        RunRequest(Call(tool.spec.name, arguments, id="c1", session="s"), key="k", attempt=2),
        local=tool.run,
        blocking=getattr(tool, "run_blocking", None),
        reference=tool.reference,
        timeout_s=timeout_s,
    )


@contextmanager
def _file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "file"


async def _outcome(executor: Executor, asked: ExecuteRequest) -> Output:
    """What came of it, where a local tool's exception is as good as another's failure."""
    try:
        return await executor.execute(asked)
    except CallTimeoutError:
        raise
    except Exception as error:  # noqa: BLE001  a tool's own
        return Output(failure=failure_of(error))


async def _began(file: Path, task: asyncio.Future[Any]) -> None:
    async with asyncio.timeout(GIVE_UP_S / 2):
        while not file.exists():  # noqa: ASYNC240 - of a temporary folder, in a test
            assert not task.done(), f"ended before it began: {task}"
            await asyncio.sleep(0.005)


async def _stands_still(file: Path) -> bool:
    """Whether nothing is written any more, after a moment."""
    await asyncio.sleep(0.1)
    size = _size(file)
    await asyncio.sleep(0.1)
    return _size(file) == size


def _size(file: Path) -> int:
    return file.stat().st_size


def children() -> set[int]:
    """The processes that this one started, where the system tells."""
    found = set()
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            found |= {int(number) for number in task.read_text().split()}
        except OSError:
            continue
    return found


class ExecutorSuite(Suite):
    """What every executor must hold.

    Give a fixture ``open_executor``: ``async with open_executor() as executor``. It is asked with tools of
    :mod:`lamina.testing.shipped`, which it may run here or elsewhere.
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

    def test_it_says_what_it_can_do(self, open_executor: OpenExecutor) -> None:
        async def act(executor: Executor) -> tuple[frozenset[ExecutorCapability], int | None, int | None]:
            return executor.capabilities, executor.limit, executor.blocking_limit

        capabilities, *limits = self.run(open_executor, act)
        assert capabilities & {ExecutorCapability.LOCAL, ExecutorCapability.SHIPS}
        assert all(limit is None or limit >= 1 for limit in limits)

    def test_it_refuses_what_it_cannot_run(self, open_executor: OpenExecutor) -> None:
        nowhere = evolve(request(shipped.echo), local=None, blocking=None, reference=None)
        with pytest.raises(ToolError):
            self.run(open_executor, lambda executor: executor.execute(nowhere))

    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(values=st.lists(VALUES, min_size=1, max_size=6))
    @example(values=[" a\n", "", "\0é€😀", {"a": [1, {}]}, [], 0, False, None, 1.5])
    def test_values_come_back_unchanged(self, open_executor: OpenExecutor, values: list[Any]) -> None:
        async def act(executor: Executor) -> list[Output]:
            return [await executor.execute(request(shipped.echo, value=value)) for value in values]

        for value, output in zip(values, self.run(open_executor, act), strict=True):
            assert output.failure is None
            assert (output.text if isinstance(value, str) else output.structured) == value

    def test_every_kind_of_part_and_a_failure_come_back_unchanged(self, open_executor: OpenExecutor) -> None:
        async def act(executor: Executor) -> list[Output]:
            return [await executor.execute(request(f)) for f in (shipped.everything, shipped.fails_politely)]

        assert self.run(open_executor, act) == [asyncio.run(f()) for f in (shipped.everything, shipped.fails_politely)]

    def test_a_call_runs_once(self, open_executor: OpenExecutor) -> None:
        with _file() as file:
            self.run(open_executor, lambda executor: executor.execute(request(shipped.runs, file=str(file))))
            assert file.read_text() == "run\n"

    def test_a_failing_call_runs_once_and_says_what_it_raised(self, open_executor: OpenExecutor) -> None:
        with _file() as file:
            output = self.run(
                open_executor, lambda executor: _outcome(executor, request(shipped.fails, file=str(file)))
            )
            assert output.failure is not None
            assert (output.failure.type, output.failure.message) == ("Unlucky", "as expected")
            assert file.read_text() == "run\n"

    def test_the_call_its_key_and_its_attempt_reach_the_tool(self, open_executor: OpenExecutor) -> None:
        output = self.run(open_executor, lambda executor: executor.execute(request(shipped.tells)))
        assert output.text == "tells c1 s k 2"

    def test_progress_comes_in_order(self, open_executor: OpenExecutor) -> None:
        told: list[Progress] = []

        async def act(executor: Executor) -> None:
            asked = request(shipped.tells)
            await executor.execute(evolve(asked, run=evolve(asked.run, report=told.append)))

        self.run(open_executor, act)
        assert told == [Progress(done, 3, f"step {done}") for done in range(3)]

    def test_a_call_that_takes_too_long_is_ended_where_that_is_declared(self, open_executor: OpenExecutor) -> None:
        async def act(executor: Executor) -> bool:
            if ExecutorCapability.TIMEOUT not in executor.capabilities:
                return True
            with _file() as file:
                begun = asyncio.ensure_future(executor.execute(request(shipped.ticks, 1.5, file=str(file))))
                await _began(file, begun)
                done, _ = await asyncio.wait([begun], timeout=GIVE_UP_S / 5)
                assert done
                with pytest.raises(CallTimeoutError):
                    await begun
                return await _stands_still(file)

        assert self.run(open_executor, act)

    def test_a_call_within_its_time_is_not_ended(self, open_executor: OpenExecutor) -> None:
        output = self.run(open_executor, lambda e: e.execute(request(shipped.echo, GIVE_UP_S, value="in time")))
        assert output.text == "in time"

    def test_a_timeout_error_of_the_tool_itself_is_told_as_its_own(self, open_executor: OpenExecutor) -> None:
        output = self.run(open_executor, lambda executor: _outcome(executor, request(shipped.times_out_itself)))
        assert output.failure is not None
        assert (output.failure.type, output.failure.message) == ("TimeoutError", "the tool's own")

    def test_cancelling_a_call_stops_the_tool(self, open_executor: OpenExecutor) -> None:
        async def act(executor: Executor) -> bool:
            with _file() as file:
                task = asyncio.ensure_future(executor.execute(request(shipped.ticks, file=str(file))))
                await _began(file, task)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                return await _stands_still(file)

        assert self.run(open_executor, act)

    def test_a_tool_that_blocks_does_not_hold_up_another(self, open_executor: OpenExecutor) -> None:
        async def act(executor: Executor) -> list[str]:
            with _file() as file:
                blocked = asyncio.ensure_future(executor.execute(request(shipped.blocks, file=str(file), seconds=1.0)))
                await _began(file, blocked)
                other = (await executor.execute(request(shipped.echo, value="other"))).text
                return [other, "first" if not blocked.done() else "last", (await blocked).text]

        if self.concurrent > 1:
            assert self.run(open_executor, act) == ["other", "first", "unblocked"]

    def test_many_calls_run_at_once(self, open_executor: OpenExecutor) -> None:
        """Every call waits until all have begun, which none would see if they ran one after another."""

        async def act(executor: Executor) -> list[Output]:
            with tempfile.TemporaryDirectory() as folder:
                asked = [request(shipped.meets, folder=folder, number=n, of=self.concurrent) for n in range(self.concurrent)]  # fmt: skip
                return await asyncio.gather(*(executor.execute(one) for one in asked))

        assert [output.text for output in self.run(open_executor, act)] == [str(n) for n in range(self.concurrent)]

    def test_after_closing_nothing_is_left_and_nothing_is_run(self, open_executor: OpenExecutor) -> None:
        async def act() -> Executor:
            async with open_executor() as executor:
                with _file() as file:
                    await executor.execute(request(shipped.blocks, file=str(file), seconds=0.0))
                    abandoned = asyncio.ensure_future(executor.execute(request(shipped.ticks, file=str(file))))
                    await asyncio.sleep(0.05)
                    abandoned.cancel()
                    await asyncio.wait([abandoned])
            with pytest.raises(ClosedError):
                await executor.execute(request(shipped.echo, value="late"))
            return executor

        threads, processes = threading.active_count(), children()
        asyncio.run(act())
        assert threading.active_count() <= threads
        assert children() <= processes
