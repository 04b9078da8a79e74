"""Storages that break what they offer beyond records and scans."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy

from attrs import evolve

from lamina.errors import ClosedError
from lamina.protocols import (
    BackupRequest,
    Capability,
    Change,
    CheckRequest,
    Commit,
    Damage,
    Get,
    NamespacesRequest,
    Record,
    Scan,
    ScrubRequest,
    WatchRequest,
)
from lamina.testing.fakes._storage_sound import ALL, SoundStorage

DAMAGE = "test_a_damaged_record_is_named_and_the_rest_is_read"
WATCH = "test_what_another_opener_changes_is_told"
BACKUP = "test_a_backup_is_the_whole_place_as_it_was"
NAMESPACES = "test_namespaces_with_records_are_listed_in_order"


class DoesMoreThanItSays(SoundStorage):
    """Has methods that it does not declare."""

    fails = frozenset({"test_what_is_not_declared_is_not_there_or_refuses"})
    declares = ALL - {Capability.BACKUP}

    def check_offer(self, capability: Capability) -> None:
        self.check_open()


class OffersAfterClose(SoundStorage):
    """What it offers works after close."""

    fails = frozenset({"test_what_is_declared_refuses_after_close"})

    async def check(self, request: CheckRequest) -> Sequence[Damage]:
        return await super().check(request) if not self.closed else []


class IgnoresRanges(SoundStorage):
    """Does not declare range deletes, takes them and ignores them."""

    fails = frozenset({"test_what_is_not_declared_is_not_there_or_refuses"})
    declares = ALL - {Capability.RANGE_DELETES}

    async def commit(self, request: Commit) -> Mapping[str, int]:
        return await super().commit(evolve(request, delete_prefixes=frozenset()))


class DeletesRangesLast(SoundStorage):
    """A range delete takes away what the same batch puts."""

    fails = frozenset({"test_a_range_delete_is_part_of_its_batch"})

    def apply(self, request: Commit) -> dict[str, int]:
        versions = super().apply(evolve(request, delete_prefixes=frozenset()))
        super().apply(Commit(delete_prefixes=request.delete_prefixes))
        return versions


class DeletesRangesEverywhere(SoundStorage):
    """A range delete reaches into other namespaces."""

    fails = frozenset({"test_a_range_delete_stays_in_its_namespace"})

    def apply(self, request: Commit) -> dict[str, int]:
        for space in self.place.spaces.values():
            for prefix in request.delete_prefixes:
                for name in [name for name in space.records if name.startswith(prefix)]:
                    del space.records[name]
        return super().apply(request)


class DeletesRangesByPattern(SoundStorage):
    """``%`` in a range that is deleted is anything."""

    fails = frozenset({"test_everything_under_a_deleted_prefix_is_gone"})

    def apply(self, request: Commit) -> dict[str, int]:
        return super().apply(evolve(request, delete_prefixes=frozenset(p.strip("%") for p in request.delete_prefixes)))


class TellsOnlyPuts(SoundStorage):
    """Deletes are not told."""

    fails = frozenset({WATCH})

    def remove(self, name: str) -> None:
        before = list(self.place.changed)
        super().remove(name)
        self.place.changed[:] = before

    def put(self, key: str, value: bytes, request: Commit) -> int:
        version = super().put(key, value, request)
        self.place.changed.append((self.namespace, key))
        return version


class TellsOtherPrefixes(SoundStorage):
    """Tells every key, also those that were not asked for."""

    fails = frozenset({WATCH})

    @asynccontextmanager
    async def watch(self, request: WatchRequest) -> AsyncIterator[AsyncIterator[Change]]:
        async with super().watch(WatchRequest()) as changes:
            yield changes


class StopsInSilence(SoundStorage):
    """A watch of a closed storage is over as if nothing had happened."""

    fails = frozenset({"test_a_watch_ends_with_its_storage"})

    async def changes(self, request: WatchRequest, seen: int) -> AsyncIterator[Change]:
        try:
            async for change in super().changes(request, seen):
                yield change
        except ClosedError:
            return


class LeavesTraces(SoundStorage):
    """Scrubbing does nothing."""

    fails = frozenset({"test_nothing_is_left_of_what_was_scrubbed"})

    async def scrub(self, request: ScrubRequest) -> None:
        return self.check_offer(Capability.SECURE_DELETE)


class OverwritesBackups(SoundStorage):
    """A backup replaces what is there."""

    fails = frozenset({BACKUP})

    async def backup(self, request: BackupRequest) -> None:
        self.place.copies.pop(request.path, None)
        await super().backup(request)


class BacksUpOneNamespace(SoundStorage):
    """A backup holds only the namespace that asked for it."""

    fails = frozenset({BACKUP})

    async def backup(self, request: BackupRequest) -> None:
        await super().backup(request)
        copy = self.place.copies[request.path]
        copy.spaces = {self.namespace: copy.spaces[self.namespace]}


class BacksUpByReference(SoundStorage):
    """A backup goes on to change."""

    fails = frozenset({BACKUP})

    async def backup(self, request: BackupRequest) -> None:
        await super().backup(request)
        copy = self.place.copies[request.path]
        copy.spaces = {name: evolve(deepcopy(space)) for name, space in copy.spaces.items()}
        copy.spaces[self.namespace] = self.space


class ListsTheEmpty(SoundStorage):
    """Namespaces without records are listed, too."""

    fails = frozenset({NAMESPACES})

    async def namespaces(self, request: NamespacesRequest) -> Sequence[str]:
        self.check_offer(Capability.NAMESPACES)
        names = [name for name in self.place.spaces if request.after is None or name > request.after]
        return sorted(names, key=str.encode)[: request.limit]


class HidesExpiry(SoundStorage):
    """Records do not say when they expire."""

    fails = frozenset({"test_a_put_sets_the_lifetime_anew", "test_an_expired_record_is_gone"})

    def record(self, key: str) -> Record | None:
        found = super().record(key)
        return found and evolve(found, expires_s=None)


class GivesTheDamaged(SoundStorage):
    """What is damaged is given as if it were right."""

    fails = frozenset({DAMAGE})

    def record(self, key: str) -> Record | None:
        found = super().record(key)
        return found and evolve(found, damaged=None)


class SkipsTheDamaged(SoundStorage):
    """What is damaged counts as absent."""

    fails = frozenset({DAMAGE})

    def record(self, key: str) -> Record | None:
        found = super().record(key)
        return None if found is not None and found.damaged else found


class GivesNothingBeside(SoundStorage):
    """A tolerant answer is refused like any other."""

    fails = frozenset({DAMAGE})

    async def get(self, request: Get) -> Sequence[Record | None]:
        return await super().get(evolve(request, tolerant=False))

    async def scan(self, request: Scan) -> Sequence[Record]:
        return await super().scan(evolve(request, tolerant=False))


class ChecksNothing(SoundStorage):
    """A check finds nothing, whatever there is."""

    fails = frozenset({DAMAGE})

    async def check(self, request: CheckRequest) -> Sequence[Damage]:
        self.check_offer(Capability.CHECK)
        return []


class CriesWolf(SoundStorage):
    """A check finds something everywhere."""

    fails = frozenset({"test_a_check_of_what_is_sound_finds_nothing", DAMAGE})

    async def check(self, request: CheckRequest) -> Sequence[Damage]:
        self.check_offer(Capability.CHECK)
        return [Damage(what="looks odd")]
