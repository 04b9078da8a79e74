"""What a model may call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen

from lamina.model import Call
from lamina.outputs import Output


@frozen
class Effects:
    """What calls of a tool do, as it says itself; what is not said is not the case."""

    read_only: bool = False
    """Changes nothing anywhere. Identical calls in flight run once."""
    idempotent: bool = False
    """A second call with the same arguments changes nothing more: it may be tried again."""
    destructive: bool = False
    """May destroy or overwrite what is not its own: files, records, processes."""
    open_world: bool = False
    """Reaches beyond this machine: the network, other people."""

    @property
    def repeatable(self) -> bool:
        """Whether a call may run a second time without harm."""
        return self.read_only or self.idempotent

    @property
    def changes_world(self) -> bool:
        """Whether a call may change what cannot be taken back: it destroys, or writes beyond this machine."""
        return self.destructive or (self.open_world and not self.read_only)


@frozen
class ToolSpec:
    """A tool as a model is shown it, and what the engine has to know of it."""

    name: str
    """Letters, digits, ``_`` and ``-``, at most 64."""
    description: str
    parameters: Mapping[str, Any] = field(hash=False)
    """JSON Schema of the arguments: an object. A property of ``"format": "shell"`` is a command line, one of
    ``"format": "path"`` a file's: grants match them as such, and not as text."""
    tags: tuple[str, ...] = ()
    effects: Effects = Effects()
    resources: tuple[str, ...] = ()
    """What a call has for itself alone: calls on one resource run one after another, in the order they came in.
    ``{path}`` stands for the argument of that name: ``("file:{path}",)``."""
    timeout_s: float | None = None
    """How long one call may take; the configured time where it is ``None``."""
    limit: int | None = None
    """At most so many calls at once."""
    version: str = ""
    output: Mapping[str, Any] | None = field(default=None, hash=False)
    """JSON Schema of the structured value, where there always is one."""
    shippable: bool = False
    """Whether it runs in another process as well: it needs nothing of the context that it was opened in."""


@frozen
class Progress:
    """How far a run has come."""

    done: float | None = None
    total: float | None = None
    text: str = ""
    """What happens, or a piece of the output so far."""


def _unheard(_: Progress) -> None:
    """Nobody listens."""


@frozen
class RunRequest:
    """Asks a tool to run once."""

    call: Call
    key: str = ""
    """Idempotency key: the same in every try of one call, and in no other call. Empty where nothing is tried twice."""
    attempt: int = 1
    report: Callable[[Progress], None] = field(default=_unheard, eq=False)
    """Tells progress; cheap, never raises, from the thread or task that runs the tool."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The call's arguments, which fit the schema."""
        return self.call.arguments


@runtime_checkable
class Tool(Protocol):
    """A callable with a schema.

    An exception that it raises becomes a failure that the model reads; :class:`lamina.errors.CallFailedError` says
    more. A run is cancelled as asyncio cancels: clean up and let it through.
    """

    spec: ToolSpec

    async def run(self, request: RunRequest) -> Output:
        """Run with arguments that fit the schema; what is returned is shown to the model as data."""
        ...


@runtime_checkable
class BlockingTool(Tool, Protocol):
    """A tool that blocks the thread it runs in; executors give it one."""

    def run_blocking(self, request: RunRequest) -> Output:
        """As :meth:`Tool.run`, in the calling thread."""
        ...


@runtime_checkable
class ToolSource(Protocol):
    """Many tools that may change: those of a server, of a folder. An opener may give one instead of a tool."""

    async def tools(self) -> Sequence[Tool]:
        """The tools that there are now; asked at opening, and again after each change."""
        ...

    async def changed(self) -> None:
        """Return when the list may differ from what :meth:`tools` gave last; wait for ever where it cannot.

        An exception means that the tools are gone: they are taken out, and the source is asked again later.
        """
        ...


@frozen
class ToolReference:
    """Where another process finds a tool."""

    target: str
    """``package.module:name``, of a function, a tool or a class of tools; or ``tool:NAME``, a configured one."""
    settings: Mapping[str, Any] = field(factory=dict, hash=False)
    """A configuration in the shape of ``lamina.toml``, JSON values only, in which ``tool:NAME`` is configured."""
