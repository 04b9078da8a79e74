"""Anthropic messages for lamina: reads recordings, writes and checks requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Format


@frozen
class AnthropicSettings:
    """Settings of the format."""

    max_record_bytes: int = field(default=64 * 2**20, validator=validators.gt(0))
    """A message longer than this is refused with its line, before anything is stored."""
    cache_marks: int = field(default=2, validator=[validators.ge(0), validators.le(2)])
    """So many blocks of a window are marked for the provider's cache (``cache_control``): where the stable prefix ends,
    and where the system prompt does. Marks of the caller are dropped."""


@asynccontextmanager
async def open_anthropic(settings: AnthropicSettings, host: Host) -> AsyncIterator[Format]:
    """Open the format."""
    from lamina_format_anthropic._format import AnthropicFormat  # keeps start-up light

    yield AnthropicFormat(settings.max_record_bytes, settings.cache_marks)


@hookimpl
def register_format(register: Register[Format]) -> None:
    """Offer ``anthropic``."""
    register("anthropic", open_anthropic, AnthropicSettings)
