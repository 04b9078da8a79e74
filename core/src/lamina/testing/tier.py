"""The conformance suite of tiers."""

from __future__ import annotations

import asyncio
import copy
import math
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import pytest
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.model import Memory
from lamina.protocols import Capacity, Placement, PlaceRequest, Tier
from lamina.testing.suite import Suite

T = TypeVar("T")
OpenTier = Callable[[], AbstractAsyncContextManager[Tier]]

few = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))

NOW_S = 1_800_000_000.0

_ages = st.one_of(st.just(0.0), st.floats(0, 10), st.floats(0, 1e6), st.floats(0, NOW_S), st.just(-5.0))
_uses = st.one_of(st.integers(0, 4), st.integers(0, 10**6))
requests = st.builds(
    lambda importance, age_s, uses, earlier, tokens: PlaceRequest(
        memory=Memory("a", "", importance=importance, created_s=NOW_S - age_s, used_s=NOW_S - age_s, uses=uses + earlier),
        tokens=tokens, uses=uses, now_s=NOW_S,
    ),
    st.floats(0, 1), _ages, _uses, _uses, st.integers(0, 10**6),
)  # fmt: skip
"""Memories of all ages, some used in the future by a clock that went back."""

USED = PlaceRequest(memory=Memory("a", "", created_s=NOW_S, used_s=NOW_S, uses=1000), tokens=10, uses=1000, now_s=NOW_S)
UNUSED = evolve(USED, memory=evolve(USED.memory, importance=0.0), uses=0)
WORTHLESS = evolve(UNUSED, memory=evolve(UNUSED.memory, uses=0))


class TierSuite(Suite):
    """What every tier must hold.

    Give a fixture ``open_tier``: ``async with open_tier() as tier``.
    """

    @pytest.fixture
    def open_tier(self) -> OpenTier:
        raise NotImplementedError("give the fixture open_tier")

    def run(self, open_tier: OpenTier, act: Callable[[Tier], Coroutine[Any, Any, T]]) -> T:
        """Do something with a freshly opened tier."""

        async def opened() -> T:
            async with open_tier() as tier:
                return await act(tier)

        return asyncio.run(opened())

    def place(self, open_tier: OpenTier, request: PlaceRequest) -> Placement:
        """Where a fresh tier puts a memory."""

        async def act(tier: Tier) -> Placement:
            return tier.place(request)

        return self.run(open_tier, act)

    def test_it_has_a_rank_a_capacity_and_a_policy(self, open_tier: OpenTier) -> None:
        async def facts(tier: Tier) -> tuple[Any, Any, Any]:
            return tier.rank, tier.capacity, tier.policy

        rank, capacity, policy = self.run(open_tier, facts)
        assert type(rank) is int
        assert isinstance(capacity, Capacity)
        assert all(most is None or (type(most) is int and most > 0) for most in (capacity.records, capacity.tokens))
        assert isinstance(policy, str)
        assert policy

    @few
    @given(request=requests)
    @example(request=WORTHLESS)
    def test_a_place_is_a_finite_number_and_a_time(self, open_tier: OpenTier, request: PlaceRequest) -> None:
        placed = self.place(open_tier, request)
        assert math.isfinite(placed.order)
        assert placed.due_s is None or math.isfinite(placed.due_s)
        assert type(placed.rise) is bool

    @few
    @given(request=requests)
    @example(request=USED)
    def test_the_same_memory_gets_the_same_place(self, open_tier: OpenTier, request: PlaceRequest) -> None:
        async def twice(tier: Tier) -> tuple[Placement, Placement]:
            return tier.place(request), tier.place(request)

        first, second = self.run(open_tier, twice)
        assert first == second == self.place(open_tier, request)

    @few
    @given(request=requests)
    @example(request=USED)
    def test_placing_changes_nothing_of_what_it_is_given(self, open_tier: OpenTier, request: PlaceRequest) -> None:
        before = copy.deepcopy(request)
        self.place(open_tier, request)
        assert request == before

    @few
    @given(request=requests)
    @example(request=UNUSED)
    @example(request=evolve(UNUSED, memory=evolve(UNUSED.memory, importance=1.0)))
    def test_what_was_not_used_since_it_came_does_not_go_up(self, open_tier: OpenTier, request: PlaceRequest) -> None:
        """Else the tier above, which may have let go of it, and this one pass it to and fro for ever."""
        assert not self.place(open_tier, evolve(request, uses=0)).rise

    @few
    @given(request=requests, later_s=st.floats(0, 1e6))
    @example(request=USED, later_s=1e6)
    def test_the_order_does_not_depend_on_when_it_is_asked(
        self, open_tier: OpenTier, request: PlaceRequest, later_s: float
    ) -> None:
        """Places are kept, and compared with those that were given at other times."""
        later = evolve(request, now_s=request.now_s + later_s)
        first, second = self.place(open_tier, request), self.place(open_tier, later)
        assert (first.order, first.due_s) == (second.order, second.due_s)

    @few
    @given(request=requests, more=st.integers(1, 5))
    @example(request=WORTHLESS, more=1)
    def test_use_moves_nothing_nearer_to_leaving(self, open_tier: OpenTier, request: PlaceRequest, more: int) -> None:
        used = evolve(request.memory, uses=request.memory.uses + more, used_s=max(NOW_S, request.memory.used_s))
        before, after = (
            self.place(open_tier, request),
            self.place(open_tier, evolve(request, memory=used, uses=request.uses + more)),
        )
        assert after.order >= before.order
        assert before.due_s is None or after.due_s is None or after.due_s >= before.due_s
