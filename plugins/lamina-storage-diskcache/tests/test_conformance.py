"""The diskcache storage keeps the contract of storages."""

import pytest
from hypothesis import settings

from lamina.protocols import Capability
from lamina.testing import LoneHost, StorageSuite
from lamina_storage_diskcache import DiskcacheSettings, open_diskcache


class TestDiskcache(StorageSuite):
    strategy = "diskcache"
    capabilities = frozenset({Capability.DURABLE, Capability.SHARED, Capability.TTL, Capability.SIZES})
    model_settings = settings(StorageSuite.model_settings, max_examples=12)

    @pytest.fixture
    def open_storage(self, tmp_path, clock):
        def opened(namespace="test"):
            return open_diskcache(DiskcacheSettings(), LoneHost(tmp_path, namespace=namespace, clock=clock))

        return opened
