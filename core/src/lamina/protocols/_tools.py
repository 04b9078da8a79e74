"""What a model may call, and what runs the calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen

from lamina.model import Call


@frozen
class ToolSpec:
    """A tool as a model is shown it."""

    name: str
    """Letters, digits, ``_`` and ``-``, at most 64."""
    description: str
    parameters: Mapping[str, Any] = field(hash=False)
    """JSON Schema of the arguments: an object."""
    tags: tuple[str, ...] = ()


@runtime_checkable
class Tool(Protocol):
    """A callable with a schema."""

    spec: ToolSpec

    async def call(self, request: Call) -> str:
        """Run with arguments that fit the schema; what is returned is shown to the model as data."""
        ...


@frozen
class ExecuteRequest:
    """Asks to run one call."""

    call: Call
    run: Callable[[], Awaitable[str]]
    """Runs the tool once, in this process."""
    timeout_s: float | None = None


@runtime_checkable
class Executor(Protocol):
    """Decides where and how many calls run at once."""

    async def execute(self, request: ExecuteRequest) -> str:
        """Run the call and give its text; ``TimeoutError`` when it took longer than ``timeout_s``."""
        ...
