"""Compressor for lamina: the head and the tail of long texts, and the id that brings back the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Compressor


@frozen
class TruncateSettings:
    """Settings of the truncate compressor."""

    head_share: float = field(
        default=0.6, validator=[validators.ge(0), validators.le(1)], metadata={"tune": (0.2, 0.9)}
    )
    """Share of what is kept of a text that its head gets; the tail gets the rest."""
    min_tokens: int = field(default=40, validator=validators.ge(1), metadata={"tune": (20, 200)})
    """No text is cut below so many tokens, unless its remark alone is smaller; shorter ones stay whole."""


@asynccontextmanager
async def open_truncate(settings: TruncateSettings, host: Host) -> AsyncIterator[Compressor]:
    """Open the compressor."""
    from lamina_compressor_truncate._truncate import TruncateCompressor

    yield TruncateCompressor(settings)


@hookimpl
def register_compressor(register: Register[Compressor]) -> None:
    """Offer ``truncate``."""
    register("truncate", open_truncate, TruncateSettings)
