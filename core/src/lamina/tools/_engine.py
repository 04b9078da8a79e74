"""Runs calls: many at once, each by itself.

A call is checked, decided about, waits for what it must have alone and for a slot, runs, may be tried again, and
ends once: done, failed, cancelled or timed out. What one call does never reaches another. What it costs beside the
tool is a task and some microseconds.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import msgspec

from lamina.config import CallSettings
from lamina.errors import CallFailedError, CallTimeoutError, DeniedError, LostCallError, ToolError
from lamina.logging import logger
from lamina.model import Call, CallResult, CallState, Text
from lamina.outputs import Failure, Output, failed, failure_of
from lamina.plugins import Catalogue
from lamina.protocols import RunRequest
from lamina.tools._entries import Entry
from lamina.tools._permits import Permits
from lamina.tools._run import Run
from lamina.tools._waiting import Deadlines, Slots, Turns

GRACE_S = 0.25
"""How long a cancelled tool may take to clean up before its call is said to be over without it."""
_AGAIN_S = 1.0
"""A tool that does not let itself be cancelled is cancelled again after this, and then ever less often."""

_Flight: TypeAlias = tuple[str, str | None, bytes]
Finish: TypeAlias = Callable[[Output], Awaitable[Output]]


class Engine:
    """Runs calls.

    Args:
        settings: Limits, times, tries.
        permits: Decides.
        catalogue: Its observers are told of ends.
        finish: Makes an output one that fits: what is large is stored.
        chance: For the spread of second tries.
    """

    def __init__(
        self, settings: CallSettings, permits: Permits, catalogue: Catalogue, finish: Finish, chance: random.Random
    ) -> None:
        self._settings, self._permits, self._catalogue = settings, permits, catalogue
        self._finish, self._chance = finish, chance
        self._observed = catalogue.observed("call_finished")
        self._admitted = Slots(settings.queue)
        self._running = Slots(settings.limit)
        self._turns = Turns()
        self._deadlines: Deadlines[Run] = Deadlines(lambda run: self._end(run, "timed out"))
        self._flights: dict[_Flight, Run] = {}
        self._runs: set[Run] = set()
        self._closed = False

    @property
    def has_room(self) -> bool:
        """Whether a call would be taken in at once."""
        return self._admitted.taken < self._admitted.limit

    async def start(self, entry: Entry, call: Call, key: str) -> Run:
        """Take a call in; waits while the queue is full.

        Raises:
            ToolError: The context is closed.
        """
        if not self._admitted.try_take():
            await self._admitted.take()
        if self._closed:
            self._admitted.free()
            raise ToolError(f"call of {call.tool!r}: the context is closed")
        loop = asyncio.get_running_loop()
        run = Run(call, key, entry, self.cancel, loop)
        self._runs.add(run)
        run.task = loop.create_task(self._drive(run))
        return run

    def cancel(self, run: Run) -> None:
        """Stop a call."""
        self._end(run, "cancelled")

    async def close(self, wait_s: float = 5.0) -> None:
        """Cancel what runs and wait for it. What still goes on after ``wait_s`` seconds is logged by name."""
        self._closed = True
        for run in list(self._runs):
            self._end(run, "cancelled")
        tasks = {run.task: run for run in self._runs if run.task is not None}
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=wait_s)
            for task in left:
                logger(part="tools").error("a tool does not let itself be cancelled", tool=tasks[task].call.tool)
        self._deadlines.close()

    # ------------------------------------------------------------- one call

    async def _drive(self, run: Run) -> None:
        """A call from its decision to its end."""
        entry, run.begun = run.entry, True
        try:
            if run.ending is not None:
                return self._stopped(run)
            decision = run.grant = await self._permits.decide(run.call, entry.spec)
            if decision.answer == "ask":
                run.state = "asked"
                run.grant = await self._permits.ask(run.call, decision)
            elif decision.answer == "deny":
                raise DeniedError(run.call.tool, f"{decision.why or 'no reason given'} (rule: {decision.rule})")
            run.state = "waiting"
            if entry.spec.effects.read_only:
                await self._shared(run)
            else:
                await self._alone(run)
        except ToolError as refusal:
            run.settle(None, refusal)
        except asyncio.CancelledError:
            self._stopped(run)
        except Exception as error:  # noqa: BLE001 - nothing that a call does may reach another
            self._settle(run, Output(failure=failure_of(error)), "failed")
        except GeneratorExit as error:
            self._settle(run, Output(failure=failure_of(error)), "failed")
            raise
        finally:
            self._runs.discard(run)
            self._admitted.free()

    def _stopped(self, run: Run) -> None:
        """Settle a call that was cancelled: by us, or by whoever ends all tasks of the loop."""
        state = run.ending or "cancelled"
        if state == "timed out":
            self._settle(run, self._late(run.entry), state)
        else:
            self._settle(run, failed("Cancelled", f"{run.call.tool} was cancelled"), state)

    def _late(self, entry: Entry) -> Output:
        return failed("TimedOut", f"{entry.spec.name} took longer than {entry.timeout_s:g} s", retryable=True)

    async def _shared(self, run: Run) -> None:
        """Run a call that changes nothing, or take what an identical one in flight comes to."""
        try:
            key = (run.call.tool, run.call.session, msgspec.json.encode(run.call.arguments, order="sorted"))
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
            return await self._alone(run)
        while (leader := self._flights.get(key)) is not None:
            await leader.ended()
            first = leader.value
            # One that was stopped says nothing of this one: who comes first now runs it again.
            if first is not None and first.state in ("done", "failed") and first.output is not None:
                return self._settle(run, first.output, first.state)
            if self._flights.get(key) is leader:
                break
        self._flights[key] = run
        try:
            return await self._alone(run)
        finally:
            if self._flights.get(key) is run:
                del self._flights[key]

    async def _alone(self, run: Run) -> None:
        """Wait for what the call must have, and run it."""
        entry = run.entry
        place = await self._turns.take(entry.resources(run.call)) if entry.spec.resources else None
        try:
            await self._through(run, entry.gates)
        finally:
            if place is not None:
                self._turns.leave(place)

    async def _through(self, run: Run, gates: tuple[Slots, ...]) -> None:
        """Run it in a place of each gate."""
        if not gates:
            return await self._in_slot(run)
        first, *rest = gates
        await first.take()
        try:
            return await self._through(run, tuple(rest))
        finally:
            first.free()

    async def _in_slot(self, run: Run) -> None:
        running, entry = self._running, run.entry
        if not running.try_take():
            await running.take()
        try:
            loop = asyncio.get_running_loop()
            now = loop.time()
            rest = entry.breaker.left(now)
            if rest is not None:
                why = f"{entry.spec.name} failed several times in a row"
                return self._settle(run, failed("CircuitOpen", why, retryable=True, hint=f"try again in {rest:.0f} s"), "failed")  # fmt: skip
            run.state, run.started = "running", time.perf_counter()
            self._deadlines.add(run, entry.watched_s, now, loop)
            works: bool | None = None
            try:
                output = await self._tried(run)
                if run.ending is not None:  # it was told to stop, and answered instead
                    works = None if run.ending == "cancelled" else False
                    return self._stopped(run)
                failure = output.failure
                works = True if failure is None else False if failure.retryable else None
                self._settle(run, output, _state(failure))
            except asyncio.CancelledError:
                works = False if run.ending == "timed out" else None
                raise
            finally:
                entry.breaker.told(works, loop.time())
                self._deadlines.drop(run, entry.watched_s)
        finally:
            running.free()

    async def _tried(self, run: Run) -> Output:
        """Run it; where it may be run twice and says that it may succeed later, again after a while."""
        entry, attempt = run.entry, 1
        while True:
            run.tries = attempt
            output = await self._once(run, RunRequest(run.call, run.key, attempt, run.report))
            failure = output.failure
            if (
                failure is None
                or not failure.retryable
                or not entry.spec.effects.repeatable
                or attempt > self._settings.retries
                or run.ending is not None
                or failure.type == "TimedOut"
            ):
                return output
            # Longer each time, and never the same: what failed together should not come back together.
            await asyncio.sleep(self._settings.backoff_s * 2 ** (attempt - 1) * self._chance.uniform(0.5, 1.5))
            attempt += 1

    async def _once(self, run: Run, request: RunRequest) -> Output:
        """One try. Whatever the tool does, it is an output, unless this very call is cancelled."""
        try:
            output = await run.entry.execute(request)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling() or run.ending is not None:
                raise
            # Nobody cancelled the call: the tool waited for something that was.
            return failed("CancelledError", "what the tool waited for was cancelled")
        except CallTimeoutError:
            return self._late(run.entry)
        except LostCallError as error:
            return failed("Lost", str(error), retryable=True)
        except CallFailedError as error:
            return Output(failure=failure_of(error))
        except Exception as error:  # noqa: BLE001 - a tool may raise anything; the model is told
            return Output(failure=failure_of(error))
        except GeneratorExit:
            raise  # the loop drops the task
        except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop, and all other calls with it
            return Output(failure=failure_of(error))
        if type(output) is not Output:
            return failed("ContractError", f"tool {run.call.tool!r} returned {type(output).__name__}, not an Output")
        return await self._finish(output) if _large(output) else output

    # ------------------------------------------------------------- ends

    def _settle(self, run: Run, output: Output, state: CallState) -> None:
        elapsed = 0.0 if run.started is None else time.perf_counter() - run.started
        result = CallResult(
            run.call, output.text, output.failure is not None, elapsed, output, state, run.tries, run.grant
        )
        if run.settle(result) and self._observed:
            self._catalogue.notify("call_finished", result=result)

    def _end(self, run: Run, why: Literal["cancelled", "timed out"]) -> None:
        """Cancel the tool, and see that the call ends even if the tool does not."""
        if run.ending is not None or run.done or run.task is None:
            return
        run.ending = why
        if not run.begun:
            return  # cancelled now, it would end without a word; it sees for itself when it begins
        run.task.cancel()
        asyncio.get_running_loop().call_later(GRACE_S, self._insist, run, _AGAIN_S)

    def _insist(self, run: Run, again_s: float) -> None:
        if run.task is None or run.task.done():
            return
        self._stopped(run)
        run.task.cancel()
        asyncio.get_running_loop().call_later(again_s, self._insist, run, min(again_s * 2, 60.0))


def _large(output: Output) -> bool:
    """Whether an output has to be looked at: nearly all are one short text."""
    parts = output.parts
    return len(parts) != 1 or type(parts[0]) is not Text or len(parts[0].text) > 50_000


def _state(failure: Failure | None) -> CallState:
    if failure is None:
        return "done"
    return "timed out" if failure.type == "TimedOut" else "failed"
