"""Messages of Pydantic AI for lamina: reads recordings, writes and checks messages that Pydantic AI loads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Format


@frozen
class PydanticAISettings:
    """Settings of the format."""

    max_record_bytes: int = field(default=64 * 2**20, validator=validators.gt(0))
    """A message longer than this is refused with its line, before anything is stored."""


@asynccontextmanager
async def open_pydantic_ai(settings: PydanticAISettings, host: Host) -> AsyncIterator[Format]:
    """Open the format."""
    from lamina_format_pydantic_ai._format import PydanticAIFormat  # keeps start-up light

    yield PydanticAIFormat(settings.max_record_bytes)


@hookimpl
def register_format(register: Register[Format]) -> None:
    """Offer ``pydantic-ai``."""
    register("pydantic-ai", open_pydantic_ai, PydanticAISettings)
