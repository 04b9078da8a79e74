"""The conformance suite of consolidators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.model import Memory
from lamina.protocols import ConsolidateRequest, Consolidator, Superseded
from lamina.testing.suite import Suite

T = TypeVar("T")
OpenConsolidator = Callable[[], AbstractAsyncContextManager[Consolidator]]

few = settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))

NOW_S = 1_800_000_000.0

_texts = st.sampled_from(
    ["", "The port of staging is 8417.", "the port of staging is 8417", "The port of staging is 8418.", "日本語の文", "\0", "word " * 200]
)  # fmt: skip
memories = st.lists(
    st.builds(
        lambda id, text, slot, created_s, kind: Memory(id, text, kind, created_s=created_s, slot=slot),
        st.text(alphabet="ab#1é", min_size=1, max_size=3), _texts, st.sampled_from(["", "user.city", "a|b"]),
        st.sampled_from([0.0, 1.0, NOW_S]), st.sampled_from(["semantic", "episodic"]),
    ),
    max_size=8, unique_by=lambda memory: memory.id,
)  # fmt: skip


class ConsolidatorSuite(Suite):
    """What every consolidator must hold.

    Give a fixture ``open_consolidator``: ``async with open_consolidator() as consolidator``, and in ``superfluous`` a
    memory, and later ones of which at least one takes its place.
    """

    superfluous: ClassVar[tuple[Memory, ...]] = ()
    """The first one is superseded by another one of them."""

    @pytest.fixture
    def open_consolidator(self) -> OpenConsolidator:
        raise NotImplementedError("give the fixture open_consolidator")

    def consolidate(
        self, open_consolidator: OpenConsolidator, *batches: Sequence[Memory], gone: frozenset[str] = frozenset()
    ) -> list[list[Superseded]]:
        """What a fresh consolidator says of each batch, shown one after another; of those gone nothing can be read."""
        known = {memory.id: memory for batch in batches for memory in batch if memory.id not in gone}

        async def read(ids: Sequence[str]) -> Mapping[str, Memory]:
            return {id: known[id] for id in ids if id in known}

        async def act() -> list[list[Superseded]]:
            async with open_consolidator() as part:
                return [
                    list(await part.consolidate(ConsolidateRequest(memories=list(batch), now_s=NOW_S, read=read)))
                    for batch in batches
                ]

        return asyncio.run(act())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a piece of work to its end."""
        return asyncio.run(work)

    def test_nothing_supersedes_nothing(self, open_consolidator: OpenConsolidator) -> None:
        assert self.consolidate(open_consolidator, []) == [[]]

    def test_what_is_superfluous_is_superseded(self, open_consolidator: OpenConsolidator) -> None:
        [said] = self.consolidate(open_consolidator, self.superfluous)
        assert self.superfluous[0].id in {verdict.old for verdict in said}

    def test_what_became_superfluous_by_a_later_batch_is_superseded(self, open_consolidator: OpenConsolidator) -> None:
        _, said = self.consolidate(open_consolidator, self.superfluous[:1], self.superfluous[1:])
        first = self.superfluous[0].id
        assert first in {id for verdict in said for id in (verdict.old, verdict.by)}

    @few
    @given(batch=memories)
    def test_verdicts_name_memories_that_there_are(
        self, open_consolidator: OpenConsolidator, batch: list[Memory]
    ) -> None:
        [said] = self.consolidate(open_consolidator, [*self.superfluous, *batch])
        known = {memory.id for memory in (*self.superfluous, *batch)}
        assert all({verdict.old, verdict.by} <= known for verdict in said)
        assert all(verdict.why for verdict in said)

    @few
    @given(batch=memories)
    def test_each_is_superseded_once_and_by_no_circle(
        self, open_consolidator: OpenConsolidator, batch: list[Memory]
    ) -> None:
        shown = [*self.superfluous, *(m for m in batch if m.id not in {s.id for s in self.superfluous})]
        [said] = self.consolidate(open_consolidator, shown)
        by = {verdict.old: verdict.by for verdict in said}
        assert len(by) == len(said)
        for start in by:
            seen, at = {start}, by[start]
            while at in by:
                assert at not in seen
                seen.add(at)
                at = by[at]
            assert at not in seen

    @few
    @given(batch=memories)
    def test_the_same_memories_get_the_same_verdicts(
        self, open_consolidator: OpenConsolidator, batch: list[Memory]
    ) -> None:
        shown = [*self.superfluous, *batch]
        assert self.consolidate(open_consolidator, shown) == self.consolidate(open_consolidator, shown)

    def test_what_is_gone_meanwhile_supersedes_nothing(self, open_consolidator: OpenConsolidator) -> None:
        gone = frozenset({self.superfluous[0].id})
        _, said = self.consolidate(open_consolidator, self.superfluous[:1], self.superfluous[1:], gone=gone)
        assert not gone & {id for verdict in said for id in (verdict.old, verdict.by)}
