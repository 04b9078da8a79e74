import pytest

from lamina.model import Memory
from lamina.protocols import Capacity, PlaceRequest
from lamina_tier_long import LongSettings, LongTier


@pytest.mark.parametrize(("uses", "used_s", "up"), [(2, 999.0, True), (1, 999.0, False), (9, 800.0, False)])
def test_what_is_used_again_goes_up(uses, used_s, up):
    tier = LongTier(LongSettings(promote_uses=2, recent_s=100.0), None)
    memory = Memory("a", "", uses=uses, used_s=used_s)
    assert tier.place(PlaceRequest(memory=memory, tokens=1, uses=uses, now_s=1000.0)).rise is up


def test_nothing_goes_down_however_much_there_is():
    tier = LongTier(LongSettings(), None)
    placed = tier.place(PlaceRequest(memory=Memory("a", ""), tokens=1, uses=0, now_s=1e9))
    assert (tier.capacity, placed.due_s) == (Capacity(), None)
