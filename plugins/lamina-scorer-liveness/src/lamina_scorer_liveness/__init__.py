"""Liveness scorer for lamina: pages whose identifiers newer pages still mention are worth more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Scorer


@frozen
class LivenessSettings:
    """Settings of the liveness scorer."""

    half_life_pages: float = field(default=10.0, validator=validators.gt(0), metadata={"tune": (2.0, 60.0)})
    """After so many newer pages a mention counts half."""
    enough: int = field(default=8, validator=validators.ge(1))
    """So many live identifiers make a page fully alive, however many it has."""


@asynccontextmanager
async def open_liveness(settings: LivenessSettings, host: Host) -> AsyncIterator[Scorer]:
    """Open the scorer."""
    from lamina_scorer_liveness._scorer import LivenessScorer  # keeps start-up light

    yield LivenessScorer(settings)


@hookimpl
def register_scorer(register: Register[Scorer]) -> None:
    """Offer ``liveness``."""
    register("liveness", open_liveness, LivenessSettings)
