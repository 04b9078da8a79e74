"""A sound executor, and one for each way to break the protocol; ``fails`` names the tests that it must fail."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, ClassVar

from attrs import evolve

from lamina.errors import CallTimeoutError, ClosedError, ToolError
from lamina.model import Text
from lamina.outputs import Output, failed
from lamina.protocols import ExecuteRequest, ExecutorCapability, Progress

SAYS = "test_it_says_what_it_can_do"
REFUSES = "test_it_refuses_what_it_cannot_run"
VALUES = "test_values_come_back_unchanged"
PARTS = "test_every_kind_of_part_and_a_failure_come_back_unchanged"
ONCE = "test_a_call_runs_once"
FAILS_ONCE = "test_a_failing_call_runs_once_and_says_what_it_raised"
REACHES = "test_the_call_its_key_and_its_attempt_reach_the_tool"
PROGRESS = "test_progress_comes_in_order"
ENDED = "test_a_call_that_takes_too_long_is_ended_where_that_is_declared"
IN_TIME = "test_a_call_within_its_time_is_not_ended"
ITS_OWN = "test_a_timeout_error_of_the_tool_itself_is_told_as_its_own"
CANCELS = "test_cancelling_a_call_stops_the_tool"
BLOCKS = "test_a_tool_that_blocks_does_not_hold_up_another"
AT_ONCE = "test_many_calls_run_at_once"
LEFT = "test_after_closing_nothing_is_left_and_nothing_is_run"


class SoundExecutor:
    """Runs every call at once, where it stands; those that block in threads of the loop."""

    fails: ClassVar[frozenset[str]] = frozenset()
    capabilities: Any = frozenset({ExecutorCapability.LOCAL, ExecutorCapability.TIMEOUT})
    limit: int | None = None
    blocking_limit: int | None = None
    closed = False

    async def execute(self, request: ExecuteRequest) -> Any:
        self.check(request)
        try:
            async with asyncio.timeout(request.timeout_s) as time:
                return await self.run(request)
        except TimeoutError:
            if time.expired():
                raise CallTimeoutError("too long") from None
            raise

    def check(self, request: ExecuteRequest) -> None:
        if self.closed:
            raise ClosedError("closed")
        if request.local is None:
            raise ToolError("there is no tool here")

    async def run(self, request: ExecuteRequest) -> Any:
        assert request.local is not None
        return await request.local(request.run)

    async def close(self) -> None:
        self.closed = True


class SaysNothing(SoundExecutor):
    """Declares nothing."""

    fails = frozenset({SAYS})
    capabilities = frozenset()


class TakesAnything(SoundExecutor):
    """Has an answer also for what it cannot run."""

    fails = frozenset({REFUSES})

    async def execute(self, request: ExecuteRequest) -> Any:
        return Output() if request.local is None else await super().execute(request)


class Strips(SoundExecutor):
    """Takes white space off texts."""

    fails = frozenset({VALUES})

    async def run(self, request: ExecuteRequest) -> Any:
        output = await super().run(request)
        whole = request.run.call.tool != "echo" or output.structured is not None
        return output if whole else Output((Text(output.text.strip()),))


class DropsImages(SoundExecutor):
    """Gives nothing but texts."""

    fails = frozenset({PARTS})

    async def run(self, request: ExecuteRequest) -> Any:
        output = await super().run(request)
        return evolve(output, parts=tuple(part for part in output.parts if isinstance(part, Text)))


class RunsTwice(SoundExecutor):
    """Runs a call a second time."""

    fails = frozenset({ONCE})

    async def run(self, request: ExecuteRequest) -> Any:
        if request.run.call.tool == "runs":
            await super().run(request)
        return await super().run(request)


class Retries(SoundExecutor):
    """Runs a failed call again."""

    fails = frozenset({FAILS_ONCE})

    async def run(self, request: ExecuteRequest) -> Any:
        try:
            return await super().run(request)
        except Exception:  # noqa: BLE001  broken on purpose
            return await super().run(request)


class Generalises(SoundExecutor):
    """Makes one failure of every exception."""

    fails = frozenset({FAILS_ONCE, ITS_OWN})

    async def run(self, request: ExecuteRequest) -> Any:
        try:
            return await super().run(request)
        except Exception as error:  # noqa: BLE001  broken on purpose
            return failed("Error", str(error))


class ForgetsTheKey(SoundExecutor):
    """Hands on the call and nothing else."""

    fails = frozenset({REACHES})

    async def run(self, request: ExecuteRequest) -> Any:
        return await super().run(evolve(request, run=evolve(request.run, key="", attempt=1)))


class TellsNoProgress(SoundExecutor):
    """Tells only the last of what a tool tells."""

    fails = frozenset({PROGRESS})

    async def run(self, request: ExecuteRequest) -> Any:
        told: list[Progress] = []
        output = await super().run(evolve(request, run=evolve(request.run, report=told.append)))
        for last in told[-1:]:
            request.run.report(last)
        return output


class NeverEnds(SoundExecutor):
    """Takes no notice of the time."""

    fails = frozenset({ENDED})

    async def execute(self, request: ExecuteRequest) -> Any:
        return await super().execute(evolve(request, timeout_s=None))


class LeavesItRunning(SoundExecutor):
    """Stops waiting, but not the call."""

    fails = frozenset({ENDED, CANCELS})

    def __init__(self) -> None:
        self._tasks: set[asyncio.Future[Any]] = set()

    async def run(self, request: ExecuteRequest) -> Any:
        task = asyncio.ensure_future(super().run(request))
        self._tasks.add(task)
        return await asyncio.shield(task)


class EndsAtOnce(SoundExecutor):
    """Takes any limit for none at all."""

    fails = frozenset({IN_TIME, ENDED})

    async def execute(self, request: ExecuteRequest) -> Any:
        if request.timeout_s is not None:
            raise CallTimeoutError("too long")
        return await super().execute(request)


class TakesTheToolsForItsOwn(SoundExecutor):
    """Takes a tool's own TimeoutError for the end of its time."""

    fails = frozenset({ITS_OWN})

    async def execute(self, request: ExecuteRequest) -> Any:
        try:
            return await super().execute(request)
        except TimeoutError as error:
            raise CallTimeoutError(str(error)) from error


class SwallowsCancellation(SoundExecutor):
    """Answers when it is cancelled."""

    fails = frozenset({CANCELS})

    async def execute(self, request: ExecuteRequest) -> Any:
        try:
            return await super().execute(request)
        except asyncio.CancelledError:
            return failed("Cancelled")


class Blocks(SoundExecutor):
    """Runs tools that block on the loop."""

    fails = frozenset({BLOCKS})

    async def run(self, request: ExecuteRequest) -> Any:
        if request.blocking is not None:
            return request.blocking(request.run)
        return await super().run(request)


class RunsInTurn(SoundExecutor):
    """Runs one call after another."""

    fails = frozenset({AT_ONCE, BLOCKS})

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def run(self, request: ExecuteRequest) -> Any:
        async with self._turn:
            return await super().run(request)


class LeavesThreads(SoundExecutor):
    """Has a thread that outlives it."""

    fails = frozenset({LEFT})

    async def close(self) -> None:
        await super().close()
        threading.Thread(target=threading.Event().wait, args=(2.0,), daemon=True).start()


class RunsWhenClosed(SoundExecutor):
    """Does not know that it is closed."""

    fails = frozenset({LEFT})

    async def close(self) -> None:
        pass


BROKEN: tuple[type[SoundExecutor], ...] = (
    SaysNothing,
    TakesAnything,
    Strips,
    DropsImages,
    RunsTwice,
    Retries,
    Generalises,
    ForgetsTheKey,
    TellsNoProgress,
    NeverEnds,
    LeavesItRunning,
    EndsAtOnce,
    TakesTheToolsForItsOwn,
    SwallowsCancellation,
    Blocks,
    RunsInTurn,
    LeavesThreads,
    RunsWhenClosed,
)
