"""The conformance suite of storages."""

from __future__ import annotations

import asyncio
import itertools
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

pytest.register_assert_rewrite(
    *(f"lamina.testing._storage_{part}" for part in ("records", "scans", "tasks", "model", "offers"))
)

from lamina.errors import CapabilityError, ClosedError, ConflictError  # noqa: E402 - after the line above
from lamina.protocols import Capability, Commit, Get, InstantStorage, Scan, Storage, measured  # noqa: E402
from lamina.testing._storage_model import StorageMachine  # noqa: E402
from lamina.testing._storage_offers import OfferTests  # noqa: E402
from lamina.testing._storage_records import OpenStorage, RecordTests, use  # noqa: E402
from lamina.testing._storage_scans import ScanTests  # noqa: E402
from lamina.testing._storage_tasks import TaskTests  # noqa: E402
from lamina.testing.suite import Suite  # noqa: E402


class Clock:
    """Unix time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now_s

    def advance(self, by_s: float) -> None:
        """Let time pass."""
        self.now_s += by_s


class StorageSuite(RecordTests, ScanTests, TaskTests, OfferTests, Suite):
    """The conformance suite of storages.

    A subclass gives ``strategy``, the ``capabilities`` that it declares, and the fixture ``open_storage``: a factory
    ``(namespace="test") -> AbstractAsyncContextManager[Storage]`` over one place, which is empty at the test's
    start. Opened again after closing it gives the same data where :attr:`Capability.DURABLE` is declared. Openers
    that read the time take it from the suite's fixture ``clock``::

        class TestMine(StorageSuite):
            strategy = "mine"
            capabilities = frozenset({Capability.DURABLE})

            @pytest.fixture
            def open_storage(self, tmp_path, clock):
                def opened(namespace="test"):
                    return open_mine(MineSettings(), LoneHost(tmp_path, namespace=namespace, clock=clock))

                return opened

    Some capabilities need a fixture more: ``backup`` needs ``open_copy``, like ``open_storage`` but with the backup's
    path before the namespace; ``secure-delete`` needs ``stored_bytes``, a function that gives all bytes of all files;
    ``check`` needs ``damage_record``, a function that spoils the value of a key in namespace ``test`` on the disk.
    """

    capabilities: ClassVar[frozenset[Capability]]
    model_settings: ClassVar[settings] = settings(
        max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
    """How long the comparison with a dict goes on."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    def test_it_declares_exactly_its_capabilities(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            assert isinstance(storage, Storage)
            assert storage.capabilities == self.capabilities

        use(open_storage, work)

    def test_it_agrees_with_a_dict_whatever_is_done(self, open_storage: OpenStorage) -> None:
        # Examples share the place, so each has a namespace of its own: it starts empty.
        fresh = (f"model {n}" for n in itertools.count())

        class Machine(StorageMachine):
            def __init__(self) -> None:
                namespace = next(fresh)
                super().__init__(lambda: open_storage(namespace))

        run_state_machine_as_test(Machine, settings=self.model_settings)

    # --------------------------------------------------------------------------------------------- namespaces

    def test_namespaces_never_meet(self, open_storage: OpenStorage) -> None:
        names = ("a", "A", "a/", "a/b", "a%2Fb", "a_", "%", "é", "e\u0301", "a b", "a\U0010ffff", "b")

        async def main() -> None:
            for name in names:
                async with open_storage(name) as storage:
                    assert list(await storage.scan(Scan())) == []
                    expect = dict.fromkeys(("x", "b/x", "/x", "own"))
                    puts = dict.fromkeys(("x", "b/x", "/x"), name.encode())
                    await storage.commit(Commit(puts=puts | {"own": b""}, expect=expect))
                    await storage.commit(Commit(deletes=frozenset({"own"})))
                    await self._only(storage, name.encode())
            async with open_storage("a") as one, open_storage("a/") as two:
                await two.commit(Commit(puts={"x": b"two", "b/x": b"two", "/x": b"two"}))
                await one.commit(Commit(puts={"x": b"one", "b/x": b"one", "/x": b"one"}))
                await self._only(one, b"one")
                await self._only(two, b"two")

        asyncio.run(main())

    async def _only(self, storage: Storage, value: bytes) -> None:
        for scan in (
            Scan(),
            Scan(reverse=True),
            Scan(after="\U0010ffff" * 10, reverse=True),
            Scan(after="", limit=10**9),
        ):
            records = await storage.scan(scan)
            assert sorted((record.key, record.value) for record in records) == [
                ("/x", value),
                ("b/x", value),
                ("x", value),
            ]
        got = await storage.get(Get(keys=["x", "b/x", "/x", "own"]))
        assert [record and record.value for record in got] == [value, value, value, None]

    # --------------------------------------------------------------------------------------- lasting, sharing

    def test_what_is_durable_outlives_closing(self, open_storage: OpenStorage) -> None:
        self._needs(Capability.DURABLE)

        async def main() -> None:
            async with open_storage() as storage:
                gone = (await storage.commit(Commit(puts={"gone": b""})))["gone"]
                kept = await storage.commit(Commit(puts={"kept": b"\0x", "also": b""}, deletes=frozenset({"gone"})))
                await storage.commit(Commit(deletes=frozenset({"also"})))
            async with open_storage() as storage:
                records = await storage.scan(Scan())
                assert [(r.key, r.value, r.version) for r in records] == [("kept", b"\0x", kept["kept"])]
                again = await storage.commit(Commit(puts={"gone": b"", "also": b""}, expect={"kept": kept["kept"]}))
                assert again["gone"] > gone
                assert again["also"] > kept["also"]

        asyncio.run(main())

    def test_who_shares_sees_what_the_other_wrote(self, open_storage: OpenStorage) -> None:
        self._needs(Capability.SHARED)

        async def main() -> None:
            async with open_storage() as one, open_storage() as two:
                version = (await one.commit(Commit(puts={"a": b"1"}, expect={"a": None})))["a"]
                assert [record.value for record in await two.scan(Scan())] == [b"1"]
                with pytest.raises(ConflictError):
                    await two.commit(Commit(puts={"a": b"2"}, expect={"a": None}))
                newer = (await two.commit(Commit(puts={"a": b"2"}, expect={"a": version})))["a"]
                assert newer > version
                with pytest.raises(ConflictError):
                    await one.commit(Commit(puts={"a": b"3"}, expect={"a": version}))
                assert [record and record.value for record in await one.get(Get(keys=["a"]))] == [b"2"]

        asyncio.run(main())

    # -------------------------------------------------------------------------------------------- reading at once

    def test_what_is_read_at_once_is_what_stands_there(self, open_storage: OpenStorage) -> None:
        self._needs(Capability.INSTANT)
        request = Get(keys=["a", "gone", "b", "a"])

        async def main() -> None:
            async with open_storage() as storage, open_storage("other") as other:
                assert isinstance(storage, InstantStorage)
                await other.commit(Commit(puts={"a": b"other", "gone": b"other"}))
                await storage.commit(Commit(puts={"a": b"1", "gone": b"1"}))
                assert storage.get_now(request) == await storage.get(request)
                await storage.commit(Commit(puts={"a": b"2", "b": b"2"}, deletes=frozenset({"gone"})))
                found = storage.get_now(request)
                assert found == await storage.get(request)
                assert await asyncio.to_thread(storage.get_now, request) == found
                assert list(storage.get_now(Get(keys=[]))) == []
            with pytest.raises(ClosedError):
                storage.get_now(request)

        asyncio.run(main())

    # ----------------------------------------------------------------------------------------------- lifetimes

    def test_a_lifetime_is_refused_unless_declared(self, open_storage: OpenStorage) -> None:
        if Capability.TTL in self.capabilities:
            pytest.skip("declares ttl")

        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts={"a": b"1"}))
            for request in (Commit(puts={"a": b"2", "b": b"2"}, ttl_s=60), Commit(ttl_s=60)):
                with pytest.raises(CapabilityError):
                    await storage.commit(request)
            assert [record.value for record in await storage.scan(Scan())] == [b"1"]

        use(open_storage, work)

    def test_an_expired_record_is_gone(self, open_storage: OpenStorage, clock: Clock) -> None:
        self._needs(Capability.TTL)

        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts={"a": b"", "c": b""}, ttl_s=60))
            old = (await storage.commit(Commit(puts={"b": b""}, ttl_s=90)))["b"]
            await storage.commit(Commit(puts={"d": b"", "e": b""}))
            begun_s = clock.now_s
            clock.advance(59)
            ends = {record.key: record.expires_s for record in await storage.scan(Scan())}
            after = {"a": 60.0, "b": 90.0, "c": 60.0, "d": None, "e": None}
            assert list(ends.items()) == [(key, s and begun_s + s) for key, s in after.items()]
            clock.advance(2)
            assert [record.key for record in await storage.scan(Scan(limit=2))] == ["b", "d"]
            assert (await measured(storage)).records == 3
            assert [record.key for record in await storage.scan(Scan(limit=2, reverse=True))] == ["e", "d"]
            assert [r and r.key for r in await storage.get(Get(keys=["a", "b", "c"]))] == [None, "b", None]
            clock.advance(60)
            with pytest.raises(ConflictError):
                await storage.commit(Commit(puts={"b": b""}, expect={"b": old}))
            assert (await storage.commit(Commit(puts={"b": b""}, expect={"b": None, "a": None})))["b"] > old
            await storage.commit(Commit(deletes=frozenset({"a", "c"})))
            assert [record.key for record in await storage.scan(Scan())] == ["b", "d", "e"]

        use(open_storage, work)

    def test_a_put_sets_the_lifetime_anew(self, open_storage: OpenStorage, clock: Clock) -> None:
        self._needs(Capability.TTL)

        async def work(storage: Storage) -> None:
            await storage.commit(Commit(puts={"a": b"", "b": b""}, ttl_s=60))
            clock.advance(30)
            await storage.commit(Commit(puts={"a": b"1"}, ttl_s=60))
            await storage.commit(Commit(puts={"b": b"1"}))
            assert [r and r.expires_s for r in await storage.get(Get(keys=["a", "b"]))] == [clock.now_s + 60, None]
            clock.advance(59)
            assert [record.key for record in await storage.scan(Scan())] == ["a", "b"]
            clock.advance(2)
            assert [record.key for record in await storage.scan(Scan())] == ["b"]
            clock.advance(1e9)
            assert [record.key for record in await storage.scan(Scan())] == ["b"]

        use(open_storage, work)

    def test_an_impossible_lifetime_is_refused(self, open_storage: OpenStorage) -> None:
        self._needs(Capability.TTL)

        async def work(storage: Storage) -> None:
            for ttl_s in (0.0, -1.0, float("nan"), float("inf")):
                with pytest.raises(ValueError):
                    await storage.commit(Commit(puts={"a": b""}, ttl_s=ttl_s))
            assert list(await storage.scan(Scan())) == []

        use(open_storage, work)
