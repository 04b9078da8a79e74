"""Dumped LangChain messages for lamina: reads recordings, writes and checks messages that LangChain loads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Format


@frozen
class LangChainSettings:
    """Settings of the format."""

    max_record_bytes: int = field(default=64 * 2**20, validator=validators.gt(0))
    """A message longer than this is refused with its line, before anything is stored."""


@asynccontextmanager
async def open_langchain(settings: LangChainSettings, host: Host) -> AsyncIterator[Format]:
    """Open the format."""
    from lamina_format_langchain._format import LangChainFormat  # keeps start-up light

    yield LangChainFormat(settings.max_record_bytes)


@hookimpl
def register_format(register: Register[Format]) -> None:
    """Offer ``langchain``."""
    register("langchain", open_langchain, LangChainSettings)
