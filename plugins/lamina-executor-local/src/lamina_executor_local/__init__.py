"""Runs tool calls in this process, for lamina."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Executor


@frozen
class LocalSettings:
    """Settings of ``local``."""

    threads: int = field(default=32, validator=validators.ge(1))
    """Threads for tools that block, started when they are needed; more calls wait."""
    close_s: float = field(default=1.0, validator=validators.ge(0))
    """Seconds that closing waits for threads; one that still runs then is logged, and ends with the process."""


@asynccontextmanager
async def open_local(settings: LocalSettings, host: Host) -> AsyncIterator[Executor]:
    """Open ``local``."""
    from lamina_executor_local._executor import LocalExecutor

    executor = LocalExecutor(settings, host.logger)
    try:
        yield executor
    finally:
        await executor.close()


@hookimpl
def register_executor(register: Register[Executor]) -> None:
    """Offer ``local``."""
    register("local", open_local, LocalSettings, protocol=1)
