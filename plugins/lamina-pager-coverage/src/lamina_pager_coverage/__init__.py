"""Pager for lamina: newest pages whole, older ones as excerpts chosen by coverage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Pager
from lamina_pager_coverage._settings import CoverageSettings

__all__ = ["CoverageSettings", "open_coverage", "register_pager"]


@asynccontextmanager
async def open_coverage(settings: CoverageSettings, host: Host) -> AsyncIterator[Pager]:
    """Open the pager."""
    from lamina_pager_coverage._pager import CoveragePager

    yield CoveragePager(settings)


@hookimpl
def register_pager(register: Register[Pager]) -> None:
    """Offer ``coverage``."""
    register("coverage", open_coverage, CoverageSettings)
