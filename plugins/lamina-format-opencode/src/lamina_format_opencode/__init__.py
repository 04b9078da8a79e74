"""opencode sessions for lamina: reads and writes its exports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Format


@frozen
class OpencodeSettings:
    """Settings of the format."""

    max_record_bytes: int = field(default=64 * 2**20, validator=validators.gt(0))
    """A message longer than this is refused with its line, before anything is stored."""


@asynccontextmanager
async def open_opencode(settings: OpencodeSettings, host: Host) -> AsyncIterator[Format]:
    """Open the format."""
    from lamina_format_opencode._format import OpencodeFormat  # keeps start-up light

    yield OpencodeFormat(settings.max_record_bytes)


@hookimpl
def register_format(register: Register[Format]) -> None:
    """Offer ``opencode``."""
    register("opencode", open_opencode, OpencodeSettings)
