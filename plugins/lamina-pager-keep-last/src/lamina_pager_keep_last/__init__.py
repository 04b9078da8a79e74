"""Keep-last pager for lamina: the newest whole pages that fit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import frozen

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.kit.paging import keep_newest
from lamina.kit.promise import Promise, PromiseSettings
from lamina.protocols import AdmitRequest, Pager, Plan, PlanRequest, Pressure, Shortened


@frozen
class KeepLastSettings(PromiseSettings):
    """Settings of the keep-last pager: how much it promises beside the newest pages."""


class KeepLastPager:
    """Keeps the newest whole pages that fit the budget, beside what is promised."""

    def __init__(self, settings: KeepLastSettings) -> None:
        self._promise = Promise(settings)

    def due(self, request: Pressure) -> bool:
        """Plan only when the window is over its budget."""
        return request.tokens > request.budget

    def large(self, budget: int) -> int | None:
        """No page is treated differently as it enters."""
        return None

    async def admit(self, request: AdmitRequest) -> Shortened | None:
        """Every page enters verbatim."""
        return None

    async def plan(self, request: PlanRequest) -> Plan:
        """Keep the newest pages that fit, and page out all before them; see :func:`lamina.kit.paging.keep_newest`."""
        return await self._promise.keep(request, keep_newest)


@asynccontextmanager
async def open_keep_last(settings: KeepLastSettings, host: Host) -> AsyncIterator[Pager]:
    """Open the pager."""
    yield KeepLastPager(settings)


@hookimpl
def register_pager(register: Register[Pager]) -> None:
    """Offer ``keep-last``."""
    register("keep-last", open_keep_last, KeepLastSettings)
