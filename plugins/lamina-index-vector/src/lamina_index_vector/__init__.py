"""Vector index for lamina: memories near a query, by any embedder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Index
from lamina.trust import outside_home


@frozen
class VectorSettings:
    """Settings of the vector index."""

    embedder: str = "hashing"
    """Name of a configured embedder."""
    path: str = field(default="vectors.db", metadata={"trust": outside_home})
    """Database file; created if missing (mode 0600). Relative paths lie in lamina's home folder."""
    least_cosine: float = field(default=0.0, validator=[validators.ge(-1.0), validators.le(1.0)])
    """What is less like the query than this, or not at all, is not found."""
    authors: bool = True
    """Whether who said a text is embedded with it, as ``author: text``."""
    characters: int = field(default=4000, validator=validators.ge(1))
    """So much of a text is embedded."""
    precision: Literal["float16", "float32"] = "float16"
    """Of the numbers in the file."""
    exact: int = field(default=50_000, validator=validators.ge(0))
    """Up to so many vectors stand in memory as they are; of more, each number is one byte."""
    busy_timeout_s: float = field(default=5.0, validator=validators.gt(0))
    """Seconds to wait for another process that writes."""


@asynccontextmanager
async def open_vector(settings: VectorSettings, host: Host) -> AsyncIterator[Index]:
    """Open the index of the host's namespace.

    Raises:
        ConfigError: The embedder is not configured.
        StorageError: The file cannot be opened or stays locked.
        IntegrityError: The file is no index, is damaged, or was written by a newer release.
    """
    from lamina.kit.indexfile import IndexFile
    from lamina_index_vector._index import VectorIndex, rules  # numpy, which start-up does not need

    embedder = await host.open("embedder", settings.embedder)
    # By instance too: two of them, with an embedder each, may share one file.
    space = f"{host.name}\0{host.namespace}"
    made_by = rules(embedder, settings)
    file = await IndexFile.open(host.path(settings.path), space, made_by, settings.busy_timeout_s)
    try:
        yield VectorIndex(file, embedder, settings)
    finally:
        await file.close()


@hookimpl
def register_index(register: Register[Index]) -> None:
    """Offer ``vector``."""
    register("vector", open_vector, VectorSettings)
