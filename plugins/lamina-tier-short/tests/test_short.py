from lamina.model import Memory
from lamina.protocols import Capacity, Placement, PlaceRequest
from lamina_tier_short import ShortSettings, ShortTier


def place(memory, now_s=1000.0, **settings):
    request = PlaceRequest(memory=memory, tokens=1, uses=memory.uses, now_s=now_s)
    return ShortTier(ShortSettings(**settings), None).place(request)


def test_the_least_recently_used_leave_first():
    assert place(Memory("a", "", used_s=900.0)).order < place(Memory("b", "", used_s=901.0)).order


def test_what_was_not_used_for_too_long_is_due():
    assert place(Memory("a", "", used_s=900.0), max_age_s=100.0).due_s == 1000.0


def test_nothing_goes_up():
    assert place(Memory("a", "", used_s=1000.0, uses=99)) == Placement(1000.0, 4600.0)


def test_it_is_bounded_by_records_and_where_asked_by_tokens():
    tiers = ShortTier(ShortSettings(), None), ShortTier(ShortSettings(capacity=7, capacity_tokens=900), None)
    assert [tier.capacity for tier in tiers] == [Capacity(1000), Capacity(7, 900)]
