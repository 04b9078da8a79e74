import math

import pytest

from lamina.model import Memory
from lamina.protocols import PlaceRequest
from lamina_tier_medium import MediumSettings, MediumTier


def place(memory, now_s=1e6, uses=None, **settings):
    request = PlaceRequest(memory=memory, tokens=1, uses=memory.uses if uses is None else uses, now_s=now_s)
    return MediumTier(MediumSettings(**settings), None).place(request)


def test_the_least_worth_leave_first():
    held = [
        Memory("dull", "", importance=0.1, used_s=1e6),
        Memory("vital", "", importance=1.0, used_s=1e6),
        Memory("used", "", importance=0.1, uses=2, used_s=1e6),
        Memory("faded", "", importance=1.0, used_s=0.0),
    ]
    in_order = sorted(held, key=lambda memory: place(memory, half_life_s=1e5).order)
    assert [memory.id for memory in in_order] == ["faded", "dull", "vital", "used"]


def test_uses_before_it_came_speak_for_staying_and_not_for_going_up():
    fresh, used = place(Memory("a", "", used_s=1e6)), place(Memory("a", "", used_s=1e6, uses=9), uses=0)
    assert fresh.order < used.order
    assert not used.rise


def test_worth_halves_with_the_half_life():
    fresh = place(Memory("a", "", importance=0.5, used_s=1000.0), half_life_s=100.0)
    old = place(Memory("b", "", importance=1.0, used_s=900.0), half_life_s=100.0)
    assert fresh.order == pytest.approx(old.order)


def test_the_order_of_very_old_memories_survives_the_decay():
    older, old = (place(Memory("a", "", used_s=at), now_s=1e9, half_life_s=1.0) for at in (0.0, 10.0))
    assert older.order < old.order


@pytest.mark.parametrize("half_life_s", [1e-300, 1e308])
@pytest.mark.parametrize("importance", [0.0, 5e-324, 1.0])
def test_no_half_life_and_no_worth_leads_beyond_all_numbers(half_life_s, importance):
    assert math.isfinite(place(Memory("a", "", importance=importance), half_life_s=half_life_s).order)


@pytest.mark.parametrize(("uses", "used_s", "up"), [(3, 1e6, True), (2, 1e6, False), (3, 1e6 - 3601, False)])
def test_what_was_recalled_often_and_lately_goes_up(uses, used_s, up):
    assert place(Memory("a", "", uses=uses, used_s=used_s)).rise is up
