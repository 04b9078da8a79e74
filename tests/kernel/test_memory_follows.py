"""Tiers follow the log: whatever is said, in whatever order, by whatever process, is recalled once and from one place."""

from __future__ import annotations

import asyncio
import itertools

import msgspec
import pytest
from attrs import asdict
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import lamina
from lamina.protocols import Capability

few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def run(work):
    return asyncio.run(work())


def opener(kernel):
    """Opens contexts over the same data, and that data."""
    storage, index = kernel.DictStorage(), kernel.WordIndex()
    storage.capabilities = frozenset({Capability.SHARED})
    return storage, lambda: kernel(storage=storage, index=index)


EARLIER = ("id", "text", "kind", "tags", "importance", "created_s", "used_s", "uses", "provenance", "revision")
"""What an earlier release kept of a memory."""


def tiers_of(storage, id):
    return [key.split("/")[1] for key in storage.data if key.endswith(f"/r/{id}")]


class Talk:
    """A session as it should be remembered: words with their pages, and the calls that wait for a result."""

    def __init__(self):
        self.words, self.open, self.void = {}, [], []
        self.names = (f"word{n}" for n in itertools.count())
        self.saved = None

    async def say(self, session):
        word = next(self.names)
        (self.words[word],) = await session.add(lamina.user(f"{word} spoken"))

    async def ask(self, session):
        words = [next(self.names), next(self.names)]
        calls = [lamina.ToolCall(word, "read", "{}") for word in words]
        (page,) = await session.add(lamina.assistant("", *calls))
        self.open += [(word, page) for word in words]

    async def answer(self, session, which):
        if self.open:
            word, page = self.open.pop(which % len(self.open))
            self.words[word] = page
            await session.add(lamina.tool_result(word, f"{word} spoken"))

    async def save(self, session):
        if self.words or self.open:
            await session.checkpoint("x")
            self.saved = dict(self.words), list(self.open)

    async def roll_back(self, session):
        if self.saved:
            await session.rollback("x")
            words, self.open = dict(self.saved[0]), list(self.saved[1])
            self.void += self.words.keys() - words.keys()
            self.words = words


STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["say", "ask", "answer", "save", "roll back", "recall", "consolidate"]), st.integers(0, 9)),
    max_size=25,
)  # fmt: skip


@few
@given(steps=STEPS)
@example(steps=[(0, "ask", 0), (0, "say", 0), (0, "recall", 0), (0, "answer", 0), (0, "answer", 0)])
@example(steps=[(0, "ask", 0), (0, "recall", 0), *[(1, "say", 0)] * 7, (1, "consolidate", 0), (0, "answer", 0)])
@example(
    steps=[(0, "ask", 0), (0, "save", 0), (0, "answer", 0), (1, "recall", 0), (1, "roll back", 0), (0, "answer", 1)]
)
def test_all_that_stands_is_recalled_from_one_tier_and_what_is_void_from_none(kernel, steps):
    async def work():
        storage, opened = opener(kernel)
        talk = Talk()
        async with opened() as one, opened() as two:
            sessions = [await one.session("s"), await two.session("s")]
            for who, step, which in steps:
                ctx, session = (one, two)[who], sessions[who]
                await session.book.since(0, 0, 1)  # as a process does that comes to its turn
                match step:
                    case "recall":
                        await ctx.recall("spoken")
                    case "consolidate":
                        await ctx.consolidate()
                    case "answer":
                        await talk.answer(session, which)
                    case _:
                        await getattr(talk, step.replace(" ", "_"))(session)
            for ctx in (one, two):
                for word, page in talk.words.items():
                    assert [hit.page for hit in await ctx.recall(word)] == [page]
                    assert len(tiers_of(storage, f"s#{page}")) == 1
                for word in talk.void:
                    assert await ctx.recall(word) == []

    run(work)


def test_a_page_that_grows_is_remembered_where_it_stands(kernel):
    async def work():
        storage, opened = opener(kernel)
        async with opened() as ctx:
            s = await ctx.session("s")
            await s.add(lamina.assistant("go", lamina.ToolCall("c", "read", "{}")))
            await ctx.recall("go")
            for n in range(11):
                await ctx.remember(f"fact{n}")
            await ctx.consolidate()
            assert tiers_of(storage, "s#1") == ["third"]
            await s.add(lamina.tool_result("c", "a late needle"))
            (hit,) = await ctx.recall("needle")
            assert (hit.page, hit.tier, hit.memory.revision) == (1, "third", 2)
            assert tiers_of(storage, "s#1") == ["third"]

    run(work)


def test_a_deleted_memory_of_a_page_stays_deleted_when_the_session_goes_on(kernel):
    async def work():
        storage, opened = opener(kernel)
        async with opened() as ctx:
            s = await ctx.session("s")
            await s.add(lamina.user("hello"), lamina.assistant("a secret", lamina.ToolCall("c", "read", "{}")))
            await ctx.recall("secret")
            del storage.data["mem/first/r/s#2"]
            await s.add(lamina.tool_result("c", "more of the secret"))
            await s.add(lamina.user("go on"))
            assert await ctx.recall("secret") == []
            assert [h.page for h in await ctx.recall("go on")] == [3]
            assert tiers_of(storage, "s#2") == []

    run(work)


def test_nothing_is_written_for_pages_that_say_nothing_new(kernel):
    async def work():
        storage, opened = opener(kernel)
        async with opened() as ctx:
            s = await ctx.session("s")
            await s.add(lamina.user("first"), lamina.user("newest"))
            await ctx.recall("newest", use=False)
            before = {key: version for key, (_, version) in storage.data.items() if "/r/" in key}
            await s.pin(1)
            await s.add(lamina.user("more"))
            await ctx.recall("newest", use=False)
            after = {key: version for key, (_, version) in storage.data.items() if "/r/" in key}
            assert after == before | {"mem/first/r/s#3": after["mem/first/r/s#3"]}

    run(work)


def test_what_stands_for_a_missing_result_is_not_recalled(kernel):
    async def work():
        _, opened = opener(kernel)
        async with opened() as ctx:
            s = await ctx.session("s")
            await s.add(lamina.assistant("go", lamina.ToolCall("c", "read", "{}"), lamina.ToolCall("d", "read", "{}")))
            await s.add(lamina.tool_result("d", "said"))
            assert [len(await ctx.recall(query)) for query in ("[no result]", "go", "said")] == [0, 1, 1]

    run(work)


def test_copies_that_an_earlier_release_left_in_a_lower_tier_go(kernel):
    async def work():
        storage, opened = opener(kernel)
        async with opened() as ctx:
            memory = await ctx.remember("a needle")
        fields = asdict(memory) | {"tags": [], "provenance": []}
        packed = msgspec.msgpack.encode([2, {k: fields[k] for k in EARLIER}, None, None, [], 0])
        storage.data = {f"mem/{tier}/r/{memory.id}": (packed, n) for n, tier in enumerate(("first", "second"), 1)}
        async with opened() as ctx:
            await ctx.consolidate()
            assert await ctx.tier_counts() == {"first": 1, "second": 0, "third": 0}
            assert tiers_of(storage, memory.id) == ["first"]
            assert [h.memory.id for h in await ctx.recall("needle")] == [memory.id]

    run(work)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_what_an_earlier_release_passed_by_is_made_good(kernel, after):
    """It kept the id of the last page that it would not look at again, and so lost what joined an older one."""

    async def work():
        storage, opened = opener(kernel)
        async with opened() as ctx:
            s = await ctx.session("s")
            await s.add(lamina.assistant("go", lamina.ToolCall("c", "read", "{}")), lamina.user("b"), lamina.user("c"))
            await ctx.recall("go")
            await s.add(lamina.tool_result("c", "a late needle"))
        storage.data["cur/s"] = (msgspec.msgpack.encode([after, 0]), 1_000)
        async with opened() as ctx:
            (hit,) = await ctx.recall("needle")
            assert (hit.page, hit.memory.uses) == (1, 1)

    run(work)
