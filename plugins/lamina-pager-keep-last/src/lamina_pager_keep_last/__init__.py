"""Keep-last pager for lamina: the newest whole pages that fit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import frozen

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.paging import Layout, shorten_to
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
        """Keep the newest pages that fit, and page out all before them.

        A newest page that does not fit is shortened to the room that pins and stubs leave, and paged out where
        no offer fits. Reads as many pages as fit.

        Source:
            ``trim_messages(strategy="last")`` of langchain-core; here by whole pages, so that no call stands
            without its result.
        """
        layout = Layout(request)
        newest = len(request.pages) - 1
        start, forms = layout.fit(request.budget), {}
        if start > newest >= 0 and not layout.pinned(newest):
            room = request.budget - layout.pinned_tokens - request.stub_tokens * layout.stubs(newest)
            form = await shorten_to(request, request.pages[newest], room)
            if form is not None:
                forms[newest] = (form, "newest, too large for the budget")
                start = layout.fit(request.budget, {newest: form})
        return Plan(layout.entries(start, kept="newest that fit", out="older than what fits", forms=forms))


@asynccontextmanager
async def open_keep_last(settings: KeepLastSettings, host: Host) -> AsyncIterator[Pager]:
    """Open the pager."""
    yield KeepLastPager()


@hookimpl
def register_pager(register: Register[Pager]) -> None:
    """Offer ``keep-last``."""
    register("keep-last", open_keep_last, KeepLastSettings)
