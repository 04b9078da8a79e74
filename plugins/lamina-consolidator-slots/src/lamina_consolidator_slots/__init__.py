"""Later values of a slot take the place of earlier ones, for lamina."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b

import msgspec
from attrs import field, frozen, validators

from lamina.errors import ConflictError
from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.model import Memory
from lamina.protocols import Commit, ConsolidateRequest, Consolidator, Get, Storage, Superseded

_RETRIES = 16


@frozen
class SlotsSettings:
    """Settings of the slots."""

    storage: str = "main"
    """The storage that holds which memories a slot has had, by its configured name."""
    history: int = field(default=20, validator=validators.ge(2))
    """So many memories of a slot are known; of more, the oldest are let stand as they are."""


class Slots:
    """Lets the memory that was said last be what a slot holds.

    Args:
        storage: Where the memories of a slot are noted.
        name: Of this instance: its keys begin with it.
        history: Memories of a slot that are known.
    """

    def __init__(self, storage: Storage, name: str, history: int) -> None:
        self._storage, self._prefix, self._history = storage, f"slots/{name}/", history

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        """Of each slot that new memories have, all but the one said last; ties by id."""
        slots: dict[str, list[Memory]] = {}
        for memory in request.memories:
            if memory.slot:
                slots.setdefault(memory.slot, []).append(memory)
        said: list[Superseded] = []
        for slot, new in sorted(slots.items()):
            known = await self._known(slot, [memory.id for memory in new])
            standing = {**await request.read(known), **{memory.id: memory for memory in new}}
            *old, last = sorted(standing.values(), key=lambda m: (m.created_s, m.id))
            said += [Superseded(memory.id, last.id, f"a later value of {slot}") for memory in old]
        return said

    async def _known(self, slot: str, new: Sequence[str]) -> list[str]:
        """The ids of the slot's memories, the new ones noted beside them."""
        # Slots are any text, keys are not; all ids are kept, so that an answer that a crash lost can be given again.
        key = self._prefix + blake2b(slot.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        for _ in range(_RETRIES):
            (record,) = await self._storage.get(Get(keys=[key]))
            known: list[str] = [] if record is None else msgspec.msgpack.decode(record.value)
            ids = list(dict.fromkeys([*known, *new]))
            if ids == known:
                return known
            value = msgspec.msgpack.encode(ids[-self._history :])
            try:
                await self._storage.commit(
                    Commit(puts={key: value}, expect={key: None if record is None else record.version})
                )
            except ConflictError as error:
                conflict = error
                continue
            return ids
        raise conflict


@asynccontextmanager
async def open_slots(settings: SlotsSettings, host: Host) -> AsyncIterator[Consolidator]:
    """Open the consolidator over its storage."""
    yield Slots(await host.open("storage", settings.storage), host.name, settings.history)


@hookimpl
def register_consolidator(register: Register[Consolidator]) -> None:
    """Offer ``slots``."""
    register("slots", open_slots, SlotsSettings)
