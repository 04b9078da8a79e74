"""The SQLite storage keeps the contract of storages, on both ways of committing."""

import pytest
from hypothesis import settings

from lamina.protocols import Capability
from lamina.testing import LoneHost, StorageSuite
from lamina_storage_sqlite import SqliteSettings, _storage, open_sqlite


class TestSqlite(StorageSuite):
    strategy = "sqlite"
    capabilities = frozenset({Capability.DURABLE, Capability.SHARED, Capability.SIZES})

    @pytest.fixture
    def open_storage(self, tmp_path):
        return lambda namespace="test": open_sqlite(SqliteSettings(), LoneHost(tmp_path, namespace=namespace))


class TestSqliteOnThreads(TestSqlite):
    """The same with every call on the storage's threads."""

    model_settings = settings(StorageSuite.model_settings, max_examples=6)

    @pytest.fixture(autouse=True)
    def nothing_is_small(self, monkeypatch):
        monkeypatch.setattr(_storage, "_SMALL_RECORDS", 0)
