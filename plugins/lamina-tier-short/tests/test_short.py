import asyncio

from lamina.model import Memory
from lamina.protocols import TierReview
from lamina_tier_short import ShortSettings, ShortTier


def review(memories, now_s=1000.0, **settings):
    tier = ShortTier(ShortSettings(**settings), None, None)
    return asyncio.run(tier.review(TierReview(memories=memories, now_s=now_s)))


def test_the_least_recently_used_beyond_the_capacity_go_down():
    held = [Memory(f"{n}", "", used_s=900.0 + n) for n in range(9)]
    assert review(held, capacity=6).demote == ("0", "1", "2")


def test_what_was_not_used_for_too_long_goes_down_also_below_the_capacity():
    held = [Memory("old", "", used_s=899.0), Memory("edge", "", used_s=900.0), Memory("new", "", used_s=950.0)]
    assert review(held, max_age_s=100.0).demote == ("old",)


def test_nothing_goes_up():
    assert review([Memory("a", "", used_s=1000.0, uses=99)]).promote == ()
