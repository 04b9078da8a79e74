"""What is known of a session without reading it, what a recording leaves in its log, and stores of before."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import weakref
from pathlib import Path

import msgspec
import pytest

import lamina
from lamina.errors import FormatError, IntegrityError
from lamina.protocols import Parsed


def run(work):
    return asyncio.run(work())


class TestListings:
    def listed(self, storage):
        return dict(storage.data)["ses/s"]

    def test_who_reads_a_session_moves_nothing(self, kernel):
        async def work():
            storage = kernel.DictStorage()
            async with kernel(storage=storage) as ctx:
                await (await ctx.session("s")).add(lamina.user("one"))
            before = self.listed(storage)
            async with kernel(storage=storage) as ctx:
                (listed,) = await ctx.sessions()
                s = await ctx.session("s")
                assert s.info == listed
                await s.window(50)
                assert s.info == listed
            assert self.listed(storage) == before

        run(work)

    def test_it_knows_when_the_session_last_changed(self, kernel):
        async def work():
            async with kernel() as ctx:
                s = await ctx.session("s")
                times = [s.info.updated_s]
                for change in (s.add(lamina.user("one")), s.checkpoint("x"), s.pin(1), s.close()):
                    await change
                    times.append(s.info.updated_s)
                assert times == sorted(set(times))
                assert s.info.created_s <= times[1]

        run(work)

    def test_nobody_overwrites_what_another_process_knows(self, kernel):
        async def work():
            storage = kernel.DictStorage()
            async with kernel(storage=storage) as one:
                a = await one.session("s")
                await a.add(lamina.user("one"))
                await a.add(lamina.user("two"))  # which its listing does not know of yet
                async with kernel(storage=storage) as two:
                    b = await two.session("s")
                    await b.add(lamina.user("three"))
                    after = b.info
                await a.book.flush()
            async with kernel(storage=storage) as three:
                assert await three.sessions() == [after]

        run(work)

    def test_two_processes_may_begin_one_session(self, kernel):
        async def work():
            storage = kernel.DictStorage()
            async with kernel(storage=storage) as one, kernel(storage=storage) as two:
                a, b = await one.session("s"), await two.session("s")
                await a.add(lamina.user("one"))
                await b.add(lamina.user("two"))
                assert [p.text for p in b.pages] == ["one", "two"]
                info = b.info
            async with kernel(storage=storage) as three:
                assert await three.sessions() == [info]

        run(work)

    def test_a_process_that_died_leaves_a_listing_that_the_next_one_mends(self, kernel):
        async def work():
            storage = kernel.DictStorage()
            async with kernel(storage=storage) as ctx:
                s = await ctx.session("s")
                await s.add(lamina.user("one"))
                listed = self.listed(storage)
                await s.add(lamina.user("two"))
                info = s.info
            storage.data["ses/s"] = listed  # as if it had died before it closed
            async with kernel(storage=storage) as ctx:
                assert (await ctx.session("s")).info == info
            async with kernel(storage=storage) as ctx:
                assert await ctx.sessions() == [info]

        run(work)

    def test_the_first_message_is_listed_at_once(self, kernel):
        async def work():
            storage = kernel.DictStorage()
            async with kernel(storage=storage) as one, kernel(storage=storage) as two:
                s = await one.session("s")
                await s.add(lamina.user("one"))
                assert await two.sessions() == [s.info]

        run(work)

    def test_one_of_a_newer_release_is_refused(self, kernel):
        async def work():
            storage = kernel.DictStorage()
            async with kernel(storage=storage) as ctx:
                await (await ctx.session("s")).add(lamina.user("one"))
            said = msgspec.msgpack.decode(storage.data["ses/s"][0])
            storage.data["ses/s"] = (msgspec.msgpack.encode(said | {"schema": 9}), 99)
            async with kernel(storage=storage) as ctx:
                with pytest.raises(IntegrityError, match=r"ses/s: written by a newer lamina \(schema 9"):
                    await ctx.sessions()

        run(work)


class TestManySessions:
    def test_those_that_nobody_uses_are_let_go_and_listed_as_they_are(self, kernel):
        async def work():
            storage = kernel.DictStorage()
            async with kernel({"memory": {"tiers": []}}, storage=storage) as ctx:
                held, seen = await ctx.session("held"), []
                for n in range(100):
                    s = await ctx.session(f"s{n}")
                    seen.append(weakref.ref(s))
                    await s.add(lamina.user("one"))
                    await s.add(lamina.user("two"))
                del s
                gc.collect()
                assert len([ref for ref in seen if ref() is not None]) <= 32
                assert await ctx.session("held") is held
                assert {i.messages for i in await ctx.sessions()} == {2}
                assert [p.text for p in (await ctx.session("s0")).pages] == ["one", "two"]

        run(work)

    def test_one_that_is_opened_twice_at_once_is_opened_once(self, kernel):
        async def work():
            async with kernel() as ctx:
                found = await asyncio.gather(*(ctx.session("s") for _ in range(10)))
                assert len(set(map(id, found))) == 1

        run(work)


class TestImports:
    RECORDS = (
        Parsed(None, b"1", (lamina.user("first"),)),
        Parsed(None, b"2", skipped="summary"),
        Parsed(None, b"3", (lamina.assistant("", lamina.ToolCall("x", "read", "{}")), lamina.tool_result("x", "done"))),
    )

    def test_the_log_says_what_it_came_from(self, kernel):
        async def work():
            storage = kernel.DictStorage()
            async with kernel(storage=storage) as ctx:
                s = await ctx.session("s")
                await s.checkpoint("before anything")
                await s.import_records(self.RECORDS[:2], "plain", "talk.jsonl")
                del storage.data["ses/s"]  # the listing is derived
                child = await s.fork("child")
                assert (child.format, child.source) == ("plain", "talk.jsonl")
            async with kernel(storage=storage) as ctx:
                s = await ctx.session("child")
                assert (s.format, s.source) == ("plain", "talk.jsonl")
                done = await s.import_records(self.RECORDS, "plain", "talk.jsonl")
                assert (done.already, done.added) == (2, 2)
                assert await s.raw(1) == [b"1"]
                assert await s.raw(2) == [b"3"]

        run(work)

    def test_one_that_is_refused_leaves_nothing(self, kernel):
        bad = Parsed(None, b"4", (lamina.tool_result("nobody", "x"),), line=4)

        async def work():
            storage = kernel.DictStorage()
            async with kernel(storage=storage) as ctx:
                s = await ctx.session("s")
                before, stored = kernel.facts(s), dict(storage.data)
                with pytest.raises(FormatError, match=r"talk.jsonl.*4"):
                    await s.import_records([*self.RECORDS, bad], "plain", "talk.jsonl")
                assert kernel.facts(s) == before
                assert storage.data == stored

        run(work)


STORED = json.loads((Path(__file__).parent / "stores" / "schema-1.json").read_text(encoding="utf-8"))


class TestStoresOfBefore:
    """A store that the release before records had times wrote."""

    def storage(self, kernel):
        storage = kernel.DictStorage()
        for number, (key, value) in enumerate(STORED["records"].items(), start=1):
            storage.data[key] = (base64.b64decode(value), number)
        storage.clock = len(storage.data)
        return storage

    @pytest.mark.parametrize("name", ["s", "child", "recorded"])
    def test_they_open_as_they_were(self, kernel, name):
        pager = kernel.Admitting()
        want = STORED["sessions"][name]

        async def work():
            async with kernel(storage=self.storage(kernel), pager=pager) as ctx:
                s = await ctx.session(name)
                pages = [
                    [p.id, [[m.role, m.text] for m in p.messages], list(p.message_tokens), p.pinned] for p in s.pages
                ]
                assert pages == want["pages"]
                assert {str(page): n for page, n in s.faults.items()} == want["faults"]
                assert (list(s.checkpoints), s.state) == (want["checkpoints"], want["state"])
                assert (s.format, s.source, s.budget) == (want["format"], want["source"], want["budget"])
                assert (s.info.created_s, s.info.updated_s) == (want["created_s"], want["updated_s"])
                window = await s.window(want["budget"] or 100)
                assert [[m.role, m.text] for m in window.prefix] == want["window"]
                assert (window.tokens, window.compacted) == (want["tokens"], False)

        run(work)

    def test_they_go_on(self, kernel):
        async def work():
            storage = self.storage(kernel)
            async with kernel(storage=storage) as ctx:
                s = await ctx.session("s")
                newest = s.pages[-1].id
                assert await s.add(lamina.user("now")) == [newest + 1]
                assert s.info.created_s == STORED["sessions"]["s"]["created_s"]
                before = kernel.facts(s)
            async with kernel(storage=storage) as ctx:
                assert kernel.facts(await ctx.session("s")) == before
                assert (await ctx.sessions())[0].id == "s"

        run(work)
