"""Role scorer for lamina: a page is worth what its role and shape say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Scorer


def _worth(default: float) -> Any:
    return field(default=default, validator=[validators.ge(0.0), validators.le(1.0)])


@frozen
class RoleSettings:
    """Settings of the role scorer: what each kind of text is worth, 0 to 1."""

    system: float = _worth(1.0)
    """Of a system message."""
    decision: float = _worth(1.0)
    """Of a user's short reply to a page of the assistant that ends with a question."""
    instruction: float = _worth(0.9)
    """Of the start of what a user says, up to ``instruction_characters``."""
    pasted: float = _worth(0.4)
    """Of what a user says beyond that: logs, files, documents."""
    answer: float = _worth(0.7)
    """Of what the assistant says without calling a tool."""
    prose: float = _worth(0.5)
    """Of what the assistant says beside its calls."""
    call: float = _worth(0.4)
    """Of a call's name and arguments."""
    result: float = _worth(0.25)
    """Of a tool's result."""
    error: float = _worth(0.6)
    """Of a tool's result that is an error, or whose start reads like one."""
    reasoning: float = _worth(0.15)
    """Of the model's reasoning."""
    other: float = _worth(0.5)
    """Of images and parts of unknown kinds."""
    instruction_characters: int = field(default=1500, validator=validators.ge(1))
    """How long an instruction or a decision is at most."""


@asynccontextmanager
async def open_role(settings: RoleSettings, host: Host) -> AsyncIterator[Scorer]:
    """Open the scorer."""
    from lamina_scorer_role._scorer import RoleScorer  # keeps start-up light

    yield RoleScorer(settings)


@hookimpl
def register_scorer(register: Register[Scorer]) -> None:
    """Offer ``role``."""
    register("role", open_role, RoleSettings)
