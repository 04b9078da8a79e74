"""The conformance suite of tiers."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeVar

import pytest
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.model import Memory
from lamina.protocols import Tier, TierReview, Verdict
from lamina.testing.suite import Suite

T = TypeVar("T")
OpenTier = Callable[[], AbstractAsyncContextManager[Tier]]

few = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))

NOW_S = 1_800_000_000.0

_ages = st.one_of(st.just(0.0), st.floats(0, 10), st.floats(0, 1e6), st.floats(0, NOW_S), st.just(-5.0))
memories = st.lists(
    st.builds(
        lambda name, importance, age_s, uses: Memory(
            name, "", importance=importance, created_s=NOW_S - age_s, used_s=NOW_S - age_s, uses=uses
        ),
        st.text(alphabet="ab#1é", min_size=1, max_size=4),
        st.floats(0, 1),
        _ages,
        st.one_of(st.integers(0, 4), st.integers(0, 10**6)),
    ),
    max_size=25,
    unique_by=lambda memory: memory.id,
)
"""Memories of all ages, some used in the future by a clock that went back."""

MANY = [
    Memory(f"m{n:02}", "", created_s=NOW_S - n, used_s=NOW_S - n, uses=n % 5, importance=n % 7 / 7) for n in range(40)
]


class TierSuite(Suite):
    """What every tier must hold.

    Give a fixture ``open_tier``: ``async with open_tier() as tier``, and say in ``capacity`` how many memories the
    tier that it opens keeps.
    """

    capacity: ClassVar[int | None] = None
    """How many memories the tier keeps; ``None``: any number."""

    @pytest.fixture
    def open_tier(self) -> OpenTier:
        raise NotImplementedError("give the fixture open_tier")

    def run(self, open_tier: OpenTier, act: Callable[[Tier], Coroutine[Any, Any, T]]) -> T:
        """Do something with a freshly opened tier."""

        async def opened() -> T:
            async with open_tier() as tier:
                return await act(tier)

        return asyncio.run(opened())

    def review(self, open_tier: OpenTier, held: Sequence[Memory], now_s: float = NOW_S) -> Verdict:
        """A fresh tier's verdict."""
        return self.run(open_tier, lambda tier: tier.review(TierReview(memories=held, now_s=now_s)))

    def test_it_has_a_rank(self, open_tier: OpenTier) -> None:
        async def rank(tier: Tier) -> Any:
            return tier.rank

        assert type(self.run(open_tier, rank)) is int

    def test_an_empty_tier_lets_nothing_go(self, open_tier: OpenTier) -> None:
        assert self.review(open_tier, []) == Verdict()

    @few
    @given(held=memories)
    @example(held=MANY)
    def test_verdicts_name_only_what_the_tier_holds_and_each_once(
        self, open_tier: OpenTier, held: list[Memory]
    ) -> None:
        held = [*held]  # an example's list is the same object at every run
        verdict = self.review(open_tier, held)
        ids = {memory.id for memory in held}
        assert set(verdict.demote) | set(verdict.promote) <= ids
        assert len(set(verdict.demote)) == len(verdict.demote)
        assert len(set(verdict.promote)) == len(verdict.promote)

    @few
    @given(held=memories)
    @example(held=MANY)
    def test_nothing_goes_both_ways(self, open_tier: OpenTier, held: list[Memory]) -> None:
        held = [*held]  # an example's list is the same object at every run
        verdict = self.review(open_tier, held)
        assert not set(verdict.demote) & set(verdict.promote)

    @few
    @given(held=memories)
    @example(held=MANY)
    def test_the_same_memories_get_the_same_verdict(self, open_tier: OpenTier, held: list[Memory]) -> None:
        held = [*held]  # an example's list is the same object at every run

        async def twice(tier: Tier) -> tuple[Verdict, Verdict]:
            request = TierReview(memories=held, now_s=NOW_S)
            return await tier.review(request), await tier.review(request)

        first, second = self.run(open_tier, twice)
        assert first == second == self.review(open_tier, held)

    @few
    @given(held=memories, seed=st.randoms(use_true_random=False))
    def test_the_order_of_the_memories_does_not_matter(
        self, open_tier: OpenTier, held: list[Memory], seed: Any
    ) -> None:
        shuffled = list(held)
        seed.shuffle(shuffled)
        first, second = self.review(open_tier, held), self.review(open_tier, shuffled)
        assert set(first.demote) == set(second.demote)
        assert set(first.promote) == set(second.promote)

    @few
    @given(held=memories)
    @example(held=MANY)
    def test_a_review_changes_nothing_of_what_it_is_given(self, open_tier: OpenTier, held: list[Memory]) -> None:
        held = [*held]  # an example's list is the same object at every run
        before = copy.deepcopy(held)
        self.review(open_tier, held)
        assert held == before

    @few
    @given(held=memories)
    @example(held=MANY)
    def test_what_was_not_used_since_it_came_does_not_go_up(self, open_tier: OpenTier, held: list[Memory]) -> None:
        """Else the tier above, which may have let go of it, and this one pass it to and fro for ever."""
        held = [evolve(memory, uses=0) for memory in held]
        assert self.review(open_tier, held).promote == ()

    @few
    @given(held=memories)
    @example(held=MANY)
    def test_what_stays_is_within_the_capacity(self, open_tier: OpenTier, held: list[Memory]) -> None:
        held = [*held]  # an example's list is the same object at every run
        verdict = self.review(open_tier, held)
        stays = {memory.id for memory in held} - set(verdict.demote) - set(verdict.promote)
        assert self.capacity is None or len(stays) <= self.capacity

    @few
    @given(held=memories)
    @example(held=MANY)
    def test_what_was_demoted_makes_room_for_the_rest(self, open_tier: OpenTier, held: list[Memory]) -> None:
        """Nothing more goes down at the same instant once the demoted are gone."""
        held = [*held]  # an example's list is the same object at every run
        gone = set(self.review(open_tier, held).demote)
        assert self.review(open_tier, [memory for memory in held if memory.id not in gone]).demote == ()
