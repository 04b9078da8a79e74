"""The diskcache storage keeps the contract of storages."""

import sqlite3

import pytest
from hypothesis import settings

from lamina.protocols import Capability
from lamina.testing import LoneHost, StorageSuite
from lamina_storage_diskcache import DiskcacheSettings, open_diskcache


class TestDiskcache(StorageSuite):
    strategy = "diskcache"
    capabilities = frozenset(Capability) - {Capability.INSTANT}
    model_settings = settings(StorageSuite.model_settings, max_examples=12)

    @pytest.fixture
    def open_storage(self, tmp_path, clock):
        def opened(namespace="test"):
            host = LoneHost(tmp_path, namespace=namespace, clock=clock)
            return open_diskcache(DiskcacheSettings(watch_s=0.01), host)

        return opened

    @pytest.fixture
    def open_copy(self, tmp_path, clock):
        def opened(path, namespace="test"):
            return open_diskcache(DiskcacheSettings(path=path), LoneHost(tmp_path, namespace=namespace, clock=clock))

        return opened

    @pytest.fixture
    def stored_bytes(self, tmp_path):
        return lambda: b"".join(path.read_bytes() for path in (tmp_path / "cache").iterdir())

    @pytest.fixture
    def damage_record(self, tmp_path):
        def damage(key):
            with sqlite3.connect(tmp_path / "cache" / "cache.db") as other:
                changed = other.execute(
                    "UPDATE Cache SET value = substr(value, 1, 40) || x'00' || substr(value, 42) WHERE key = ?",
                    (f"test/{key}",),
                )
                assert changed.rowcount == 1
                assert other.execute("UPDATE Cache SET value = CAST(value AS BLOB)").rowcount
            other.close()

        return damage
