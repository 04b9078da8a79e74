"""A sound tier, and one for each way to break the protocol; ``fails`` names the tests that it must fail."""

from __future__ import annotations

from typing import Any, ClassVar

from attrs import evolve

from lamina.protocols import TierReview, Verdict

CAPACITY = 5

NAMES = "test_verdicts_name_only_what_the_tier_holds_and_each_once"
EMPTY = "test_an_empty_tier_lets_nothing_go"
SAME = "test_the_same_memories_get_the_same_verdict"
ORDER = "test_the_order_of_the_memories_does_not_matter"
WITHIN = "test_what_stays_is_within_the_capacity"
UNUSED = "test_what_was_not_used_since_it_came_does_not_go_up"
ROOM = "test_what_was_demoted_makes_room_for_the_rest"


class SoundTier:
    """Keeps the five used last; promotes what was used often."""

    fails: ClassVar[frozenset[str]] = frozenset()
    rank: Any = 0
    storage: Any = None
    index: Any = None

    async def review(self, request: TierReview) -> Verdict:
        held = sorted(request.memories, key=lambda m: (m.used_s, m.id))
        stay = [m.id for m in held if m.uses < 5]
        return Verdict(
            demote=tuple(stay[: max(0, len(stay) - CAPACITY)]), promote=tuple(m.id for m in held if m.uses >= 5)
        )


class HasNoRank(SoundTier):
    """Says its rank in words."""

    fails = frozenset({"test_it_has_a_rank"})
    rank = "first"


class DemotesStrangers(SoundTier):
    """Names what it does not hold."""

    fails = frozenset({NAMES, EMPTY, ROOM})

    async def review(self, request: TierReview) -> Verdict:
        verdict = await super().review(request)
        return evolve(verdict, demote=(*verdict.demote, "stranger"))


class RepeatsItself(SoundTier):
    """Names everything twice."""

    fails = frozenset({NAMES})

    async def review(self, request: TierReview) -> Verdict:
        verdict = await super().review(request)
        return Verdict(demote=verdict.demote * 2, promote=verdict.promote * 2)


class WantsBothWays(SoundTier):
    """Promotes also what it demotes."""

    fails = frozenset({"test_nothing_goes_both_ways", UNUSED})

    async def review(self, request: TierReview) -> Verdict:
        verdict = await super().review(request)
        return evolve(verdict, promote=(*verdict.promote, *verdict.demote))


class PromotesTheImportant(SoundTier):
    """Promotes what is important, used or not."""

    fails = frozenset({UNUSED})

    async def review(self, request: TierReview) -> Verdict:
        verdict = await super().review(request)
        important = {m.id for m in request.memories if m.importance > 0.8} - set(verdict.demote)
        return evolve(verdict, promote=tuple(sorted({*verdict.promote, *important})))


class Wavers(SoundTier):
    """Gives every other verdict backwards."""

    fails = frozenset({SAME})

    def __init__(self) -> None:
        self._turn = False

    async def review(self, request: TierReview) -> Verdict:
        self._turn = not self._turn
        verdict = await super().review(request)
        return verdict if self._turn else Verdict(verdict.demote[::-1], verdict.promote[::-1])


class TakesTheFirst(SoundTier):
    """Demotes what stands first in the request."""

    fails = frozenset({ORDER})

    async def review(self, request: TierReview) -> Verdict:
        return Verdict(tuple(m.id for m in request.memories[: max(0, len(request.memories) - CAPACITY)]))


class TakesOut(SoundTier):
    """Empties the list that it was given."""

    fails = frozenset({"test_a_review_changes_nothing_of_what_it_is_given", SAME, NAMES})

    async def review(self, request: TierReview) -> Verdict:
        verdict = await super().review(request)
        held: Any = request.memories
        held.clear()
        return verdict


class OverflowsByOne(SoundTier):
    """Keeps one too many."""

    fails = frozenset({WITHIN})

    async def review(self, request: TierReview) -> Verdict:
        verdict = await super().review(request)
        return evolve(verdict, demote=verdict.demote[1:])


class DemotesByHalves(SoundTier):
    """Always demotes the older half of what it holds."""

    fails = frozenset({ROOM, WITHIN})

    async def review(self, request: TierReview) -> Verdict:
        held = sorted(request.memories, key=lambda m: (m.used_s, m.id))
        return Verdict(tuple(m.id for m in held[: len(held) // 2]))


BROKEN: tuple[type[SoundTier], ...] = (
    HasNoRank,
    DemotesStrangers,
    RepeatsItself,
    WantsBothWays,
    PromotesTheImportant,
    Wavers,
    TakesTheFirst,
    TakesOut,
    OverflowsByOne,
    DemotesByHalves,
)
