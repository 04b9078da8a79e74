"""Who permits calls."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias, runtime_checkable

from attrs import frozen

from lamina.model import Call
from lamina.protocols._tools import ToolSpec

Answer: TypeAlias = Literal["allow", "ask", "deny"]


@frozen
class GrantRequest:
    """Asks whether a call may run."""

    call: Call
    """With its arguments, which fit the schema, and the session that it is made for."""
    spec: ToolSpec
    """The tool, with its effects."""
    namespace: str = "default"
    """The tenant."""


@frozen
class Decision:
    """What becomes of a call, and why."""

    answer: Answer
    """``ask`` leaves it to the ``authorize`` hooks, and denies where none says yes."""
    rule: str
    """The rule that decided, as it was configured, or ``default``."""
    why: str = ""
    """In one line, for a person and for the model."""


@runtime_checkable
class Grants(Protocol):
    """Permits calls. It is asked before every one of them: decide in microseconds where you can."""

    async def decide(self, request: GrantRequest) -> Decision:
        """Allow, ask or deny; the same for the same request. An exception denies the call."""
        ...


@runtime_checkable
class HidingGrants(Grants, Protocol):
    """Grants that know of some tools that every call would be denied."""

    def hides(self, spec: ToolSpec) -> bool:
        """Whether no call of this tool is ever allowed or asked for: then models are not shown it. Cheap."""
        ...
