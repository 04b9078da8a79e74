"""What runs calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from lamina.outputs import Output
from lamina.protocols._tools import RunRequest, ToolReference


class ExecutorCapability(StrEnum):
    """What an executor may be able to do; what it does not declare, the kernel does behind it or refuses."""

    LOCAL = "local"
    """Runs a tool of this process. What only ships takes tools with a reference, and no others."""
    SHIPS = "ships"
    """Runs a tool by its reference, elsewhere."""
    TIMEOUT = "timeout"
    """Ends a call after ``timeout_s``, also one that does not listen. Of others the kernel cancels the call."""


@frozen
class ExecuteRequest:
    """Asks to run one call."""

    run: RunRequest
    """The call: its arguments are JSON values."""
    local: Callable[[RunRequest], Awaitable[Output]] | None = field(default=None, eq=False)
    """Runs the tool once, in this process; ``None`` where it is elsewhere."""
    blocking: Callable[[RunRequest], Output] | None = field(default=None, eq=False)
    """Runs it in the calling thread, where it is a :class:`lamina.protocols.BlockingTool`."""
    reference: ToolReference | None = None
    """Where another process finds the tool; ``None`` where none can."""
    timeout_s: float | None = None
    """Given only to what declares ``timeout``."""


@runtime_checkable
class Executor(Protocol):
    """Decides where calls run."""

    capabilities: frozenset[ExecutorCapability]
    limit: int | None
    """At most so many calls at once. The engine keeps the others back, so that no call's time begins while it waits."""
    blocking_limit: int | None
    """The same of blocking tools of this process, which need a thread each."""

    async def execute(self, request: ExecuteRequest) -> Output:
        """Run the call once, and give what came of it.

        What a tool of this process raises passes unchanged; of one elsewhere it is the output's failure.

        Raises:
            CallTimeoutError: It took longer than ``timeout_s``, and was ended.
            LostCallError: What ran it died; whether it was done is not known.
            ToolError: There is neither a local tool nor a reference that this executor runs.
        """
        ...
