"""What every storage must do with records: the first part of :class:`lamina.testing.storage.StorageSuite`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from lamina.errors import ClosedError, ConflictError
from lamina.protocols import Commit, Get, Record, Scan, Storage, measured

OpenStorage = Callable[..., AbstractAsyncContextManager[Storage]]
"""``open_storage(namespace="test")``."""

NASTY_KEYS = (
    *("a", "A", "b", "ab", "aB", "a/b", "a/", "/a", "/", "//", ".", "..", "a b", " a", "a ", "\t", "\n", "\r\n"),
    *(
        "%",
        "%%",
        "a%",
        "a_",
        "_",
        "*",
        "?",
        "[a]",
        "\\",
        "\\%",
        "'",
        '"',
        "`",
        "';--",
        "null",
        "None",
        "0",
        "00",
        "1.0",
    ),
    *("é", "e\u0301", "É", "ß", "ss", "SS", "ẞ", "ſ", "s", "K", "\u212a", "k", "İ", "i", "ı", "ﬁ", "fi", "Å", "\u212b"),
    *(
        "\x01",
        "\x1f",
        "\x7f",
        "\x80",
        "\u00a0",
        "\u00ad",
        "\u200b",
        "\u202e",
        "\ufeff",
        "\ufeffa",
        "中文",
        "한국",
        "각",
    ),
    *("a\ud7ff", "a\ue000", "a\ufffd", "a\uffff", "a\U00010000", "a😀", "a\U0010ffff", "\U0010ffff", "a\U0010ffffa"),
)
"""Legal keys that are easily confused, lost or misplaced."""

IMPOSSIBLE_KEYS = ("", "\0", "a\0b", "\ud800", "a\udfff", "k" * 1001, "é" * 501, "😀" * 251)
"""Keys that no storage holds."""

VALUES = (b"", b"\0", b"\0\0a\0", b"a\0b", bytes(range(256)), b"\xff" * 7, b"\xef\xbb\xbfx", b" x \r\n", b"0", b"null")
"""Values that are easily changed on their way."""


def use(open_storage: OpenStorage, work: Callable[[Storage], Awaitable[None]]) -> None:
    """Open the storage, run ``work`` with it, close it."""

    async def main() -> None:
        async with open_storage() as storage:
            await work(storage)

    asyncio.run(main())


class RecordTests:
    """Commit, get, expectations, versions and keys."""

    def test_a_closed_storage_refuses_every_call(self, open_storage: OpenStorage) -> None:
        async def main() -> None:
            async with open_storage() as storage:
                await storage.commit(Commit(puts={"a": b"1"}))
            calls: tuple[Callable[[], Awaitable[Any]], ...] = (
                lambda: storage.get(Get(keys=["a"])),
                lambda: storage.scan(Scan()),
                lambda: storage.commit(Commit(puts={"a": b"2"})),
                lambda: storage.commit(Commit()),
                lambda: measured(storage),
            )
            for call in calls:
                with pytest.raises(ClosedError):
                    await call()

        asyncio.run(main())

    # ------------------------------------------------------------------------------------ commit and get

    def test_what_was_committed_is_read_back(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            versions = await storage.commit(Commit(puts={"a": b"1", "b": b"2"}))
            got = await storage.get(Get(keys=["a", "b"]))
            assert list(got) == [Record("a", b"1", versions["a"]), Record("b", b"2", versions["b"])]
            assert [type(record.value) for record in got if record] == [bytes, bytes]

        use(open_storage, work)

    def test_get_answers_in_the_order_asked_with_none_for_absent_keys(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts={"a": b"1", "b": b"2"}))
            got = await storage.get(Get(keys=["b", "x", "a", "b"]))
            assert [record and record.value for record in got] == [b"2", None, b"1", b"2"]
            assert list(await storage.get(Get(keys=[]))) == []
            many = [f"{n:04}" for n in range(1200)]
            await storage.commit(Commit(puts={key: key.encode() for key in many}))
            got = await storage.get(Get(keys=many[::-1]))
            assert [record and record.key for record in got] == many[::-1]

        use(open_storage, work)

    def test_a_put_replaces_and_a_delete_removes(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts={"a": b"1", "b": b"2"}))
            await storage.commit(Commit(puts={"a": b"3"}, deletes=frozenset({"b", "never there"})))
            assert [record.value for record in await storage.scan(Scan())] == [b"3"]
            assert list(await storage.get(Get(keys=["b"]))) == [None]

        use(open_storage, work)

    def test_an_empty_commit_changes_nothing(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts={"a": b"1"}))
            before = list(await storage.scan(Scan()))
            assert dict(await storage.commit(Commit())) == {}
            assert list(await storage.scan(Scan())) == before

        use(open_storage, work)

    def test_every_value_comes_back_byte_for_byte(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            puts = {str(n): value for n, value in enumerate((*VALUES, bytes(range(256)) * 4096))}
            await storage.commit(Commit(puts=puts))
            await storage.commit(Commit(puts={"alone": b""}))
            got = await storage.get(Get(keys=[*puts, "alone"]))
            assert [record and record.value for record in got] == [*puts.values(), b""]
            assert {r.key: r.value for r in await storage.scan(Scan())} == {**puts, "alone": b""}

        use(open_storage, work)

    # -------------------------------------------------------------------------------------------- atomicity

    def test_a_batch_is_written_whole(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts={"old": b"", "older": b""}))
            puts = {f"{n:05}": str(n).encode() for n in range(3000)}
            versions = await storage.commit(Commit(puts=puts, deletes=frozenset({"old", "older"})))
            assert versions.keys() == puts.keys()
            records = await storage.scan(Scan(limit=5000))
            assert {record.key: record.value for record in records} == puts
            assert {record.key: record.version for record in records} == versions

        use(open_storage, work)

    def test_a_refused_batch_writes_nothing(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts={"a": b"1", "b": b"1"}))
            before = list(await storage.scan(Scan()))
            many = {f"{n:04}": b"" for n in range(400)}
            refused = (
                (ConflictError, Commit(puts={"a": b"2", "c": b"2"}, deletes=frozenset({"b"}), expect={"a": None})),
                (ConflictError, Commit(puts=many, expect={"a": None})),
                (ValueError, Commit(puts={"a": b"2", "c": b"2", "k" * 1001: b""})),
                (ValueError, Commit(puts={"a": b"2"}, deletes=frozenset({"b", "x\0"}))),
                (ValueError, Commit(puts=many | {"\ud800": b""})),
            )
            for error, request in refused:
                with pytest.raises(error):
                    await storage.commit(request)
                assert list(await storage.scan(Scan())) == before

        use(open_storage, work)

    def test_a_key_cannot_be_both_put_and_deleted(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            with pytest.raises(ValueError):
                await storage.commit(Commit(puts={"a": b"1", "b": b"1"}, deletes=frozenset({"a"})))
            assert list(await storage.scan(Scan())) == []

        use(open_storage, work)

    # ------------------------------------------------------------------------------------------ expectations

    def test_expecting_absence_creates_only_once(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts={"a": b"1"}, expect={"a": None}))
            with pytest.raises(ConflictError):
                await storage.commit(Commit(puts={"a": b"2"}, expect={"a": None}))
            assert [record.value for record in await storage.scan(Scan())] == [b"1"]
            await storage.commit(Commit(deletes=frozenset({"a"})))
            await storage.commit(Commit(puts={"a": b"3"}, expect={"a": None}))

        use(open_storage, work)

    def test_an_expected_version_must_be_the_present_one(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            first = (await storage.commit(Commit(puts={"a": b"1"})))["a"]
            second = (await storage.commit(Commit(puts={"a": b"2"}, expect={"a": first})))["a"]
            for stale in (first, second + 1, None):
                with pytest.raises(ConflictError):
                    await storage.commit(Commit(puts={"a": b"3"}, expect={"a": stale}))
                with pytest.raises(ConflictError):
                    await storage.commit(Commit(deletes=frozenset({"a"}), expect={"a": stale}))
            assert [record.value for record in await storage.scan(Scan())] == [b"2"]
            with pytest.raises(ConflictError):
                await storage.commit(Commit(puts={"b": b""}, expect={"b": second}))
            await storage.commit(Commit(deletes=frozenset({"a"}), expect={"a": second}))
            assert list(await storage.scan(Scan())) == []

        use(open_storage, work)

    def test_the_loser_is_told_exactly_which_keys_changed(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            had = await storage.commit(Commit(puts={"a": b"1", "b": b"1", "c": b"1"}))
            await storage.commit(Commit(puts={"a": b"2"}, deletes=frozenset({"b"})))
            with pytest.raises(ConflictError) as lost:
                await storage.commit(Commit(puts={"d": b"", "c": b"2"}, expect={**had, "d": None}))
            assert sorted(lost.value.keys) == ["a", "b"]

        use(open_storage, work)

    def test_expectations_may_concern_keys_outside_the_batch(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            head = (await storage.commit(Commit(puts={"head": b"1"})))["head"]
            await storage.commit(Commit(puts={"a": b""}, expect={"head": head, "tail": None}))
            assert dict(await storage.commit(Commit(expect={"head": head}))) == {}
            for expect in ({"head": head + 1}, {"tail": 1}, {"head": None}):
                with pytest.raises(ConflictError):
                    await storage.commit(Commit(puts={"b": b""}, expect=expect))
                with pytest.raises(ConflictError):
                    await storage.commit(Commit(expect=expect))
            assert [record.key for record in await storage.scan(Scan())] == ["a", "head"]

        use(open_storage, work)

    # ----------------------------------------------------------------------------------------------- versions

    def test_versions_are_positive_and_grow_with_each_change(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            last = 0
            for value in (b"1", b"2", b"2"):
                version = (await storage.commit(Commit(puts={"a": value, "b": value})))["a"]
                assert isinstance(version, int)
                assert version > last
                last = version
            assert [r and r.version for r in await storage.get(Get(keys=["a"]))] == [last]

        use(open_storage, work)

    def test_a_version_is_never_reused_after_a_delete(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            used: list[int] = []
            for _ in range(3):
                used.append((await storage.commit(Commit(puts={"a": b""}, expect={"a": None})))["a"])
                await storage.commit(Commit(deletes=frozenset({"a"})))
            assert used == sorted(set(used))
            await storage.commit(Commit(puts={"a": b""}))
            for stale in used:
                with pytest.raises(ConflictError):
                    await storage.commit(Commit(puts={"a": b"x"}, expect={"a": stale}))

        use(open_storage, work)

    # --------------------------------------------------------------------------------------------------- keys

    def test_keys_are_case_sensitive(self, open_storage: OpenStorage) -> None:
        self._kept_apart(open_storage, ["KEY", "Key", "key", "ß", "ẞ", "SS", "ss"])

    def test_keys_are_not_normalised(self, open_storage: OpenStorage) -> None:
        self._kept_apart(
            open_storage, ["é", "e\u0301", "Å", "A\u030a", "\u212b", "ﬁ", "fi", "각", "\u1100\u1161\u11a8"]
        )

    def test_keys_are_not_trimmed(self, open_storage: OpenStorage) -> None:
        self._kept_apart(open_storage, ["a", " a", "a ", "a\n", "\ufeffa", "a/", "/a", "a\u200b", "a."])

    def test_nasty_keys_are_kept_apart(self, open_storage: OpenStorage) -> None:
        self._kept_apart(open_storage, NASTY_KEYS)

    def _kept_apart(self, open_storage: OpenStorage, keys: Sequence[str]) -> None:
        async def work(storage: Storage) -> None:
            puts = {key: ascii(key).encode() for key in keys}
            await storage.commit(Commit(puts=puts, expect=dict.fromkeys(puts)))
            got = await storage.get(Get(keys=list(puts)))
            assert [(record.key, record.value) if record else None for record in got] == list(puts.items())
            assert {record.key for record in await storage.scan(Scan())} == set(puts)
            for key in puts:
                await storage.commit(Commit(deletes=frozenset({key})))
                assert list(await storage.get(Get(keys=[key]))) == [None]
            assert list(await storage.scan(Scan())) == []

        use(open_storage, work)

    def test_the_longest_keys_are_taken(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            keys = ["k" * 1000, "k" * 999 + "l", "é" * 500, "😀" * 250, "\U0010ffff" * 250]
            await storage.commit(Commit(puts={key: key.encode() for key in keys}))
            assert [record.key for record in await storage.scan(Scan())] == sorted(keys, key=str.encode)

        use(open_storage, work)

    def test_impossible_keys_are_refused(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            for key in IMPOSSIBLE_KEYS:
                for request in (
                    Commit(puts={key: b""}),
                    Commit(deletes=frozenset({key})),
                    Commit(puts={"a": b""}, expect={key: None}),
                ):
                    with pytest.raises(ValueError):
                        await storage.commit(request)
                with pytest.raises(ValueError):
                    await storage.get(Get(keys=["a", key]))
            assert list(await storage.scan(Scan())) == []

        use(open_storage, work)
