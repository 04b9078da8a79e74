"""What every storage must do for many tasks at once: the third part of :class:`lamina.testing.storage.StorageSuite`."""

from __future__ import annotations

import asyncio

from lamina.errors import ConflictError
from lamina.protocols import Commit, Get, Scan, Storage
from lamina.testing._storage_records import OpenStorage, use


class TaskTests:
    """Concurrency in one event loop."""

    def test_of_writers_that_expect_the_same_exactly_one_wins(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            # Small batches and large ones: a storage may well treat them differently.
            for size in (1, 400):
                name = f"{size}/"

                async def write(n: int, size: int = size, name: str = name) -> int | None:
                    puts = {f"{name}{i:03}": str(n).encode() for i in range(size)}
                    try:
                        await storage.commit(Commit(puts=puts, expect={f"{name}000": None}))
                    except ConflictError as lost:
                        assert list(lost.keys) == [f"{name}000"]  # noqa: PT017 - losing is allowed, not required
                        return None
                    return n

                winners = [n for n in await asyncio.gather(*map(write, range(12))) if n is not None]
                assert len(winners) == 1
                records = await storage.scan(Scan(prefix=name))
                assert [record.value for record in records] == [str(winners[0]).encode()] * size

        use(open_storage, work)

    def test_increments_by_many_tasks_lose_nothing(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            async def increment() -> None:
                while True:
                    (old,) = await storage.get(Get(keys=["n"]))
                    value = b"1" if old is None else str(int(old.value) + 1).encode()
                    try:
                        await storage.commit(
                            Commit(puts={"n": value}, expect={"n": None if old is None else old.version})
                        )
                    except ConflictError:
                        # Let others go on, or a storage that never suspends would try for ever.
                        await asyncio.sleep(0)
                    else:
                        return

            await asyncio.gather(*(increment() for _ in range(20)))
            assert [record and record.value for record in await storage.get(Get(keys=["n"]))] == [b"20"]

        use(open_storage, work)

    def test_a_reader_never_sees_half_a_batch(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            keys = [f"{n:03}" for n in range(400)]
            done = asyncio.Event()

            async def write() -> None:
                for n in range(8):
                    # Every second batch is small; the rest of the keys then keep what they have.
                    some = keys if n % 2 else [keys[0], keys[-1]]
                    await storage.commit(Commit(puts=dict.fromkeys(some, str(n).encode())))
                done.set()

            async def read() -> None:
                while not done.is_set():
                    ends = await storage.get(Get(keys=[keys[0], keys[-1]]))
                    assert len({record and record.value for record in ends}) == 1
                    every = await storage.scan(Scan())
                    assert len(every) in (0, 2, 400)
                    if every:
                        assert every[0].value == every[-1].value
                    await asyncio.sleep(0)

            await asyncio.gather(write(), read(), read())

        use(open_storage, work)

    def test_a_cancelled_call_leaves_the_storage_whole(self, open_storage: OpenStorage) -> None:
        async def work(storage: Storage) -> None:
            for steps in range(6):
                puts = {f"{steps}/{n:04}": b"x" * 100 for n in range(600)}
                task = asyncio.create_task(_commit(storage, puts))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                await storage.commit(Commit(puts={f"{steps}": b""}))
                found = await storage.scan(Scan(prefix=f"{steps}/"))
                # A commit that had begun may well be written, but whole, and before what came after it.
                assert len(found) in (0, 600)
                assert [record and record.key for record in await storage.get(Get(keys=[f"{steps}"]))] == [f"{steps}"]

        use(open_storage, work)


async def _commit(storage: Storage, puts: dict[str, bytes]) -> None:
    await storage.commit(Commit(puts=puts))
