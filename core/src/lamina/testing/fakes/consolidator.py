"""A sound consolidator, and one for each way to break the protocol; ``fails`` names the tests that it must fail."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

from attrs import evolve

from lamina.model import Memory
from lamina.protocols import ConsolidateRequest, Superseded

NOTHING = "test_nothing_supersedes_nothing"
SUPERFLUOUS = "test_what_is_superfluous_is_superseded"
LATER = "test_what_became_superfluous_by_a_later_batch_is_superseded"
THERE = "test_verdicts_name_memories_that_there_are"
ONCE = "test_each_is_superseded_once_and_by_no_circle"
SAME = "test_the_same_memories_get_the_same_verdicts"
GONE = "test_what_is_gone_meanwhile_supersedes_nothing"


class SoundConsolidator:
    """Lets the newest memory of a text take the place of the others."""

    fails: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self.newest: dict[str, str] = {}

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        said = []
        standing = await request.read([self.newest[m.text] for m in request.memories if m.text in self.newest])
        here = {memory.id for memory in request.memories}
        for memory in request.memories:
            old = self.newest.get(memory.text)
            if old is not None and old != memory.id and (old in standing or old in here):
                said.append(Superseded(old, memory.id, "the same text", merge=True))
            self.newest[memory.text] = memory.id
        return said


class InventsOne(SoundConsolidator):
    """Lets something that nobody wrote take a place."""

    fails = frozenset({THERE})

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        return [evolve(verdict, by="nobody") for verdict in await super().consolidate(request)]


class SaysNotWhy(SoundConsolidator):
    """Gives no reason."""

    fails = frozenset({THERE})

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        return [evolve(verdict, why="") for verdict in await super().consolidate(request)]


class SpeaksOfNothing(SoundConsolidator):
    """Has something to say where nothing was shown."""

    fails = frozenset({NOTHING})

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        return await super().consolidate(request) if request.memories else [Superseded("a", "b", "a whim")]


class FindsNothing(SoundConsolidator):
    """Lets everything stand."""

    fails = frozenset({SUPERFLUOUS, LATER})

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        return []


class ForgetsTheLastBatch(SoundConsolidator):
    """Knows only what it is shown at once."""

    fails = frozenset({LATER})

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        self.newest.clear()
        return await super().consolidate(request)


class GoesInCircles(SoundConsolidator):
    """Lets two of the same take each other's place."""

    fails = frozenset({ONCE})

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        said = await super().consolidate(request)
        return [*said, *(Superseded(v.by, v.old, v.why) for v in said)]


class RepeatsItself(SoundConsolidator):
    """Says everything twice."""

    fails = frozenset({ONCE})

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        return [*await super().consolidate(request)] * 2


class Wavers(SoundConsolidator):
    """Gives another reason each time."""

    fails = frozenset({SAME})
    turns: ClassVar[itertools.count[int]] = itertools.count()

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        turn = next(Wavers.turns)
        return [evolve(verdict, why=f"reason {turn}") for verdict in await super().consolidate(request)]


class TrustsItsMemory(SoundConsolidator):
    """Does not look whether what it remembers still stands."""

    fails = frozenset({GONE})

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        async def read(ids: Sequence[str]) -> dict[str, Memory]:
            return {id: Memory(id, "") for id in ids}

        return await super().consolidate(evolve(request, read=read))


BROKEN: tuple[type[SoundConsolidator], ...] = (
    InventsOne,
    SaysNotWhy,
    SpeaksOfNothing,
    FindsNothing,
    ForgetsTheLastBatch,
    GoesInCircles,
    RepeatsItself,
    Wavers,
    TrustsItsMemory,
)
