from functools import partial

import pytest

from lamina.testing import LoneHost, TierSuite
from lamina_tier_short import ShortSettings, open_short


class TestShort(TierSuite):
    strategy = "short"
    capacity = 5

    @pytest.fixture
    def open_tier(self, tmp_path):
        parts = {("storage", "main"): "the storage", ("index", "lexical"): "the index"}
        return partial(open_short, ShortSettings(capacity=5), LoneHost(tmp_path, parts=parts))

    def test_storage_and_index_are_the_configured_ones(self, open_tier):
        async def parts(tier):
            return tier.storage, tier.index, tier.rank

        assert self.run(open_tier, parts) == ("the storage", "the index", 0)
