import asyncio

import pytest

from lamina.model import Memory
from lamina.protocols import TierReview
from lamina_tier_medium import MediumSettings, MediumTier


def review(memories, now_s=1e6, **settings):
    tier = MediumTier(MediumSettings(**settings), None, None)
    return asyncio.run(tier.review(TierReview(memories=memories, now_s=now_s)))


def test_the_least_worth_go_down_first():
    held = [
        Memory("dull", "", importance=0.1, used_s=1e6),
        Memory("vital", "", importance=1.0, used_s=1e6),
        Memory("used", "", importance=0.1, uses=2, used_s=1e6),
        Memory("faded", "", importance=1.0, used_s=0.0),
    ]
    assert review(held, capacity=1, half_life_s=1e5).demote == ("faded", "dull", "vital")


def test_uses_before_it_came_speak_for_staying_and_not_for_going_up():
    held = [Memory("a", "", used_s=1e6), Memory("b", "", used_s=1e6), Memory("c", "", used_s=1e6)]
    tier = MediumTier(MediumSettings(capacity=1), None, None)
    request = TierReview(memories=held, now_s=1e6, earlier_uses={"b": 9, "c": 1})
    verdict = asyncio.run(tier.review(request))
    assert (verdict.demote, verdict.promote) == (("a", "c"), ())


def test_worth_halves_with_the_half_life():
    tier = MediumTier(MediumSettings(half_life_s=100.0), None, None)
    fresh, old = Memory("a", "", importance=0.5, used_s=1000.0), Memory("b", "", importance=1.0, used_s=900.0)
    assert tier.worth(fresh, 1000.0) == pytest.approx(tier.worth(old, 1000.0))


def test_the_order_of_very_old_memories_survives_the_decay():
    held = [Memory("older", "", used_s=0.0), Memory("old", "", used_s=10.0)]
    assert review(held, now_s=1e9, capacity=1, half_life_s=1.0).demote == ("older",)


@pytest.mark.parametrize(("uses", "used_s", "up"), [(3, 1e6, True), (2, 1e6, False), (3, 1e6 - 3601, False)])
def test_what_was_recalled_often_and_lately_goes_up(uses, used_s, up):
    assert review([Memory("a", "", uses=uses, used_s=used_s)]).promote == (("a",) if up else ())
