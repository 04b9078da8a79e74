"""How much each tier holds, known without reading it: sums that are kept in the commits that change them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
from attrs import define

from lamina._held import records
from lamina.protocols import Storage

_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.decode

Totals = tuple[int, int]
"""Records and tokens."""


@define
class Slot:
    """One of the numbers whose sum is what a tier holds. One commit at a time writes it, so that none waits."""

    key: str
    records: int = 0
    tokens: int = 0
    version: int | None = None

    def grown(self, by: Totals) -> bytes:
        """Its value after a commit."""
        return _encode([self.records + by[0], self.tokens + by[1]])


class Tally:
    """The slots of one tier.

    Args:
        storage: The tier's.
        tier: Its name.
    """

    def __init__(self, storage: Storage, tier: str) -> None:
        self._storage, self._prefix = storage, f"mem/{tier}/n/"
        self._free: list[Slot] = []
        self._adopted = False

    async def borrow(self) -> Slot:
        """A slot that no other commit of this process writes; given back by :meth:`written` or :meth:`lost`."""
        if not self._adopted:
            # Those of processes that ended are written on, so that there are as many as were ever needed at once.
            self._adopted = True
            async for batch in records(self._storage, self._prefix):
                for record in batch:
                    many, tokens = _decode(record.value)
                    self._free.append(Slot(record.key, many, tokens, record.version))
        return self._free.pop() if self._free else Slot(f"{self._prefix}{uuid.uuid4().hex[:12]}")

    def written(self, slot: Slot, by: Totals, versions: Mapping[str, int]) -> None:
        """The commit that grew it by so much succeeded."""
        slot.records, slot.tokens, slot.version = slot.records + by[0], slot.tokens + by[1], versions[slot.key]
        self._free.append(slot)

    def unused(self, slot: Slot) -> None:
        """The commit was refused for something else: nothing was written."""
        self._free.append(slot)

    async def totals(self) -> Totals:
        """What the tier holds, by all processes; costs as many reads as there were ever writers at once."""
        total: list[Any] = [0, 0]
        async for batch in records(self._storage, self._prefix):
            for record in batch:
                many, tokens = _decode(record.value)
                total = [total[0] + many, total[1] + tokens]
        return total[0], total[1]
