"""What every storage must do with ranges: the second part of :class:`lamina.testing.storage.StorageSuite`."""

from __future__ import annotations

import pytest

from lamina.protocols import Commit, Scan, Storage
from lamina.testing._storage_records import NASTY_KEYS, OpenStorage, use


async def keys_of(storage: Storage, scan: Scan) -> list[str]:
    """The keys that a scan gives."""
    return [record.key for record in await storage.scan(scan)]


class ScanTests:
    """Order, prefix, after, limit and reverse."""

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
