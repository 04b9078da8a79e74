"""The SQLite storage keeps the contract of storages, on both ways of committing."""

import sqlite3

import pytest
from hypothesis import settings

from lamina.protocols import Capability
from lamina.testing import LoneHost, StorageSuite
from lamina_storage_sqlite import SqliteSettings, _lanes, open_sqlite


class TestSqlite(StorageSuite):
    strategy = "sqlite"
    capabilities = frozenset(Capability) - {Capability.TTL}

    @pytest.fixture
    def open_storage(self, tmp_path):
        return lambda namespace="test": open_sqlite(
            SqliteSettings(watch_s=0.01), LoneHost(tmp_path, namespace=namespace)
        )

    @pytest.fixture
    def open_copy(self, tmp_path):
        return lambda path, namespace="test": open_sqlite(
            SqliteSettings(path=path), LoneHost(tmp_path, namespace=namespace)
        )

    @pytest.fixture
    def stored_bytes(self, tmp_path):
        return lambda: b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())

    @pytest.fixture
    def damage_record(self, tmp_path):
        def damage(key):
            with sqlite3.connect(tmp_path / "lamina.db") as other:
                changed = other.execute(
                    "UPDATE records SET value = CAST('spoilt' AS BLOB) WHERE namespace = 'test' AND key = ?", (key,)
                )
                assert changed.rowcount == 1
            other.close()

        return damage


class TestSqliteOnThreads(TestSqlite):
    """The same with every call on the storage's threads."""

    model_settings = settings(StorageSuite.model_settings, max_examples=6)

    @pytest.fixture(autouse=True)
    def nothing_is_small(self, monkeypatch):
        monkeypatch.setattr(_lanes, "SMALL_RECORDS", 0)
