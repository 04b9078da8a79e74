"""Compressor for lamina: what stands twice becomes a reference to where it stands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Compressor


@frozen
class RedundancySettings:
    """Settings of the redundancy compressor."""

    min_chars: int = field(default=160, validator=validators.ge(40), metadata={"tune": (60, 640)})
    """What stands twice is referred to from so many characters on."""
    later: bool = field(default=False, metadata={"tune": None})
    """Whether pages may also be replaced by references to later pages that are asked about in the same request.
    Only for pagers that give up the older of two pages first."""
    superseded: bool = True
    """Whether a result is offered as one line where the same call, or a read of the same lines of the same file,
    was answered anew in a page that stands."""


@asynccontextmanager
async def open_redundancy(settings: RedundancySettings, host: Host) -> AsyncIterator[Compressor]:
    """Open the compressor."""
    from lamina_compressor_redundancy._compressor import RedundancyCompressor

    yield RedundancyCompressor(settings)


@hookimpl
def register_compressor(register: Register[Compressor]) -> None:
    """Offer ``redundancy``."""
    register("redundancy", open_redundancy, RedundancySettings)
