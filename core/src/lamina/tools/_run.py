"""One call on its way."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Literal

from lamina.errors import ToolError
from lamina.model import Call, CallResult, CallState
from lamina.protocols import Decision, Progress

if TYPE_CHECKING:
    from lamina.tools._entries import Entry

_KEPT = 1_000
"""Pieces of progress that are kept for a listener who has not come yet."""

RunState = Literal["queued", "asked", "waiting", "running"] | CallState


class Run:
    """A call that was started; :meth:`lamina.tools.Registry.start` gives one.

    ``queued`` (nothing decided yet), ``asked`` (somebody is asked for permission), ``waiting`` (for a resource or a
    slot), ``running``, and then the state of its result.
    """

    __slots__ = (
        "_cancel", "_events", "_heard", "_loop", "_thread", "_waiters", "begun", "call", "ending", "entry", "grant",
        "key", "refusal", "started", "state", "task", "tries", "value",
    )  # fmt: skip

    def __init__(self, call: Call, key: str, entry: Entry, cancel: Callable[[Run], None], loop: asyncio.AbstractEventLoop) -> None:  # fmt: skip
        self.call, self.key, self.entry = call, key, entry
        self.state: RunState = "queued"
        self.grant: Decision | None = None
        self.ending: Literal["cancelled", "timed out"] | None = None
        self.started: float | None = None
        self.tries = 0
        self.begun = False
        self.task: asyncio.Task[None] | None = None
        self.value: CallResult | None = None
        self.refusal: ToolError | None = None
        self._cancel, self._loop = cancel, loop
        self._thread = threading.get_ident()
        self._waiters: list[asyncio.Future[None]] | None = None
        self._events: deque[Progress] | None = None
        self._heard: asyncio.Event | None = None

    @property
    def done(self) -> bool:
        """Whether it has a result, or was refused."""
        return self.value is not None or self.refusal is not None

    def cancel(self) -> None:
        """Stop it; the tool is cancelled, and what it does against that is its own affair."""
        self._cancel(self)

    async def result(self) -> CallResult:
        """What it came to, once it has.

        Whoever is cancelled while waiting stops waiting; the call goes on.

        Raises:
            ToolError: It was refused: its arguments do not fit, or it has no grant.
        """
        await self.ended()
        if self.refusal is not None:
            raise self.refusal
        assert self.value is not None
        return self.value

    async def ended(self) -> None:
        """Wait until it has a result, or was refused."""
        if not self.done:
            waiter: asyncio.Future[None] = self._loop.create_future()
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(waiter)
            await waiter

    async def progress(self) -> AsyncIterator[Progress]:
        """What the tool tells while it runs, in order, until it ends; for one listener."""
        self._heard = self._heard or asyncio.Event()
        while True:
            while self._events:
                yield self._events.popleft()
            if self.done:
                return
            self._heard.clear()
            await self._heard.wait()

    # ------------------------------------------------------------- the engine's side

    def settle(self, value: CallResult | None, refusal: ToolError | None = None) -> bool:
        """Give it its end; false where it had one."""
        if self.value is not None or self.refusal is not None:
            return False
        self.value, self.refusal = value, refusal
        self.state = "refused" if value is None else value.state
        if self._waiters is not None:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
        if self._heard is not None:
            self._heard.set()
        return True

    def report(self, progress: Progress) -> None:
        """Take a piece of progress, from any thread."""
        if threading.get_ident() == self._thread:
            self._hear(progress)
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there any more
            self._loop.call_soon_threadsafe(self._hear, progress)

    def _hear(self, progress: Progress) -> None:
        if self._events is None:
            self._events = deque(maxlen=_KEPT)
        self._events.append(progress)
        if self._heard is not None:
            self._heard.set()
