"""What storages may offer beyond records and scans: a part of :class:`lamina.testing.storage.StorageSuite`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lamina.errors import CapabilityError, ClosedError, ConflictError, IntegrityError, StorageError
from lamina.protocols import (
    BackupRequest,
    Capability,
    Change,
    CheckRequest,
    Commit,
    Get,
    NamespacesRequest,
    Scan,
    ScrubRequest,
    SizeRequest,
    Storage,
    WatchRequest,
    offering,
)
from lamina.testing._storage_records import NASTY_KEYS, OpenStorage, use

StoredBytes = Callable[[], bytes]
"""All bytes of all files of the place, one after the other."""
OpenCopy = Callable[..., AbstractAsyncContextManager[Storage]]
"""``open_copy(path, namespace="test")``."""
DamageRecord = Callable[[str], None]
"""``damage_record(key)``, in namespace ``test``."""

_CALLS: Mapping[Capability, Callable[[Any], Any]] = {
    Capability.SIZES: lambda storage: storage.size(SizeRequest()),
    Capability.WATCH: lambda storage: storage.watch(WatchRequest()).__aenter__(),
    Capability.SECURE_DELETE: lambda storage: storage.scrub(ScrubRequest()),
    Capability.BACKUP: lambda storage: storage.backup(BackupRequest(path=Path("never written"))),
    Capability.NAMESPACES: lambda storage: storage.namespaces(NamespacesRequest()),
    Capability.CHECK: lambda storage: storage.check(CheckRequest()),
}
_METHODS: Mapping[Capability, str] = {
    Capability.SIZES: "size",
    Capability.WATCH: "watch",
    Capability.SECURE_DELETE: "scrub",
    Capability.BACKUP: "backup",
    Capability.NAMESPACES: "namespaces",
    Capability.CHECK: "check",
}


class OfferTests:
    """Range deletes, watching, scrubbing, backups, namespaces, checks."""

    capabilities: ClassVar[frozenset[Capability]]
    watch_s: ClassVar[float] = 10.0
    """How long a change may take to be told."""

    @pytest.fixture
    def stored_bytes(self) -> StoredBytes:
        self._needs(Capability.SECURE_DELETE)
        raise NotImplementedError("a storage that declares secure-delete gives the fixture stored_bytes")

    @pytest.fixture
    def open_copy(self) -> OpenCopy:
        self._needs(Capability.BACKUP)
        raise NotImplementedError("a storage that declares backup gives the fixture open_copy")

    @pytest.fixture
    def damage_record(self) -> DamageRecord:
        self._needs(Capability.CHECK)
        raise NotImplementedError("a storage that declares check gives the fixture damage_record")

    def _needs(self, capability: Capability) -> None:
        if capability not in self.capabilities:
            pytest.skip(f"does not declare {capability}")

    def test_what_is_not_declared_is_not_there_or_refuses(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            for capability in _CALLS.keys() - self.capabilities:
                if hasattr(storage, _METHODS[capability]):
                    with pytest.raises(CapabilityError):
                        await _CALLS[capability](storage)
            if Capability.RANGE_DELETES not in self.capabilities:
                await storage.commit(Commit(puts={"a": b"1"}))
                with pytest.raises(CapabilityError):
                    await storage.commit(Commit(puts={"a": b"2"}, delete_prefixes=frozenset({"b"})))
                assert [record.value for record in await storage.scan(Scan())] == [b"1"]

        use(open_storage, work)

    def test_what_is_declared_refuses_after_close(self, open_storage: OpenStorage) -> None:
        async def main() -> None:
            async with open_storage() as storage:
                pass
            for capability in _CALLS.keys() & self.capabilities:
                with pytest.raises(ClosedError):
                    await _CALLS[capability](storage)

        asyncio.run(main())

    # ------------------------------------------------------------------------------------------- range deletes

    def test_everything_under_a_deleted_prefix_is_gone(self, open_storage: OpenStorage) -> None:
        self._needs(Capability.RANGE_DELETES)

        async def work(storage: Storage) -> None:
            for prefixes in ({"a"}, {"%"}, {"a_"}, {"\U0010ffff"}, {"é", "a/"}, {"never there"}, {"\ud7ff"}, {""}):
                await storage.commit(Commit(puts=dict.fromkeys(NASTY_KEYS, b"x")))
                await storage.commit(Commit(delete_prefixes=frozenset(prefixes)))
                left = sorted(key for key in NASTY_KEYS if not key.startswith(tuple(prefixes)))
                assert [record.key for record in await storage.scan(Scan())] == left
            with pytest.raises(ValueError):
                await storage.commit(Commit(delete_prefixes=frozenset({"\ud800"})))

        use(open_storage, work)

    def test_a_range_delete_stays_in_its_namespace(self, open_storage: OpenStorage) -> None:
        self._needs(Capability.RANGE_DELETES)

        async def main() -> None:
            async with open_storage("a") as one, open_storage("a/") as two, open_storage("A") as three:
                for storage in (one, two, three):
                    await storage.commit(Commit(puts={"x": b"", "/x": b"", "/": b""}))
                await one.commit(Commit(delete_prefixes=frozenset({""})))
                assert [len(await storage.scan(Scan())) for storage in (one, two, three)] == [0, 3, 3]
                await two.commit(Commit(delete_prefixes=frozenset({"/"})))
                assert [len(await storage.scan(Scan())) for storage in (one, two, three)] == [0, 1, 3]

        asyncio.run(main())

    def test_a_range_delete_is_part_of_its_batch(self, open_storage: OpenStorage) -> None:
        self._needs(Capability.RANGE_DELETES)

        async def work(storage: Storage) -> None:
            had = await storage.commit(Commit(puts={"a/1": b"", "a/2": b"", "b": b""}))
            gone = frozenset({"a/"})
            with pytest.raises(ConflictError):
                await storage.commit(Commit(puts={"c": b""}, delete_prefixes=gone, expect={"b": None}))
            assert [record.key for record in await storage.scan(Scan())] == ["a/1", "a/2", "b"]
            # What is expected is what was there before; what is put stands afterwards.
            new = await storage.commit(
                Commit(puts={"a/2": b"new"}, deletes=frozenset({"b"}), delete_prefixes=gone, expect=had)
            )
            assert [(r.key, r.value, r.version) for r in await storage.scan(Scan())] == [("a/2", b"new", new["a/2"])]
            assert new["a/2"] > had["a/2"]
            with pytest.raises(ConflictError):
                await storage.commit(Commit(puts={"a/1": b""}, expect={"a/1": had["a/1"]}))

        use(open_storage, work)

    # ------------------------------------------------------------------------------------------------ watching

    def test_what_another_opener_changes_is_told(self, open_storage: OpenStorage) -> None:
        self._needs(Capability.WATCH)

        async def main() -> None:
            async with open_storage() as one, open_storage() as two:
                await two.commit(Commit(puts=dict.fromkeys(("p/a", "p/b", "p/c", "q"), b"")))
                watchable = offering(one, Capability.WATCH, "watched")
                async with watchable.watch(WatchRequest(prefix="p/")) as changes:
                    for request, keys in (
                        (Commit(puts={"p/new": b"", "q": b""}), {"p/new"}),
                        (Commit(puts={"p/a": b"1"}), {"p/a"}),
                        (Commit(deletes=frozenset({"p/a", "p/b"})), {"p/a", "p/b"}),
                        (Commit(puts={"p/a": b"2"}, deletes=frozenset({"p/c"})), {"p/a", "p/c"}),
                    ):
                        await two.commit(request)
                        await self._told(changes, keys)

        asyncio.run(main())

    async def _told(self, changes: AsyncIterator[Change], keys: set[str]) -> None:
        missing = set(keys)
        while missing:
            change = await asyncio.wait_for(anext(changes), self.watch_s)
            missing = set() if change.keys is None else missing - change.keys
            assert change.keys is None or all(key.startswith("p/") for key in change.keys)

    def test_a_watch_ends_with_its_storage(self, open_storage: OpenStorage) -> None:
        self._needs(Capability.WATCH)

        async def main() -> None:
            async with open_storage() as storage:
                watching = offering(storage, Capability.WATCH, "watched").watch(WatchRequest())
                changes = await watching.__aenter__()
            with pytest.raises(ClosedError):
                await asyncio.wait_for(self._exhausted(changes), self.watch_s)
            await watching.__aexit__(None, None, None)

        asyncio.run(main())

    async def _exhausted(self, changes: AsyncIterator[Change]) -> None:
        async for _ in changes:
            pass

    # ----------------------------------------------------------------------------------------------- scrubbing

    def test_nothing_is_left_of_what_was_scrubbed(self, open_storage: OpenStorage, stored_bytes: StoredBytes) -> None:
        self._needs(Capability.SECURE_DELETE)
        marks = [b"<secret-%d>" % n for n in range(4)]

        async def work(storage: Storage) -> None:
            puts = {f"{n:03}": b"filler" * 50 for n in range(100)}
            await storage.commit(Commit(puts=puts | {"replaced": marks[0] * 9, "deleted": marks[1] * 2000}))
            await storage.commit(Commit(puts={"replaced": marks[2] * 3, "kept": b"<kept>", "<the key>": marks[3]}))
            assert b"<kept>" in stored_bytes()
            await storage.commit(Commit(puts={"replaced": b""}, deletes=frozenset({"deleted", "<the key>"})))
            await offering(storage, Capability.SECURE_DELETE, "scrubbed").scrub(ScrubRequest())
            left = stored_bytes()
            assert [mark for mark in (*marks, b"<the key>") if mark in left] == []
            assert b"<kept>" in left
            assert len(await storage.scan(Scan())) == 102

        use(open_storage, work)

    # -------------------------------------------------------------------------------------------------- backups

    def test_a_backup_is_the_whole_place_as_it_was(
        self, open_storage: OpenStorage, open_copy: OpenCopy, tmp_path: Path
    ) -> None:
        self._needs(Capability.BACKUP)
        path = tmp_path / "copies" / "copy"

        async def main() -> None:
            async with open_storage() as storage, open_storage("another/one") as other:
                await storage.commit(Commit(puts={f"{n:03}": b"x" * n * 50 for n in range(300)} | {"gone": b""}))
                await storage.commit(Commit(deletes=frozenset({"gone"})))
                await other.commit(Commit(puts={"a": b"other"}))
                before = [list(await each.scan(Scan())) for each in (storage, other)]
                await offering(storage, Capability.BACKUP, "copied").backup(BackupRequest(path=path))
                last = (await storage.commit(Commit(puts={"later": b"", "000": b"changed"})))["later"]
                with pytest.raises(StorageError):
                    await offering(storage, Capability.BACKUP, "copied").backup(BackupRequest(path=path))
            async with open_copy(path) as storage, open_copy(path, "another/one") as other:
                assert [list(await each.scan(Scan())) for each in (storage, other)] == before
                assert (await storage.commit(Commit(puts={"later": b""})))["later"] <= last

        asyncio.run(main())

    # ----------------------------------------------------------------------------------------------- namespaces

    def test_namespaces_with_records_are_listed_in_order(self, open_storage: OpenStorage) -> None:
        self._needs(Capability.NAMESPACES)
        names = ["a", "A", "a/", "a%2Fb", "%", "é", "e\u0301", "a b", "\ue000", "\uffff", "a\U0010ffff", "\U0010ffff"]

        async def main() -> None:
            for name in [*names, "emptied"]:
                async with open_storage(name) as storage:
                    await storage.commit(Commit(puts={"k": b"", "l": b""}))
            async with open_storage("emptied") as storage:
                await storage.commit(Commit(deletes=frozenset({"k", "l"})))
                ordered = sorted(names, key=str.encode)
                listing = offering(storage, Capability.NAMESPACES, "listed")
                assert list(await listing.namespaces(NamespacesRequest())) == ordered
                assert list(await listing.namespaces(NamespacesRequest(limit=3))) == ordered[:3]
                for place, name in enumerate(ordered):
                    rest = await listing.namespaces(NamespacesRequest(after=name, limit=2))
                    assert list(rest) == ordered[place + 1 : place + 3]
                with pytest.raises(ValueError):
                    await listing.namespaces(NamespacesRequest(limit=0))

        asyncio.run(main())

    # --------------------------------------------------------------------------------------------------- damage

    def test_a_check_of_what_is_sound_finds_nothing(self, open_storage: OpenStorage) -> None:
        self._needs(Capability.CHECK)

        async def work(storage: Storage) -> None:
            checking = offering(storage, Capability.CHECK, "checked")
            assert list(await checking.check(CheckRequest())) == []
            await storage.commit(Commit(puts=dict.fromkeys(NASTY_KEYS, b"x" * 300)))
            await storage.commit(Commit(puts={"a": b""}, deletes=frozenset({"b"})))
            assert list(await checking.check(CheckRequest())) == []

        use(open_storage, work)

    def test_a_damaged_record_is_named_and_the_rest_is_read(
        self, open_storage: OpenStorage, damage_record: DamageRecord
    ) -> None:
        self._needs(Capability.CHECK)

        async def fill(storage: Storage) -> None:
            await storage.commit(Commit(puts={f"{n:03}": b"value %d " % n * 40 for n in range(50)}))

        async def work(storage: Storage) -> None:
            keys = ["019", "020", "021"]
            reads: tuple[Callable[[], Awaitable[Any]], ...] = (
                lambda: storage.get(Get(keys=keys)),
                lambda: storage.get(Get(keys=["020"])),
                lambda: storage.scan(Scan()),
            )
            for read in reads:
                with pytest.raises(IntegrityError, match="020"):
                    await read()
            got = await storage.get(Get(keys=keys, tolerant=True))
            assert [record and bool(record.damaged) for record in got] == [False, True, False]
            for reverse in (False, True):
                found = await storage.scan(Scan(tolerant=True, reverse=reverse))
                assert [r.key for r in found if r.damaged] == ["020"]
                right = [(f"{n:03}", b"value %d " % n * 40) for n in range(50) if n != 20]
                assert sorted((r.key, r.value) for r in found if not r.damaged) == right
            damages = await offering(storage, Capability.CHECK, "checked").check(CheckRequest())
            assert [(d.namespace, d.key) for d in damages] == [("test", "020")]
            # What is written anew is whole again.
            await storage.commit(Commit(puts={"020": b"mended"}))
            assert [record and record.value for record in await storage.get(Get(keys=["020"]))] == [b"mended"]
            assert list(await offering(storage, Capability.CHECK, "checked").check(CheckRequest())) == []

        use(open_storage, fill)
        damage_record("020")
        use(open_storage, work)
