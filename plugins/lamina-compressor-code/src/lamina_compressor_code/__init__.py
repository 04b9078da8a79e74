"""Compressor for lamina: source files as outlines; signatures and imports stay, bodies go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Compressor


@frozen
class CodeSettings:
    """Settings of the code compressor."""

    min_lines: int = field(default=20, validator=validators.ge(3), metadata={"tune": (5, 80)})
    """Sources of fewer lines stay as they are."""
    max_literal: int = field(default=10, validator=validators.ge(1), metadata={"tune": (3, 40)})
    """Of a list, table or string of more lines the first line stays."""
    arguments: bool = True
    """Whether files that a call writes (the text in its arguments) are outlined too."""


@asynccontextmanager
async def open_code(settings: CodeSettings, host: Host) -> AsyncIterator[Compressor]:
    """Open the compressor; grammars are imported when a file needs them."""
    from lamina_compressor_code._compressor import CodeCompressor

    yield CodeCompressor(settings)


@hookimpl
def register_compressor(register: Register[Compressor]) -> None:
    """Offer ``code``."""
    register("code", open_code, CodeSettings)
