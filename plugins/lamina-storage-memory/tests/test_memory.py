"""What the memory storage does beyond the contract."""

import asyncio

import pytest

from lamina.errors import StorageError
from lamina.protocols import Commit, Scan
from lamina.testing import LoneHost
from lamina_storage_memory import MemorySettings, open_memory


def test_a_commit_beyond_max_bytes_is_refused_whole_with_the_figures(tmp_path):
    async def main():
        async with open_memory(MemorySettings(max_bytes=10), LoneHost(tmp_path)) as storage:
            await storage.commit(Commit(puts={"a": b"1234", "é": b"123"}))
            with pytest.raises(StorageError, match=r"11 bytes of max_bytes = 10"):
                await storage.commit(Commit(puts={"b": b""}))
            # A replaced value and a deleted record give their bytes back.
            await storage.commit(Commit(puts={"a": b"123", "b": b""}))
            await storage.commit(Commit(puts={"c": b"1234"}, deletes=frozenset({"a", "b"})))
            return [(record.key, record.value) for record in await storage.scan(Scan())]

    assert asyncio.run(main()) == [("c", b"1234"), ("é", b"123")]


def test_a_bound_must_be_positive():
    with pytest.raises(ValueError):
        MemorySettings(max_bytes=0)
