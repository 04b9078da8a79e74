"""The consolidator: new memories meet those that share a band, and what says the same is merged into the newest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
from attrs import frozen

from lamina.errors import ConflictError
from lamina.kit.identifiers import words
from lamina.model import Memory
from lamina.protocols import Commit, ConsolidateRequest, Get, Storage, Superseded
from lamina_consolidator_duplicates._signatures import bands, likeness, triples

MOST = 8
"""Memories that a band knows, the newest: of those that say the same all but one are soon gone."""

_NUMBER = re.compile(r"\b\d+\b")
_RETRIES = 16


@frozen
class Read:
    """A new memory as it is compared."""

    memory: Memory
    triples: frozenset[tuple[str, ...]]
    numbers: frozenset[str]
    """Texts that differ in a number say different things, however alike they are."""
    bands: tuple[str, ...]


class Duplicates:
    """Merges what says nearly the same, by the same author and of the same kind, into the memory that was said last.

    Args:
        storage: Where the bands are kept.
        name: Of this instance: its keys begin with it.
        least: From which likeness on two texts say the same.
        words: Shorter texts are let stand.
    """

    def __init__(self, storage: Storage, name: str, least: float, words: int) -> None:
        self._storage, self._prefix, self._least, self._words = storage, f"alike/{name}/", least, words

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        """Of texts that say the same, all but the one that was said last; ties by id.

        Costs a read and a write of 16 keys for each new memory, and a read of what it meets.
        """
        new = [self._read(memory) for memory in request.memories if len(words(memory.text)) >= self._words]
        if not new:
            return []
        met = await self._meet(new)
        ids = {id for read in new for id in met[read.memory.id]} - {read.memory.id for read in new}
        others = {id: self._read(memory) for id, memory in (await request.read(sorted(ids))).items()}
        known = {**others, **{read.memory.id: read for read in new}}
        said: dict[str, Superseded] = {}
        for read in sorted(new, key=_when):
            for id in met[read.memory.id]:
                if id in known and id != read.memory.id and self._alike(read, known[id]):
                    old, by = sorted((read, known[id]), key=_when)
                    said.setdefault(old.memory.id, Superseded(old.memory.id, by.memory.id, "says the same", merge=True))
        return [said[id] for id in sorted(said)]

    def _read(self, memory: Memory) -> Read:
        found = triples(memory.text)
        return Read(memory, found, frozenset(_NUMBER.findall(memory.text)), tuple(bands(found)))

    def _alike(self, one: Read, other: Read) -> bool:
        a, b = one.memory, other.memory
        same = (a.author, a.kind, a.slot) == (b.author, b.kind, b.slot) and one.numbers == other.numbers
        return same and likeness(one.triples, other.triples) >= self._least

    async def _meet(self, new: Sequence[Read]) -> Mapping[str, list[str]]:
        """Who shares a band with each of the new ones, these noted in their bands."""
        keys = sorted({self._prefix + band for read in new for band in read.bands})
        for _ in range(_RETRIES):
            records = dict(zip(keys, await self._storage.get(Get(keys=keys)), strict=True))
            known: dict[str, list[str]] = {
                key: [] if record is None else msgspec.msgpack.decode(record.value) for key, record in records.items()
            }
            grown = {key: list(ids) for key, ids in known.items()}
            for read in sorted(new, key=_when):
                for band in read.bands:
                    ids = grown[self._prefix + band]
                    if read.memory.id not in ids:
                        ids.append(read.memory.id)
            puts = {key: msgspec.msgpack.encode(ids[-MOST:]) for key, ids in grown.items() if ids != known[key]}
            expect = {key: None if record is None else record.version for key, record in records.items() if key in puts}
            try:
                if puts:
                    await self._storage.commit(Commit(puts=puts, expect=expect))
            except ConflictError as error:
                conflict = error
                continue
            return {
                read.memory.id: list(dict.fromkeys(id for band in read.bands for id in grown[self._prefix + band]))
                for read in new
            }
        raise conflict


def _when(read: Read) -> tuple[float, str]:
    return read.memory.created_s, read.memory.id
