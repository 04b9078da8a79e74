"""Runs tool calls in processes of their own, for lamina."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Executor


@frozen
class ProcessSettings:
    """Settings of ``process``."""

    __trust__: ClassVar[bool] = True  # it starts programs, and says what they may use

    workers: int = field(default=4, validator=validators.ge(1))
    """Processes at once, started when they are needed; each runs one call at a time."""
    memory_mb: int = field(default=1024, validator=validators.ge(64))
    """Address space of one process, megabytes; a tool that wants more gets a MemoryError."""
    cpu_s: float = field(default=60.0, validator=validators.gt(0))
    """CPU seconds of one call; at the end the process is killed."""
    file_mb: int = field(default=100, validator=validators.ge(0))
    """Largest file that a call may write, megabytes."""
    files: int = field(default=256, validator=validators.ge(16))
    """Open files of one process."""
    output_mb: int = field(default=64, validator=validators.ge(1))
    """Largest output of one call, megabytes."""
    calls: int = field(default=1000, validator=validators.ge(1))
    """After so many calls a process is replaced by a fresh one."""
    environment: tuple[str, ...] = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
    """Variables that processes are given; all others, and the secrets in them, stay here."""
    folder: Path | None = None
    """Where processes work; a fresh temporary folder each, by default."""


@asynccontextmanager
async def open_process(settings: ProcessSettings, host: Host) -> AsyncIterator[Executor]:
    """Open ``process``."""
    from lamina_executor_process._executor import ProcessExecutor

    executor = ProcessExecutor(settings, host.logger)
    try:
        yield executor
    finally:
        await executor.close()


@hookimpl
def register_executor(register: Register[Executor]) -> None:
    """Offer ``process``."""
    register("process", open_process, ProcessSettings, protocol=1)
