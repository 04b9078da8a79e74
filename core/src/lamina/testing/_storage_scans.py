"""What every storage must do with ranges: the second part of :class:`lamina.testing.storage.StorageSuite`."""

from __future__ import annotations

from typing import ClassVar

import pytest
from attrs import evolve

from lamina.protocols import Capability, Commit, Scan, Size, SizeRequest, SizingStorage, Storage, measured
from lamina.testing._storage_records import NASTY_KEYS, OpenStorage, use


async def keys_of(storage: Storage, scan: Scan) -> list[str]:
    """The keys that a scan gives."""
    return [record.key for record in await storage.scan(scan)]


class ScanTests:
    """Order, prefix, after, limit, reverse, keys only, and sizes."""

    capabilities: ClassVar[frozenset[Capability]]

    def test_a_scan_is_ordered_by_code_points(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts=dict.fromkeys(NASTY_KEYS[::-1], b"")))
            ordered = sorted(NASTY_KEYS, key=str.encode)
            assert await keys_of(storage, Scan()) == ordered
            assert await keys_of(storage, Scan(reverse=True)) == ordered[::-1]

        use(open_storage, work)

    def test_a_scan_of_nothing_is_empty(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            for scan in (Scan(), Scan(reverse=True), Scan(prefix="a"), Scan(after="a"), Scan(after="a", reverse=True)):
                assert await keys_of(storage, scan) == []

        use(open_storage, work)

    def test_a_scan_gives_all_keys_with_the_prefix_and_no_others(self, open_storage: OpenStorage) -> None:
        beside = [
            "A",
            "a",
            "a\x01",
            "a\uffff",
            "a\U00010000",
            "a\U0010ffff",
            "a\U0010ffff\U0010ffffz",
            "aa",
            "b",
            "é",
            "`",
        ]
        prefixes = ["", "a", "a\U0010ffff", "\U0010ffff", "\ud7ff", "A", "é", "e", "aaa", "z"]

        async def work(storage: Storage) -> None:
            keys = sorted({*beside, *NASTY_KEYS, "\ud7ffa", "\ue000", "\U0010ffffa"}, key=str.encode)
            await storage.commit(Commit(puts=dict.fromkeys(keys, b"")))
            for prefix in prefixes:
                wanted = [key for key in keys if key.startswith(prefix)]
                assert await keys_of(storage, Scan(prefix=prefix)) == wanted
                assert await keys_of(storage, Scan(prefix=prefix, reverse=True)) == wanted[::-1]

        use(open_storage, work)

    def test_a_prefix_is_text_and_never_a_pattern(self, open_storage: OpenStorage) -> None:
        keys = ["%x", "_x", "*x", "?x", "[a]x", "\\x", "\\%x", "ax", "abx", ".x", "^x", "'x", '"x']

        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts=dict.fromkeys(keys, b"")))
            for prefix in ("%", "_", "*", "?", "[a]", "\\", "\\%", ".", ".*", "^", "'", '"', "a%", "a_", "_%"):
                wanted = sorted(key for key in keys if key.startswith(prefix))
                assert await keys_of(storage, Scan(prefix=prefix)) == wanted

        use(open_storage, work)

    def test_a_scan_starts_beyond_after(self, open_storage: OpenStorage) -> None:
        keys = ["a", "b", "b\U0010ffff", "ba", "bb", "c"]

        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts=dict.fromkeys(keys, b"")))
            ordered = sorted(keys, key=str.encode)
            for after in (*keys, "", "0", "aa", "b\x01", "b\uffff", "bz", "z", "\U0010ffff" * 300, "b\0"):
                for prefix in ("", "b", "c", "x"):
                    inside = [key for key in ordered if key.startswith(prefix)]
                    beyond = [key for key in inside if key > after]
                    before = [key for key in inside[::-1] if key < after]
                    assert await keys_of(storage, Scan(prefix=prefix, after=after)) == beyond
                    assert await keys_of(storage, Scan(prefix=prefix, after=after, reverse=True)) == before

        use(open_storage, work)

    def test_a_scan_gives_at_most_its_limit(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            keys = [f"p{n}" for n in range(7)]
            await storage.commit(Commit(puts=dict.fromkeys(["a", *keys, "q"], b"")))
            for limit in (1, 2, 6, 7, 8, 10**9, 2**70):
                assert await keys_of(storage, Scan(prefix="p", limit=limit)) == keys[:limit]
                assert await keys_of(storage, Scan(prefix="p", limit=limit, reverse=True)) == keys[::-1][:limit]

        use(open_storage, work)

    def test_a_limit_below_one_is_refused(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts={"a": b""}))
            for limit in (0, -1):
                with pytest.raises(ValueError):
                    await storage.scan(Scan(limit=limit))

        use(open_storage, work)

    def test_a_scan_is_refused_text_without_a_utf8_form(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            for scan in (Scan(prefix="a\ud800"), Scan(after="\udfff"), Scan(after="\ud800a", reverse=True)):
                with pytest.raises(ValueError):
                    await storage.scan(scan)

        use(open_storage, work)

    def test_paging_through_meets_every_record_once(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            keys = [f"log/{n:05}" for n in range(2300)]
            await storage.commit(Commit(puts={key: key.encode() for key in keys} | {"log0": b"", "lof": b""}))
            for limit, reverse in ((1000, False), (1000, True), (97, False), (460, True), (2300, False)):
                met: list[str] = []
                after: str | None = None
                while True:
                    page = await keys_of(storage, Scan(prefix="log/", after=after, limit=limit, reverse=reverse))
                    met += page
                    if len(page) < limit:
                        break
                    after = page[-1]
                assert met == (keys[::-1] if reverse else keys)
            assert len(await keys_of(storage, Scan(prefix="log/"))) == 1000

        use(open_storage, work)

    def test_a_scan_of_keys_only_gives_the_same_without_values(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts={f"p{n}": b"x" * n * 1000 for n in range(9)} | {"q": b"y"}))
            for scan in (Scan(), Scan(prefix="p", after="p2", limit=3), Scan(after="p7", limit=4, reverse=True)):
                full = await storage.scan(scan)
                bare = await storage.scan(evolve(scan, keys_only=True))
                assert list(bare) == [evolve(record, value=b"") for record in full]

        use(open_storage, work)

    # -------------------------------------------------------------------------------------------------- sizes

    def test_a_size_counts_what_a_scan_finds(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            assert await measured(storage) == Size(records=0, bytes=0)
            values = {key: b"\0" * (n * 7) for n, key in enumerate(NASTY_KEYS)}
            await storage.commit(Commit(puts=values))
            await storage.commit(Commit(puts={"a": b"again"}, deletes=frozenset({"ab"})))
            values |= {"a": b"again"}
            del values["ab"]
            for prefix in ("", "a", "a/", "%", "a_", "é", "\U0010ffff", "\ud7ff", "never there"):
                kept = [(key, value) for key, value in values.items() if key.startswith(prefix)]
                n_bytes = sum(len(key.encode()) + len(value) for key, value in kept)
                assert await measured(storage, prefix) == Size(records=len(kept), bytes=n_bytes)
            if Capability.SIZES in self.capabilities:
                assert isinstance(storage, SizingStorage)
                with pytest.raises(ValueError):
                    await storage.size(SizeRequest(prefix="a\ud800"))

        use(open_storage, work)
