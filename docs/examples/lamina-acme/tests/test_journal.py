"""What acme-json promises beyond the contract: a journal that nothing breaks in silence."""

import asyncio
import os
import subprocess
import sys

import pytest
from lamina.errors import IntegrityError, StorageError
from lamina.protocols import Commit, Scan
from lamina.testing import LoneHost

from lamina_acme import JsonSettings, open_json

WRITER = """
import asyncio, sys
from pathlib import Path
from lamina.protocols import Commit
from lamina.testing import LoneHost
from lamina_acme import JsonSettings, open_json

async def main():
    async with open_json(JsonSettings(slack_bytes=2000), LoneHost(Path(sys.argv[1]))) as storage:
        for n in range(10**6):
            await storage.commit(Commit(puts={"n": b"%d" % n, f"n/{n % 50}": b"%d" % n}))
            print(n, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def use(tmp_path):
    def used(work, **settings):
        async def main():
            async with open_json(JsonSettings(**settings), LoneHost(tmp_path)) as storage:
                return await work(storage)

        return asyncio.run(main())

    return used


@pytest.fixture
def journal(tmp_path):
    """The journal, once there is one."""
    return lambda: next((tmp_path / "acme").glob("*.jsonl"))


def putting(**values):
    return lambda storage: storage.commit(Commit(puts={key: value.encode() for key, value in values.items()}))


async def everything(storage):
    return {record.key: record.value.decode() for record in await storage.scan(Scan())}


def test_a_half_written_line_was_never_committed(use, journal):
    use(putting(a="1"))
    whole = journal().read_bytes()
    use(putting(a="2", b="2"))
    line = journal().read_bytes().removeprefix(whole)
    for length in range(len(line)):
        journal().write_bytes(whole + line[:length])
        assert use(everything) == {"a": "1"}
        assert journal().read_bytes() == whole


def test_a_damaged_line_is_refused_by_its_number(use, journal):
    use(putting(a="1"))
    use(putting(b="1"))
    head, first, second = journal().read_bytes().splitlines(keepends=True)
    for number, lines in (
        (1, (head[9:], first, second)),
        (2, (head, b"{}\n", second)),
        (2, (head, first[::-1], second)),
    ):
        journal().write_bytes(b"".join(lines))
        with pytest.raises(IntegrityError, match=rf"\.jsonl:{number}: damaged"):
            use(everything)


def test_a_journal_of_a_newer_release_is_refused(use, journal, monkeypatch):
    with monkeypatch.context() as later:
        later.setattr("lamina_acme._storage.SCHEMA", 2)
        use(putting(a="1"))
    before = journal().read_bytes()
    with pytest.raises(IntegrityError, match="schema 2, this release knows 1; install a newer lamina-acme"):
        use(everything)
    assert journal().read_bytes() == before


def test_a_journal_is_open_only_once(use, tmp_path):
    async def work(storage):
        with pytest.raises(StorageError, match="is in use"):
            async with open_json(JsonSettings(), LoneHost(tmp_path)):
                pass
        await storage.commit(Commit(puts={"a": b"1"}))

    use(work)
    assert use(everything) == {"a": "1"}


def test_a_journal_stays_in_proportion_to_what_it_holds(use, journal):
    async def work(storage):
        for n in range(1000):
            await storage.commit(Commit(puts={"a": b"x" * 100, f"b{n}": b""}, deletes=frozenset({f"b{n - 1}"})))
        return (await storage.commit(Commit(puts={"a": b"last"})))["a"]

    last = use(work, slack_bytes=5000)
    assert journal().stat().st_size < 20_000
    assert use(everything) == {"a": "last", "b999": ""}
    assert use(putting(a="again"))["a"] > last


def test_what_could_not_be_written_is_not_there(use, monkeypatch):
    use(putting(a="1"), fsync=True)

    async def work(storage):
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(StorageError, match=r"nothing was written: .*No space left on device"):
                await storage.commit(Commit(puts={"a": b"2", "b": b"2"}))
        assert await everything(storage) == {"a": "1"}
        await storage.commit(Commit(puts={"c": b"3"}))

    use(work, fsync=True)
    assert use(everything) == {"a": "1", "c": "3"}


@pytest.mark.skipif(sys.platform == "win32", reason="has no modes")
def test_nobody_else_may_read_a_journal(use, journal):
    use(putting(a="1"))
    assert journal().stat().st_mode & 0o077 == 0
    assert journal().parent.stat().st_mode & 0o077 == 0


def test_what_was_acknowledged_survives_a_kill(use, tmp_path):
    last = -1
    for wait in (40, 170, 333):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE) as writer:
            for _ in range(wait):
                last = int(writer.stdout.readline())
            writer.kill()
            last = max([last, *map(int, writer.stdout.read().split())])
        found = use(everything)
        assert int(found["n"]) >= last
        assert found[f"n/{int(found['n']) % 50}"] == found["n"]
