"""What becomes of a memory as it ages."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from attrs import frozen

from lamina.model import Memory
from lamina.protocols._storage import Storage


@frozen
class PlaceRequest:
    """Asks a tier where a memory stands in it."""

    memory: Memory
    """Its text may be left out. Its ``uses`` are all, wherever it stood."""
    tokens: int
    """Of its text."""
    uses: int
    """How often it was used since it came into the tier."""
    now_s: float


@frozen
class Placement:
    """Where a memory stands in a tier, until it is used or changed."""

    order: float
    """The lowest leave first where the tier holds more than it may; ties by id. Finite."""
    due_s: float | None = None
    """When it goes one tier down, whatever room there is; Unix seconds. The last tier keeps it."""
    rise: bool = False
    """Whether it should go one tier up; never for a memory that was not used since it came. The first tier keeps it."""


@frozen
class Capacity:
    """What a tier may hold at most; what is over goes down at the next consolidation."""

    records: int | None = None
    tokens: int | None = None
    """Of the memories' texts."""


@runtime_checkable
class Tier(Protocol):
    """A level of memory: a policy over a storage, which is asked from the host by its configured name.

    The kernel keeps the order beside the records, in the same commit, and moves them; the tier only says where each
    stands. So a consolidation reads what leaves and nothing else. Tiers are ordered by ``rank``, lowest first.
    """

    rank: int
    storage: Storage
    capacity: Capacity
    policy: str
    """Names what placements depend on, with its settings; where it changes, all memories are placed anew."""

    def place(self, request: PlaceRequest) -> Placement:
        """Where the memory stands from now on; pure, a plain call, because it comes with every write."""
        ...
