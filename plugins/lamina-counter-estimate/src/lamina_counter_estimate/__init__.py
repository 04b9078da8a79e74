"""Estimated token counts for lamina: no vocabulary, and never below the true count."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import frozen

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Counter


@frozen
class EstimateSettings:
    """Settings of the estimating counter: none."""


@asynccontextmanager
async def open_estimate(settings: EstimateSettings, host: Host) -> AsyncIterator[Counter]:
    """Open the counter."""
    from lamina_counter_estimate._counter import EstimateCounter

    yield EstimateCounter()


@hookimpl
def register_counter(register: Register[Counter]) -> None:
    """Offer ``estimate``."""
    register("estimate", open_estimate, EstimateSettings)
