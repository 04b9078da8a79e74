"""Codex sessions for lamina: reads and writes its rollouts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Format


@frozen
class CodexSettings:
    """Settings of the format."""

    max_record_bytes: int = field(default=64 * 2**20, validator=validators.gt(0))
    """A line longer than this is refused with its number, before anything is stored."""


@asynccontextmanager
async def open_codex(settings: CodexSettings, host: Host) -> AsyncIterator[Format]:
    """Open the format."""
    from lamina_format_codex._format import CodexFormat  # keeps start-up light

    yield CodexFormat(settings.max_record_bytes)


@hookimpl
def register_format(register: Register[Format]) -> None:
    """Offer ``codex``."""
    register("codex", open_codex, CodexSettings)
