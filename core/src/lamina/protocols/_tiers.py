"""What becomes of a memory as it ages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from lamina.model import Memory
from lamina.protocols._indexing import Index
from lamina.protocols._storage import Storage


@frozen
class TierReview:
    """Asks a tier which of its memories should be elsewhere."""

    memories: Sequence[Memory]
    """All that the tier holds (texts left out), in any order. Their ``uses`` are those since they came into the tier."""
    now_s: float
    earlier_uses: Mapping[str, int] = field(factory=dict, hash=False)
    """How often each was used before it came into the tier, by id; those that were not are left out."""


@frozen
class Verdict:
    """What a tier wants to let go of."""

    demote: tuple[str, ...] = ()
    """Ids that go one tier down (from the last tier: nowhere, they stay)."""
    promote: tuple[str, ...] = ()
    """Ids that go one tier up (from the first tier: nowhere, they stay); of none that was not used since it came."""


@runtime_checkable
class Tier(Protocol):
    """A level of memory: a policy over a storage and an index, both asked from the host by configured name.

    The kernel moves the records; the tier decides. Tiers are ordered by ``rank``, lowest first.
    """

    rank: int
    storage: Storage
    index: Index

    async def review(self, request: TierReview) -> Verdict:
        """Which memories should move; pure; no id in both."""
        ...
