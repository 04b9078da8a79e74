"""What many tasks commit at once is one transaction, each batch as if it were alone."""

import asyncio
import contextlib
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import ConflictError, StorageError
from lamina.protocols import Commit, Get, Scan
from lamina.testing import LoneHost
from lamina_storage_sqlite import SqliteSettings, _lanes, open_sqlite


@pytest.fixture
def opened(tmp_path):
    return lambda **settings: open_sqlite(SqliteSettings(**settings), LoneHost(tmp_path))


def begun(storage):
    """What transactions the storage begins from now on."""
    said = []
    storage._opened.writer.set_trace_callback(
        lambda text: said.append(text.split()[0]) if text[:5] in ("BEGIN", "INSER") else None
    )
    return said


@pytest.mark.parametrize("synchronous", ["normal", "full"])
def test_sixty_four_tasks_share_a_transaction(opened, synchronous):
    async def main():
        async with opened(synchronous=synchronous) as storage:
            said = begun(storage)
            versions = await asyncio.gather(*(storage.commit(Commit(puts={f"{n:02}": b"x"})) for n in range(64)))
            found = await storage.scan(Scan())
            assert {r.key: r.version for r in found} == {key: v for each in versions for key, v in each.items()}
            # The first of them may have been written before it was known that others come.
            return said.count("BEGIN"), said.count("INSERT")

    transactions, inserts = asyncio.run(main())
    assert inserts == 64
    assert transactions == 1


def test_a_task_that_goes_on_alone_waits_for_nothing(opened):
    async def main():
        async with opened() as storage:
            turns = 0

            async def turn():
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            other = asyncio.create_task(turn())
            for n in range(100):
                await storage.commit(Commit(puts={f"{n}": b""}))
            other.cancel()
            return turns

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize("synchronous", ["normal", "full"])
def test_a_conflict_in_a_group_is_its_own(opened, synchronous):
    async def main():
        async with opened(synchronous=synchronous) as storage:
            had = await storage.commit(Commit(puts={"a": b"", "b": b""}))
            requests = [
                Commit(puts={"x": b""}),
                Commit(puts={"a": b"1"}, expect={"a": had["a"]}),
                Commit(puts={"a": b"2", "y": b""}, deletes=frozenset({"b"}), expect={"a": had["a"]}),
                Commit(puts={"c": b""}, expect={"c": None}),
                Commit(puts={"c": b""}, expect={"c": None}),
                Commit(deletes=frozenset({"b"}), expect={"b": had["b"]}),
                Commit(expect={"b": None}),
            ]
            done = await asyncio.gather(*map(storage.commit, requests), return_exceptions=True)
            assert [type(each) for each in done] == [dict, dict, ConflictError, dict, ConflictError, dict, dict]
            assert done[2].keys == ("a",)
            return {record.key: record.value for record in await storage.scan(Scan())}

    assert asyncio.run(main()) == {"a": b"1", "c": b"", "x": b""}


def test_what_fails_for_one_does_not_fail_the_others(opened, monkeypatch):
    async def main():
        async with opened() as storage:
            storage._opened.writer.execute(
                "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.records WHEN new.key = 'bad' "
                "BEGIN SELECT raise(ABORT, 'no room for it'); END"
            )
            calls = [storage.commit(Commit(puts={key: b""})) for key in ("a", "b", "bad", "c")]
            done = await asyncio.gather(*calls, return_exceptions=True)
            assert [isinstance(each, StorageError) for each in done] == [False, False, True, False]
            return [record.key for record in await storage.scan(Scan())]

    assert asyncio.run(main()) == ["a", "b", "c"]


def test_a_group_waits_for_another_process_off_the_loop(opened, tmp_path):
    async def main():
        async with opened() as storage:
            await storage.commit(Commit(puts={"a": b""}))
            with contextlib.closing(sqlite3.connect(tmp_path / "lamina.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                tasks = [asyncio.create_task(storage.commit(Commit(puts={f"{n}": b""}))) for n in range(9)]
                for _ in range(50):
                    await asyncio.sleep(0)
                assert not any(task.done() for task in tasks)
                other.execute("ROLLBACK")
            await asyncio.gather(*tasks)
            return len(await storage.scan(Scan()))

    assert asyncio.run(main()) == 10


def test_closing_finishes_what_was_begun(opened):
    async def main():
        async with opened(synchronous="full") as storage:
            tasks = [asyncio.create_task(storage.commit(Commit(puts={f"{n}": b"x" * 10_000}))) for n in range(30)]
            await asyncio.sleep(0)
        assert {len(task.result()) for task in tasks} == {1}
        async with opened() as storage:
            return len(await storage.scan(Scan()))

    assert asyncio.run(main()) == 30


SIZES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 60), st.booleans()), max_size=12)


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(SIZES, max_size=4), full=st.booleans())
def test_groups_of_any_sizes_leave_what_one_after_the_other_would(tmp_path_factory, steps, full):
    """Batches of one turn are written in the order in which they came, so a dict tells what must be there."""
    folder = tmp_path_factory.mktemp("groups")

    async def main():
        model, versions = {}, {}
        async with open_sqlite(SqliteSettings(synchronous="full" if full else "normal"), LoneHost(folder)) as storage:
            for step in steps:
                requests = []
                for name, size, remove in step:
                    keys = [f"{name}{n}" for n in range(size)]
                    if remove:
                        requests.append(Commit(deletes=frozenset(keys)))
                    else:
                        requests.append(Commit(puts=dict.fromkeys(keys, f"{len(requests)} {size}".encode())))
                for request, got in zip(requests, await asyncio.gather(*map(storage.commit, requests)), strict=True):
                    for key in request.deletes:
                        model.pop(key, None)
                    model |= request.puts
                    for key, version in got.items():
                        assert version > versions.get(key, 0)
                        versions[key] = version
            assert {r.key: r.value for r in await storage.scan(Scan())} == model
            got = await storage.get(Get(keys=list(model)))
            assert [record.version for record in got] == [versions[key] for key in model]

    asyncio.run(main())


def test_a_large_group_is_written_off_the_loop(opened):
    async def main():
        async with opened() as storage:
            requests = [Commit(puts={f"{n}/{i}": b"" for i in range(30)}) for n in range(20)]
            assert sum(len(request.puts) for request in requests) > _lanes._GROUP_RECORDS
            task = asyncio.gather(*map(storage.commit, requests))
            for _ in range(3):
                await asyncio.sleep(0)
            assert not storage._lane.is_free
            await task
            return len(await storage.scan(Scan()))

    assert asyncio.run(main()) == 600
