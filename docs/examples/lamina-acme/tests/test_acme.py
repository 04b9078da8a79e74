"""Both parts keep the contract of their kinds."""

from functools import partial

import pytest
from lamina.protocols import Capability
from lamina.testing import CompressorSuite, LoneHost, StorageSuite

from lamina_acme import FirstLinesSettings, JsonSettings, open_first_lines, open_json


class TestJson(StorageSuite):
    strategy = "acme-json"
    capabilities = frozenset({Capability.DURABLE})

    @pytest.fixture
    def open_storage(self, tmp_path):
        def opened(namespace="test"):
            # So little slack that the suite also meets journals that are rewritten.
            return open_json(JsonSettings(slack_bytes=500), LoneHost(tmp_path, namespace=namespace))

        return opened


class TestFirstLines(CompressorSuite):
    strategy = "acme-firstlines"

    @pytest.fixture
    def open_compressor(self, tmp_path):
        return partial(open_first_lines, FirstLinesSettings(), LoneHost(tmp_path))
