"""Compressor for lamina: the sentences and lines of texts and results that matter, unchanged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Compressor


@frozen
class SemanticSettings:
    """Settings of the semantic compressor."""

    min_tokens: int = field(default=40, validator=validators.ge(1))
    """Texts of at most so many tokens stay whole."""
    key_lines: int = field(default=6, validator=validators.ge(0))
    """So many different error lines of a text stand in every offer, however small its target."""
    telegraphic: bool = False
    """Whether articles and fillers are dropped inside the kept sentences (English, German, Russian fillers)."""


@asynccontextmanager
async def open_semantic(settings: SemanticSettings, host: Host) -> AsyncIterator[Compressor]:
    """Open the compressor."""
    from lamina_compressor_semantic._compressor import SemanticCompressor  # keeps start-up light

    yield SemanticCompressor(settings)


@hookimpl
def register_compressor(register: Register[Compressor]) -> None:
    """Offer ``semantic``."""
    register("semantic", open_semantic, SemanticSettings)
