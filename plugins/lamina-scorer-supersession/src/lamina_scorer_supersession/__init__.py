"""Supersession scorer for lamina: pages that a later page replaces are worth less."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import Attribute, field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Scorer


@frozen
class SupersessionSettings:
    """Settings of the supersession scorer."""

    repeated: float = field(default=0.1, validator=[validators.ge(0.0), validators.le(1.0)])
    """Worth of a call that was made again later with equal arguments."""
    touched: float = field(default=0.4, validator=[validators.ge(0.0), validators.le(1.0)])
    """Worth of a call whose file a later call names, with other arguments; at least ``repeated``."""

    @touched.validator
    def _not_below_repeated(self, attribute: Attribute[float], value: float) -> None:
        if value < self.repeated:
            raise ValueError(f"touched = {value} is below repeated = {self.repeated}; an equal call replaces more")


@asynccontextmanager
async def open_supersession(settings: SupersessionSettings, host: Host) -> AsyncIterator[Scorer]:
    """Open the scorer."""
    from lamina_scorer_supersession._scorer import SupersessionScorer  # keeps start-up light

    yield SupersessionScorer(settings)


@hookimpl
def register_scorer(register: Register[Scorer]) -> None:
    """Offer ``supersession``."""
    register("supersession", open_supersession, SupersessionSettings)
