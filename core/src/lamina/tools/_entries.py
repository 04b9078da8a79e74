"""A registered tool, with what the engine keeps of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from lamina.config import CallSettings
from lamina.errors import ArgumentsError, SchemaError, ToolError
from lamina.model import Call
from lamina.outputs import Output
from lamina.protocols import (
    ExecuteRequest,
    Executor,
    ExecutorCapability,
    RunRequest,
    Tool,
    ToolReference,
)
from lamina.tools._waiting import Breaker, Slots

if TYPE_CHECKING:
    from lamina.tools._schemas import Checker

_PLACE = re.compile(r"\{(\w+)\}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Placed:
    """An executor as it is configured, with the room that all its tools share."""

    def __init__(self, name: str, executor: Executor) -> None:
        self.name, self.executor = name, executor
        self._all = None if executor.limit is None else Slots(executor.limit)
        self._blocking = None if executor.blocking_limit is None else Slots(executor.blocking_limit)

    def room(self, blocking: bool) -> Slots | None:
        """What a call of a tool takes a place in."""
        local = ExecutorCapability.LOCAL in self.executor.capabilities
        return self._blocking if blocking and local and self._blocking is not None else self._all


class Entry:
    """One tool.

    Args:
        tool: The tool.
        settings: How calls are run.
        executor: Where it runs; ``None`` to run it where it is.
        source: Where it comes from, for messages; empty where a program registered it.
        reference: Where another process finds it.

    Raises:
        ToolError: Its name is none that providers accept, or its executor cannot run it.
    """

    __slots__ = ("_blocking", "_checker", "_local", "_shipped", "breaker", "executor", "executor_name", "gates", "reference", "source", "spec", "timeout_s", "tool", "watched_s")  # fmt: skip

    def __init__(
        self,
        tool: Tool,
        settings: CallSettings,
        executor: Placed | None = None,
        source: str = "",
        reference: ToolReference | None = None,
    ) -> None:
        spec = tool.spec
        if not _NAME.fullmatch(spec.name):
            raise ToolError(f"tool name {spec.name!r}: only letters, digits, _ and -, at most 64")
        self.tool, self.spec, self.source = tool, spec, source
        self.reference = reference or (getattr(tool, "reference", None) if spec.shippable else None)
        self.executor = None if executor is None else executor.executor
        self.executor_name = "" if executor is None else executor.name
        self._local = tool.run
        self._blocking: Callable[[RunRequest], Output] | None = getattr(tool, "run_blocking", None)
        if executor is not None:
            self._check_executor(executor)
        own = None if spec.limit is None else Slots(spec.limit)
        room = None if executor is None else executor.room(self._blocking is not None)
        self.gates = tuple([slots for slots in (own, room) if slots is not None])
        """What a call has to have a place in, in this order."""
        self.breaker = Breaker(settings.breaker_failures, settings.breaker_s)
        self.timeout_s = settings.timeout_s if spec.timeout_s is None else spec.timeout_s
        able = frozenset() if self.executor is None else self.executor.capabilities
        local, ends_itself = ExecutorCapability.LOCAL in able, ExecutorCapability.TIMEOUT in able
        self._shipped = (
            self._local if local else None,
            self._blocking if local else None,
            self.reference,
            self.timeout_s if ends_itself else None,
        )
        # What ends calls itself knows better how; the engine's own watch stands behind it.
        self.watched_s = self.timeout_s + (2.0 if ends_itself else 0.0)
        self._checker: Checker | SchemaError | None = None

    def _check_executor(self, placed: Placed) -> None:
        if ExecutorCapability.LOCAL not in placed.executor.capabilities and self.reference is None:
            raise ToolError(
                f"tool {self.spec.name!r} needs the context that it was opened in, or is defined where no other process "
                f'finds it; executor {placed.name!r} cannot run it: [calls.executors] "{self.spec.name}" = another one'
            )

    @property
    def checker(self) -> Checker:
        """Checks arguments; compiled when first used.

        Raises:
            SchemaError: The schema is none, or cannot be checked in bounded time.
        """
        if self._checker is None:
            from lamina.tools._schemas import Checker  # with the first call: most commands make none

            try:
                self._checker = Checker(self.spec.parameters, self.spec.name)
            except SchemaError as error:
                self._checker = error
        if isinstance(self._checker, SchemaError):
            raise SchemaError(self._checker.tool, self._checker.faults)
        return self._checker

    def check(self, call: Call) -> None:
        """Refuse arguments that do not fit.

        Raises:
            ArgumentsError: Every fault with its path.
            SchemaError: They cannot be checked.
        """
        faults = self.checker.faults(call.arguments)
        if faults:
            raise ArgumentsError(call.tool, faults)

    def execute(self, request: RunRequest) -> Awaitable[Output]:
        """Run it once, where it is to run."""
        if self.executor is None:
            return self._local(request)
        return self.executor.execute(ExecuteRequest(request, *self._shipped))

    def resources(self, call: Call) -> tuple[str, ...]:
        """What the call has for itself alone; arguments put in their places."""

        def given(place: re.Match[str]) -> str:
            value: Any = call.arguments.get(place[1])
            return "" if value is None else str(value)[:1000]

        return tuple(_PLACE.sub(given, name) for name in self.spec.resources)
