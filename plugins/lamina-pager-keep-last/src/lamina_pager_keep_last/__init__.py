"""Keep-last pager for lamina: the newest whole pages that fit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import frozen

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.paging import keep_newest
from lamina.protocols import AdmitRequest, Pager, Plan, PlanRequest, Pressure, Shortened


@frozen
class KeepLastSettings:
    """Settings of the keep-last pager: it has none."""


class KeepLastPager:
    """Keeps the newest whole pages that fit the budget."""

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
        """Keep the newest pages that fit, and page out all before them; see :func:`lamina.paging.keep_newest`."""
        return await keep_newest(request)


@asynccontextmanager
async def open_keep_last(settings: KeepLastSettings, host: Host) -> AsyncIterator[Pager]:
    """Open the pager."""
    yield KeepLastPager()


@hookimpl
def register_pager(register: Register[Pager]) -> None:
    """Offer ``keep-last``."""
    register("keep-last", open_keep_last, KeepLastSettings)
