"""A shell for agents, for lamina: bounded output, time limits, nothing left running."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Tool


@frozen
class ShellSettings:
    """Settings of ``shell``."""

    __trust__: ClassVar[bool] = True

    folder: Path = field(default=Path())
    """Where commands run; the working folder by default."""
    shell: str = "/bin/sh"
    """The shell; one that reads a command line after ``-c``."""
    timeout_s: float = field(default=120.0, validator=validators.gt(0))
    """How long one command line may take."""
    output_bytes: int = field(default=100_000, validator=validators.ge(1000))
    """Bytes of output that are kept: the first half and the last."""
    environment: tuple[str, ...] = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "SHELL", "VIRTUAL_ENV")
    """Variables that commands are given; all others, and the secrets in them, stay here."""
    limit: int = field(default=8, validator=validators.ge(1))
    """Command lines at once."""


@asynccontextmanager
async def open_shell(settings: ShellSettings, host: Host) -> AsyncIterator[Tool]:
    """Open ``shell``."""
    from lamina_tool_shell._tool import Shell

    yield Shell(settings)


@hookimpl
def register_tool(register: Register[Tool]) -> None:
    """Offer ``shell``."""
    register("shell", open_shell, ShellSettings)
