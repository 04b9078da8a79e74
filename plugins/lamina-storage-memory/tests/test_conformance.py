"""The memory storage keeps the contract of storages."""

import pytest

from lamina.protocols import Capability
from lamina.testing import LoneHost, StorageSuite
from lamina_storage_memory import MemorySettings, open_memory


class TestMemory(StorageSuite):
    strategy = "memory"
    capabilities = frozenset({Capability.INSTANT, Capability.RANGE_DELETES, Capability.SIZES})

    @pytest.fixture
    def open_storage(self, tmp_path):
        return lambda namespace="test": open_memory(MemorySettings(), LoneHost(tmp_path, namespace=namespace))
