"""Lexical index for lamina, on SQLite FTS5, in every script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Index
from lamina.trust import outside_home


@frozen
class LexicalSettings:
    """Settings of the lexical index."""

    path: str = field(default="lexical.db", metadata={"trust": outside_home})
    """Database file; created if missing (mode 0600). Relative paths lie in lamina's home folder."""
    busy_timeout_s: float = field(default=5.0, validator=validators.gt(0))
    """Seconds to wait for another process that writes."""


@asynccontextmanager
async def open_lexical(settings: LexicalSettings, host: Host) -> AsyncIterator[Index]:
    """Open the index of the host's namespace.

    Raises:
        StorageError: The file cannot be opened or stays locked.
        IntegrityError: The file is no index, is damaged, or was written by a newer release.
    """
    from lamina_index_lexical._fts import LexicalIndex  # keeps start-up light

    index = await LexicalIndex.open(host.path(settings.path), host.namespace, settings.busy_timeout_s)
    try:
        yield index
    finally:
        await index.close()


@hookimpl
def register_index(register: Register[Index]) -> None:
    """Offer ``lexical``."""
    register("lexical", open_lexical, LexicalSettings)
