"""The file: what is removed is gone from it, others cannot read it, and processes share it."""

import asyncio
import itertools
import os
import sqlite3
import stat
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.errors import StorageError
from lamina.protocols import IndexUpdate, SearchRequest
from lamina.testing import LoneHost, documents_of
from lamina_index_lexical import LexicalSettings, _words, open_lexical

few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

LETTERS = "bcdfghjkmpqtvwxz"
NAMES = ["".join(pair) + "kzq" for pair in itertools.product(LETTERS, repeat=2)]
"""Words of which none begins as another does, because FTS5 writes only where a word differs from the one before."""


def opened(home, **settings):
    return open_lexical(LexicalSettings(**settings), LoneHost(home))


def in_index(home, act, **settings):
    async def run():
        async with opened(home, **settings) as index:
            return await act(index)

    return asyncio.run(run())


def bytes_of(home):
    return b"".join(path.read_bytes() for path in home.glob("lexical.db*"))


@few
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.dictionaries(st.integers(0, 9), st.sets(st.sampled_from(NAMES), max_size=9))),
            st.tuples(st.just("remove"), st.frozensets(st.integers(0, 9), max_size=4)),
            st.tuples(st.just("clear"), st.none()),
        ),
        max_size=8,
    )
)
@example(steps=[("add", {0: {NAMES[0]}}), ("remove", frozenset({0}))])
@example(steps=[("add", {0: {NAMES[0]}, 1: {NAMES[0]}}), ("remove", frozenset({0})), ("remove", frozenset({1}))])
@example(steps=[("add", {0: {NAMES[0]}}), ("add", {0: {NAMES[1]}})])
@example(steps=[("add", {0: {NAMES[0]}}), ("clear", None)])
def test_no_word_that_was_removed_is_left_in_the_files(tmp_path_factory, steps):
    home = tmp_path_factory.mktemp("home")

    async def act(index):
        held = {}
        for step, what in steps:
            if step == "add":
                held |= what
                await index.update(
                    IndexUpdate(add=documents_of({str(n): " ".join(sorted(words)) for n, words in what.items()}))
                )
            elif step == "remove":
                held = {n: words for n, words in held.items() if n not in what}
                await index.update(IndexUpdate(remove=frozenset(map(str, what))))
            else:
                held = {}
                await index.clear()
            there = bytes_of(home)
            kept = set().union(*held.values())
            for word in NAMES:
                assert (word.encode() in there) == (word in kept)

    in_index(home, act)


def test_a_record_that_only_grows_costs_no_merging(tmp_path):
    async def act(index):
        merged = []
        await index.update(IndexUpdate(add=documents_of({"a": "port"})))
        index._db.set_trace_callback(lambda statement: merged.append("optimize" in statement))
        await index.update(IndexUpdate(add=documents_of({"a": "port server"})))
        grown = any(merged)
        await index.update(IndexUpdate(add=documents_of({"a": "server"})))
        return grown, any(merged)

    assert in_index(tmp_path, act) == (False, True)


def earlier(home):
    """A file as the first release made it, in which a removed word is still readable."""
    home.mkdir(exist_ok=True)
    db = sqlite3.connect(home / "lexical.db", isolation_level=None)
    db.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA secure_delete = OFF; PRAGMA user_version = 1;"
        "CREATE TABLE spaces (number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, generation TEXT, rules INTEGER);"
        f"INSERT INTO spaces VALUES (1, CAST('test' AS BLOB), 'first', {_words.VERSION});"
        "CREATE TABLE docs_1 (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, words TEXT NOT NULL);"
        "CREATE VIRTUAL TABLE words_1 USING fts5(words, content = '', tokenize = 'ascii');"
        "INSERT INTO docs_1 VALUES (1, CAST('a' AS BLOB), 'port'), (2, CAST('b' AS BLOB), 'bkzq');"
        "INSERT INTO words_1 (rowid, words) VALUES (1, 'port');"
        "INSERT INTO words_1 (rowid, words) VALUES (2, 'bkzq');"
        "INSERT INTO words_1 (words_1, rowid, words) VALUES ('delete', 2, 'bkzq');"
        "DELETE FROM docs_1 WHERE number = 2;"
    )
    db.close()
    (home / "lexical.db").chmod(0o644)
    assert b"bkzq" in bytes_of(home)


def test_a_file_of_the_first_release_is_cleaned_closed_to_others_and_kept(tmp_path):
    earlier(tmp_path)

    async def act(index):
        assert b"bkzq" not in bytes_of(tmp_path)
        assert index.generation == "first"
        return [[hit.id for hit in await index.search(SearchRequest(query=q))] for q in ("port", "bkzq")]

    for _ in range(2):
        assert in_index(tmp_path, act) == [["a"], []]
    assert stat.S_IMODE((tmp_path / "lexical.db").stat().st_mode) == 0o600


def test_only_the_owner_may_read_the_files_and_their_folder(tmp_path):
    async def act(index):
        await index.update(IndexUpdate(add=documents_of({"a": "port"})))
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}

    before = os.umask(0)
    try:
        modes = in_index(tmp_path, act, path="deep/lexical.db")
    finally:
        os.umask(before)
    assert modes == {"deep": 0o700, "lexical.db": 0o600, "lexical.db-wal": 0o600, "lexical.db-shm": 0o600}


def held(home):
    """Another process that writes into the file."""
    db = sqlite3.connect(home / "lexical.db", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    return db


def test_an_update_that_waited_in_vain_says_so_in_laminas_words_and_may_be_tried_again(tmp_path):
    async def act(index):
        await index.update(IndexUpdate(add=documents_of({"a": "port"})))
        other = held(tmp_path)
        for change in (
            index.update(IndexUpdate(add=documents_of({"b": "server"}), remove=frozenset({"a"}))),
            index.clear(),
        ):
            with pytest.raises(
                StorageError, match=r"lexical\.db stayed locked by another process for 0\.05 s.*busy_ti"
            ):
                await change
        assert [h.id for h in await index.search(SearchRequest(query="port server"))] == ["a"]
        other.close()
        await index.update(IndexUpdate(add=documents_of({"b": "server"}), remove=frozenset({"a"})))
        return [h.id for h in await index.search(SearchRequest(query="port server"))]

    assert in_index(tmp_path, act, busy_timeout_s=0.05) == ["b"]


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    async def act(index):
        raise AssertionError

    (tmp_path / "lexical.db").mkdir()
    with pytest.raises(StorageError, match=r"lexical\.db"):
        in_index(tmp_path, act)


def test_opening_waits_for_another_process_without_holding_up_the_loop(tmp_path):
    async def act(index):
        await index.update(IndexUpdate(add=documents_of({"a": "port"})))

    in_index(tmp_path, act)

    async def run():
        other = held(tmp_path)
        opening = opened(tmp_path, busy_timeout_s=60.0)
        entered = asyncio.ensure_future(opening.__aenter__())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not entered.done()
        other.close()  # which the loop comes to only where the opening does not hold it
        index = await entered
        found = [h.id for h in await index.search(SearchRequest(query="port"))]
        await opening.__aexit__(None, None, None)
        return found

    assert asyncio.run(run()) == ["a"]


def test_an_opening_that_is_cancelled_leaves_nothing_open(tmp_path):
    async def act(index):
        await index.update(IndexUpdate(add=documents_of({"a": "port"})))

    in_index(tmp_path, act)

    async def run():
        other = held(tmp_path)
        entered = asyncio.ensure_future(opened(tmp_path, busy_timeout_s=60.0).__aenter__())
        await asyncio.sleep(0)
        entered.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entered
        other.close()
        await asyncio.get_running_loop().shutdown_default_executor()  # until its thread has come to its end
        await asyncio.sleep(0)

    asyncio.run(run())
    assert [path.name for path in tmp_path.glob("lexical.db*")] == [
        "lexical.db"
    ]  # the last to close takes the log away


def test_a_search_sees_one_state_whatever_another_process_removes_meanwhile(tmp_path):
    texts = {f"{n}": "port server" for n in range(5)}

    async def act(index):
        async with opened(tmp_path, busy_timeout_s=0.05) as other:
            await index.update(IndexUpdate(add=documents_of(texts)))
            statements = []

            def removes(statement):
                if statement.startswith("SELECT"):
                    statements.append(statement)
                    if len(statements) == at:
                        other._update(IndexUpdate(remove=frozenset(texts)))

            at, seen = 1, []
            while not statements or len(statements) >= at:
                await other.update(IndexUpdate(add=documents_of(texts)))
                statements.clear()
                index._db.set_trace_callback(removes)
                seen.append(sorted(hit.id for hit in await index.search(SearchRequest(query="port server"))))
                index._db.set_trace_callback(None)
                at += 1
            return seen

    seen = in_index(tmp_path, act, busy_timeout_s=0.05)
    assert len(seen) > 5
    assert all(found in ([], sorted(texts)) for found in seen)


WORKER = """
import asyncio, sys
from pathlib import Path
from lamina.protocols import IndexUpdate, SearchRequest
from lamina.testing import LoneHost, documents_of
from lamina_index_lexical import LexicalSettings, open_lexical

async def main(home, me):
    for _ in range(2):
        async with open_lexical(LexicalSettings(busy_timeout_s=60.0), LoneHost(home)) as index:
            for n in range(25):
                await index.update(IndexUpdate(add=documents_of({f"{me}-{n}": f"port of {me}"})))
                assert await index.search(SearchRequest(query="port", limit=50))
                await index.update(IndexUpdate(remove=frozenset({f"{me}-{n - 2}"})))
    async with open_lexical(LexicalSettings(), LoneHost(home)) as index:
        print(*sorted(hit.id for hit in await index.search(SearchRequest(query=me))))

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


def test_processes_share_the_file(tmp_path):
    names = ["alder", "birch", "cedar"]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    said = [worker.communicate(timeout=100) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * len(names), said
    assert [out.split() for out, _ in said] == [[f"{name}-23", f"{name}-24"] for name in names]
