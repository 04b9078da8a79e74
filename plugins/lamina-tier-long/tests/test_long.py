import asyncio

from lamina.model import Memory
from lamina.protocols import TierReview
from lamina_tier_long import LongSettings, LongTier


def review(memories, **settings):
    tier = LongTier(LongSettings(**settings), None, None)
    return asyncio.run(tier.review(TierReview(memories=memories, now_s=1000.0)))


def test_what_is_used_again_goes_up_the_most_used_first():
    held = [
        Memory("some", "", uses=2, used_s=999.0),
        Memory("most", "", uses=5, used_s=990.0),
        Memory("once", "", uses=1, used_s=999.0),
        Memory("then", "", uses=9, used_s=800.0),
    ]
    assert review(held, promote_uses=2, recent_s=100.0).promote == ("most", "some")


def test_nothing_goes_down_however_much_there_is():
    assert review([Memory(f"{n}", "") for n in range(20_000)]).demote == ()
