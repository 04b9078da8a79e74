from functools import partial

import pytest

from lamina.testing import LoneHost, TierSuite
from lamina_tier_medium import MediumSettings, open_medium


class TestMedium(TierSuite):
    strategy = "medium"

    @pytest.fixture
    def open_tier(self, tmp_path):
        parts = {("storage", "main"): "the storage"}
        return partial(open_medium, MediumSettings(capacity=5), LoneHost(tmp_path, parts=parts))

    def test_its_storage_is_the_configured_one(self, open_tier):
        async def parts(tier):
            return tier.storage, tier.rank

        assert self.run(open_tier, parts) == ("the storage", 1)
