"""Embedder for lamina: signed hashing of words, pairs of words and their letters; no model, nothing to download."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Embedder


@frozen
class HashingSettings:
    """Settings of the hashing embedder."""

    dimensions: int = field(default=384, validator=[validators.ge(16), validators.le(8192)])
    """Numbers in a vector. With fewer, more features share a place, and what is not alike looks a little alike."""


@asynccontextmanager
async def open_hashing(settings: HashingSettings, host: Host) -> AsyncIterator[Embedder]:
    """Open the embedder."""
    from lamina_embedder_hashing._hashing import HashingEmbedder  # numpy, which start-up does not need

    yield HashingEmbedder(settings.dimensions)


@hookimpl
def register_embedder(register: Register[Embedder]) -> None:
    """Offer ``hashing``."""
    register("hashing", open_hashing, HashingSettings)
