"""The durable storages, and how the tests of crashes and damage use them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from attrs import frozen

from lamina.protocols import Storage
from lamina.testing import LoneHost
from lamina_storage_diskcache import DiskcacheSettings, open_diskcache
from lamina_storage_sqlite import SqliteSettings, open_sqlite


@frozen
class Store:
    """One durable storage."""

    name: str
    file: str
    """What holds the records, below the home folder."""
    open: Callable[[Path], AbstractAsyncContextManager[Storage]]


STORES = {
    store.name: store
    for store in (
        Store("sqlite", "lamina.db", lambda home: open_sqlite(SqliteSettings(), LoneHost(home))),
        Store("sqlite-full", "lamina.db", lambda home: open_sqlite(SqliteSettings(synchronous="full"), LoneHost(home))),
        Store("diskcache", "cache/cache.db", lambda home: open_diskcache(DiskcacheSettings(), LoneHost(home))),
    )
}
