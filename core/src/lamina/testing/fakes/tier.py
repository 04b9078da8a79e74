"""A sound tier, and one for each way to break the protocol; ``fails`` names the tests that it must fail."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from attrs import evolve

from lamina.protocols import Capacity, Placement, PlaceRequest

FACTS = "test_it_has_a_rank_a_capacity_and_a_policy"
FINITE = "test_a_place_is_a_finite_number_and_a_time"
SAME = "test_the_same_memory_gets_the_same_place"
CHANGES = "test_placing_changes_nothing_of_what_it_is_given"
UNUSED = "test_what_was_not_used_since_it_came_does_not_go_up"
WHEN = "test_the_order_does_not_depend_on_when_it_is_asked"
NEARER = "test_use_moves_nothing_nearer_to_leaving"


class SoundTier:
    """Keeps the five used last; raises what was used often."""

    fails: ClassVar[frozenset[str]] = frozenset()
    rank: Any = 0
    storage: Any = None
    capacity: Any = Capacity(5)
    policy: Any = "last use"

    def place(self, request: PlaceRequest) -> Placement:
        return Placement(request.memory.used_s, rise=request.uses >= 5)


class HasNoRank(SoundTier):
    """Says its rank in words."""

    fails = frozenset({FACTS})
    rank = "first"


class HoldsNothing(SoundTier):
    """Has room for no memory at all."""

    fails = frozenset({FACTS})
    capacity = Capacity(0)


class HasNoPolicy(SoundTier):
    """Does not name its policy, so that a change of settings would never be seen."""

    fails = frozenset({FACTS})
    policy = ""


class PlacesNowhere(SoundTier):
    """Has no number for what is worth nothing."""

    fails = frozenset({FINITE})

    def place(self, request: PlaceRequest) -> Placement:
        order = -math.inf if request.memory.importance == 0 and request.memory.uses == 0 else request.memory.used_s
        return evolve(super().place(request), order=order)


class RaisesTheImportant(SoundTier):
    """Raises what is important, used or not."""

    fails = frozenset({UNUSED})

    def place(self, request: PlaceRequest) -> Placement:
        return evolve(super().place(request), rise=request.memory.importance > 0.8)


class RaisesByEarlierUses(SoundTier):
    """Takes uses in other tiers for uses here."""

    fails = frozenset({UNUSED})

    def place(self, request: PlaceRequest) -> Placement:
        return evolve(super().place(request), rise=request.memory.uses >= 5)


class Wavers(SoundTier):
    """Gives every other place anew."""

    fails = frozenset({SAME, WHEN, NEARER})

    turns: ClassVar[int] = 0

    def place(self, request: PlaceRequest) -> Placement:
        Wavers.turns += 1
        return evolve(super().place(request), order=-1e12 * Wavers.turns)


class Marks(SoundTier):
    """Writes on the memory that it was given."""

    fails = frozenset({CHANGES})

    def place(self, request: PlaceRequest) -> Placement:
        object.__setattr__(request.memory, "tags", (*request.memory.tags, "seen"))
        return super().place(request)


class OrdersByAge(SoundTier):
    """Orders by how long ago the last use was when it was asked."""

    fails = frozenset({WHEN})

    def place(self, request: PlaceRequest) -> Placement:
        return evolve(super().place(request), order=request.memory.used_s - request.now_s)


class TiresOfUse(SoundTier):
    """Lets go first of what is used most."""

    fails = frozenset({NEARER})

    def place(self, request: PlaceRequest) -> Placement:
        return evolve(super().place(request), order=-float(request.memory.uses))


BROKEN: tuple[type[SoundTier], ...] = (
    HasNoRank,
    HoldsNothing,
    HasNoPolicy,
    PlacesNowhere,
    RaisesTheImportant,
    RaisesByEarlierUses,
    Wavers,
    Marks,
    OrdersByAge,
    TiresOfUse,
)
