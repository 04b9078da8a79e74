"""Consolidation: what leaves a tier goes, a batch at a time, and nothing else is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import pairwise

from lamina._held import BATCH, Found, Held, Place, name_of, sortable
from lamina._places import Change, Places
from lamina.errors import ConflictError
from lamina.protocols import Record, Scan

Moves = list[tuple[str, str, str]]
"""(memory, from tier, to tier)"""


class Consolidation:
    """One run over all tiers: what should go up goes up, then what is due or too much goes down.

    Memory is constant: a batch of records. Tiers are looked at from the first to the last, and what no tier below
    would keep sinks to the last in one move.
    """

    def __init__(self, places: Places, now_s: float) -> None:
        self._places, self._now_s = places, now_s
        self.promoted: Moves = []
        self.demoted: Moves = []

    async def run(self) -> None:
        """Move all that should be elsewhere."""
        tiers = self._places.tiers
        for above, place in pairwise(tiers):
            await self._raise(place, above)
        for at in range(len(tiers) - 1):
            await self._sink_due(at)
            await self._sink_surplus(at)

    # ------------------------------------------------------------- up

    async def _raise(self, place: Place, above: Place) -> None:
        async for batch in self._marks(place, "u/"):
            here = await self._places.read(place, _ids(batch))
            # Asked again, because the use that spoke for it may be long ago.
            up = [id for id, f in here.items() if f.held.place(place[1], self._now_s).rise]
            moved = await self._places.move(up, place, above)
            self.promoted += [(id, place[0], above[0]) for id in moved]
            await self._keep({id: f for id, f in here.items() if id not in up}, place)

    async def _keep(self, found: Mapping[str, Found], place: Place) -> None:
        """Place memories anew where they stand, now."""
        change = Change()
        for f in found.values():
            self._places.put(change, place, f.held, f, self._now_s)
        if found:
            try:
                await self._places.commit(place[1].storage, change, place[0])
            except ConflictError:
                return  # somebody uses them just now: the next consolidation looks again

    # ------------------------------------------------------------- down

    async def _sink_due(self, at: int) -> None:
        place = self._places.tiers[at]
        until = sortable(self._now_s)
        async for batch in self._marks(place, "t/"):
            due = [record for record in batch if record.key.split("/")[3] <= until]
            await self._sink(at, await self._places.read(place, _ids(due)))
            if len(due) < len(batch):
                return

    async def _sink_surplus(self, at: int) -> None:
        place = self._places.tiers[at]
        capacity = place[1].capacity
        many, tokens = await self._places.totals(place)
        over = 0 if capacity.records is None else many - capacity.records
        heavy = 0 if capacity.tokens is None else tokens - capacity.tokens
        if over <= 0 and heavy <= 0:
            return
        async for batch in self._marks(place, "o/"):
            here = await self._places.read(place, _ids(batch))
            chosen = {}
            for id, found in here.items():
                if over <= 0 and heavy <= 0:
                    break
                chosen[id] = found
                over, heavy = over - 1, heavy - found.held.tokens
            await self._sink(at, chosen, max(0, over))
            if over <= 0 and heavy <= 0:
                return

    async def _sink(self, at: int, found: Mapping[str, Found], coming: int = 0) -> None:
        """Move memories down, each to the first tier that keeps it; so many that stand higher come after them."""
        source = self._places.tiers[at]
        left: list[tuple[str, Held]] = [(id, f.held) for id, f in found.items()]
        for below in range(at + 1, len(self._places.tiers)):
            to = self._places.tiers[below]
            stay = left if to == self._places.tiers[-1] else await self._kept(to, left, coming)
            kept = {id for id, _ in stay}
            moved = await self._places.move([id for id, _ in stay], source, to) if stay else []
            self.demoted += [(id, source[0], to[0]) for id in moved]
            left = [(id, held) for id, held in left if id not in kept]

    async def _kept(self, to: Place, arriving: Sequence[tuple[str, Held]], coming: int) -> list[tuple[str, Held]]:
        """Those of the arriving that a tier would not let go of again."""
        many, tokens = await self._places.totals(to)
        capacity = to[1].capacity
        lowest = await self._lowest(to)
        places = []
        for id, held in arriving:
            placed = held.arrived().place(to[1], self._now_s)
            if placed.due_s is None or placed.due_s > self._now_s:
                places.append((f"{sortable(placed.order)}/{name_of(id)}", id, held))
        out = []
        above = coming
        for key, id, held in sorted(places, key=lambda p: p[0], reverse=True):
            # Where there is no room it takes the place of something lower, which goes when the tier's turn comes;
            # unless what stands higher and arrives too fills the tier by itself.
            full = capacity.records is not None and above >= capacity.records
            room = capacity.records is None or many + above < capacity.records
            room = room and (capacity.tokens is None or tokens + held.tokens <= capacity.tokens)
            if not full and (room or lowest is None or key > lowest):
                out.append((id, held))
                above, tokens = above + 1, tokens + held.tokens
        return out

    async def _lowest(self, place: Place) -> str | None:
        prefix = f"mem/{place[0]}/o/"
        found = await place[1].storage.scan(Scan(prefix=prefix, limit=1))
        return found[0].key[len(prefix) :] if found else None

    async def _marks(self, place: Place, kind: str) -> AsyncIterator[Sequence[Record]]:
        """The keys beside records, lowest first, in batches; what was dealt with may have gone meanwhile."""
        prefix, after = f"mem/{place[0]}/{kind}", None
        while True:
            batch = await place[1].storage.scan(Scan(prefix=prefix, after=after, limit=BATCH))
            if not batch:
                return
            yield batch
            if len(batch) < BATCH:
                return
            after = batch[-1].key


def _ids(marks: Sequence[Record]) -> list[str]:
    return [mark.value.decode() for mark in marks]
