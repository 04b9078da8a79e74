"""Items of OpenAI's Responses API for lamina: reads recordings, writes and checks requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Format


@frozen
class ResponsesSettings:
    """Settings of the format."""

    max_record_bytes: int = field(default=64 * 2**20, validator=validators.gt(0))
    """An item longer than this is refused with its line, before anything is stored."""


@asynccontextmanager
async def open_responses(settings: ResponsesSettings, host: Host) -> AsyncIterator[Format]:
    """Open the format."""
    from lamina_format_responses._format import ResponsesFormat  # keeps start-up light

    yield ResponsesFormat(settings.max_record_bytes)


@hookimpl
def register_format(register: Register[Format]) -> None:
    """Offer ``responses``."""
    register("responses", open_responses, ResponsesSettings)
