"""A sound executor, and one for each way to break the protocol; ``fails`` names the tests that it must fail."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from lamina.protocols import ExecuteRequest

UNCHANGED = "test_the_result_comes_back_unchanged"
ONCE = "test_a_call_runs_once"
FAILS_ONCE = "test_a_failing_call_runs_once_and_its_exception_passes"
STOPPED = "test_a_call_that_takes_too_long_is_stopped_with_a_timeout_error"
IN_TIME = "test_a_call_within_its_time_is_not_stopped"
ITS_OWN = "test_a_timeout_error_of_the_tool_itself_passes"
CANCELS = "test_cancelling_a_call_cancels_the_tool"
AT_ONCE = "test_many_calls_run_at_once"


class SoundExecutor:
    """Runs every call at once, where it stands."""

    fails: ClassVar[frozenset[str]] = frozenset()

    async def execute(self, request: ExecuteRequest) -> Any:
        async with asyncio.timeout(request.timeout_s):
            return await request.run()


class Strips(SoundExecutor):
    """Takes white space off the result."""

    fails = frozenset({UNCHANGED})

    async def execute(self, request: ExecuteRequest) -> Any:
        text = await super().execute(request)
        return text if text in ("in time", "done") else text.strip() + ("" if text.strip().isdigit() else ".")


class RunsTwice(SoundExecutor):
    """Runs a call a second time."""

    fails = frozenset({ONCE})

    async def execute(self, request: ExecuteRequest) -> Any:
        text = await super().execute(request)
        if text == "done":
            await super().execute(request)
        return text


class Retries(SoundExecutor):
    """Runs a failed call again."""

    fails = frozenset({FAILS_ONCE})

    async def execute(self, request: ExecuteRequest) -> Any:
        try:
            return await super().execute(request)
        except TimeoutError:
            raise
        except Exception:  # noqa: BLE001  broken on purpose
            return await super().execute(request)


class SwallowsErrors(SoundExecutor):
    """Makes a text of every exception."""

    fails = frozenset({FAILS_ONCE, STOPPED, ITS_OWN})

    async def execute(self, request: ExecuteRequest) -> Any:
        try:
            return await super().execute(request)
        except Exception as error:  # noqa: BLE001  broken on purpose
            return str(error)


class NeverStops(SoundExecutor):
    """Takes no notice of the time."""

    fails = frozenset({STOPPED})

    async def execute(self, request: ExecuteRequest) -> Any:
        return await request.run()


class LeavesItRunning(SoundExecutor):
    """Stops waiting, but not the call."""

    fails = frozenset({STOPPED, CANCELS})

    def __init__(self) -> None:
        self._tasks: set[asyncio.Future[str]] = set()

    async def execute(self, request: ExecuteRequest) -> Any:
        task = asyncio.ensure_future(request.run())
        self._tasks.add(task)
        async with asyncio.timeout(request.timeout_s):
            return await asyncio.shield(task)


class StopsAtOnce(SoundExecutor):
    """Takes any limit for none at all."""

    fails = frozenset({ONCE, IN_TIME})

    async def execute(self, request: ExecuteRequest) -> Any:
        async with asyncio.timeout(None if request.timeout_s is None else 0):
            return await request.run()


class SwallowsCancellation(SoundExecutor):
    """Answers when it is cancelled."""

    fails = frozenset({CANCELS})

    async def execute(self, request: ExecuteRequest) -> Any:
        if request.timeout_s is not None:
            return await super().execute(request)
        try:
            return await request.run()
        except asyncio.CancelledError:
            return "cancelled"


class RunsInTurn(SoundExecutor):
    """Runs one call after another."""

    fails = frozenset({AT_ONCE})

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def execute(self, request: ExecuteRequest) -> Any:
        async with self._turn:
            return await super().execute(request)


BROKEN: tuple[type[SoundExecutor], ...] = (
    Strips,
    RunsTwice,
    Retries,
    SwallowsErrors,
    NeverStops,
    LeavesItRunning,
    StopsAtOnce,
    SwallowsCancellation,
    RunsInTurn,
)
