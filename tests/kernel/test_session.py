"""The session log: pages, state, forks, rollbacks, recovery, other writers."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import lamina
from lamina.errors import (
    ConflictError,
    FormatError,
    IntegrityError,
    SessionStateError,
    UnknownPageError,
    UnknownSessionError,
)


def call(id, name="read"):
    return lamina.ToolCall(id, name, "{}")


def texts(session):
    return [[(m.role, m.text) for m in page.messages] for page in session.pages]


def in_session(kernel, work, **parts):
    async def go():
        async with kernel(**parts) as ctx:
            return await work(ctx, await ctx.session("s"))

    return asyncio.run(go())


class TestPages:
    def test_a_call_and_its_results_are_one_page(self, kernel):
        async def work(ctx, s):
            ids = await s.add(
                lamina.user("go"), lamina.assistant("two", call("a"), call("b")),
                lamina.tool_result("b", "second"), lamina.tool_result("a", "first"),
            )  # fmt: skip
            return ids, texts(s)

        ids, pages = in_session(kernel, work)
        assert ids == [1, 2, 2, 2]
        assert pages[1] == [("assistant", "two"), ("tool", "first"), ("tool", "second")]

    def test_a_missing_result_is_shown_as_such_until_it_comes_late(self, kernel):
        async def work(ctx, s):
            await s.add(lamina.user("go"), lamina.assistant("", call("a")), lamina.user("wait"))
            before = texts(s)[1]
            window = await s.window(500)
            await s.add(lamina.tool_result("a", "late"))
            after = await s.window(500)
            return before, texts(s)[1], window.prefix[2].text, after.prefix[2].text, after.tokens - window.tokens

        before, after, shown, then, grown = in_session(kernel, work)
        assert before[1] == ("tool", "[no result]")
        assert after[1] == ("tool", "late")
        assert (shown, then) == ("[no result]", "late")
        assert grown == len(["late"]) - len("[no result]".split())

    def test_of_repeated_results_the_last_stands(self, kernel):
        async def work(ctx, s):
            await s.add(lamina.assistant("", call("a")), lamina.tool_result("a", "one"), lamina.tool_result("a", "two"))
            return texts(s)

        assert in_session(kernel, work) == [[("assistant", ""), ("tool", "two")]]

    def test_reused_ids_answer_the_oldest_unanswered_call(self, kernel):
        async def work(ctx, s):
            await s.add(lamina.assistant("", call("a")), lamina.tool_result("a", "one"), lamina.user("more"))
            await s.add(lamina.assistant("", call("a")), lamina.tool_result("a", "two"))
            await s.add(
                lamina.assistant("", call("x"), call("x")), lamina.tool_result("x", "3"), lamina.tool_result("x", "4")
            )
            return texts(s)

        pages = in_session(kernel, work)
        assert [p[1] for p in pages if len(p) > 1] == [("tool", "one"), ("tool", "two"), ("tool", "3")]
        assert pages[3][2] == ("tool", "4")

    def test_pieces_of_one_message_are_joined(self, kernel):
        def piece(*parts):
            return lamina.Message("assistant", parts, group="m1")

        async def work(ctx, s):
            await s.add(
                lamina.user("go"), piece(lamina.Reasoning("hm", "sig")), piece(lamina.Text("first")),
                piece(call("a")), lamina.tool_result("a", "ra"), piece(call("b")), lamina.tool_result("b", "rb"),
            )  # fmt: skip
            await s.add(lamina.Message("assistant", (lamina.Text("other"),), group="m2"))
            return [[type(x).__name__ for x in p.messages[0].parts] for p in s.pages], texts(s)

        parts, pages = in_session(kernel, work)
        assert parts == [["Text"], ["Reasoning", "Text", "ToolCall", "ToolCall"], ["Text"]]
        assert pages[1][1:] == [("tool", "ra"), ("tool", "rb")]

    @pytest.mark.parametrize(
        ("message", "why"),
        [
            (lamina.tool_result("nobody", "x"), "answers no call"),
            (lamina.Message("robot", (lamina.Text("x"),)), "unknown role 'robot'"),
            (lamina.Message("user", (call("a"),)), "only the assistant calls tools"),
            (lamina.Message("tool", (lamina.Text("x"),)), "holds tool results and nothing else"),
            (lamina.Message("user", (lamina.ToolResult("a", "x"),)), "holds tool results and nothing else"),
            ("text", "is no message"),
        ],
    )
    def test_what_is_no_message_is_refused_and_nothing_is_stored_half(self, kernel, message, why):
        async def work(ctx, s):
            await s.add(lamina.user("before"))
            with pytest.raises(FormatError, match=why):
                await s.add(lamina.user("good"), message)
            await s.add(lamina.user("after"))
            return texts(s), [p.id for p in s.pages]

        pages, ids = in_session(kernel, work)
        assert [p[0][1] for p in pages] == ["before", "after"]
        assert ids == [1, 2]


class TestState:
    def test_a_reopened_session_is_the_same_to_the_window(self, kernel):
        storage = kernel.DictStorage()

        async def go():
            async with kernel(storage=storage) as ctx:
                s = await ctx.session("s")
                for i in range(40):
                    await s.add(lamina.user(f"question {i} " + "word " * 20), lamina.assistant("", call(f"c{i}")))
                    await s.add(lamina.tool_result(f"c{i}", "r " * 30))
                    window = await s.window(300)
                await s.pin(3)
                window = await s.window(300)
            async with kernel(storage=storage) as ctx:
                again = await (await ctx.session("s")).window(300)
                assert not again.compacted
                assert again.prefix == window.prefix
                assert again.tokens == window.tokens
                assert again.ledger.rows == window.ledger.rows

        asyncio.run(go())

    def test_the_life_cycle(self, kernel):
        async def work(ctx, s):
            states = [s.state]
            await s.add(lamina.user("x"))
            states.append(s.state)
            await s.close()
            states.append(s.state)
            with pytest.raises(SessionStateError, match="closed; reopen it"):
                await s.add(lamina.user("y"))
            assert (await s.expand(1))[0].text == "x"
            await s.reopen()
            await s.add(lamina.user("y"))
            return [*states, s.state]

        assert in_session(kernel, work) == ["open", "active", "closed", "active"]

    def test_rollback_voids_and_never_reuses_ids(self, kernel):
        storage = kernel.DictStorage()

        async def go():
            async with kernel(storage=storage) as ctx:
                s = await ctx.session("s")
                await s.add(lamina.user("one"))
                await s.checkpoint("here")
                await s.add(lamina.user("two"), lamina.user("three"))
                await s.window(100)
                await s.rollback("here")
                assert texts(s) == [[("user", "one")]]
                await s.add(lamina.user("four"))
                assert [p.id for p in s.pages] == [1, 4]
                assert [m.text for m in (await s.window(100)).prefix] == ["one", "four"]
                with pytest.raises(UnknownPageError, match="no page 2"):
                    await s.expand(2)
                with pytest.raises(SessionStateError, match="no checkpoint 'there'; it has: here"):
                    await s.rollback("there")
                await s.rollback(1)
            async with kernel(storage=storage) as ctx:
                s = await ctx.session("s")
                await s.add(lamina.user("five"))
                assert [p.id for p in s.pages] == [1, 5]
                assert s.checkpoints == ("here",)

        asyncio.run(go())

    def test_a_fork_shares_ids_and_goes_its_own_way(self, kernel):
        storage = kernel.DictStorage()

        async def go():
            async with kernel(storage=storage) as ctx:
                s = await ctx.session("s")
                await s.add(lamina.user("one"), lamina.user("two"))
                await s.checkpoint("two")
                child = await s.fork("child")
                await s.add(lamina.user("mine"))
                await child.add(lamina.user("other"))
                grandchild = await child.fork("grandchild")
                await grandchild.rollback("two")
                with pytest.raises(SessionStateError, match="exists already"):
                    await s.fork("child")
                with pytest.raises(SessionStateError, match="empty"):
                    await (await ctx.session("nothing")).fork("x")
            async with kernel(storage=storage) as ctx:
                got = {n: [p.text for p in (await ctx.session(n)).pages] for n in ("s", "child", "grandchild")}
                assert got == {
                    "s": ["one", "two", "mine"],
                    "child": ["one", "two", "other"],
                    "grandchild": ["one", "two"],
                }
                assert {i.id for i in await ctx.sessions()} == {"s", "child", "grandchild"}

        asyncio.run(go())

    def test_pins_hold_until_they_are_taken_back(self, kernel):
        async def work(ctx, s):
            await s.add(lamina.user("keep me"), *(lamina.user("word " * 30) for _ in range(10)))
            await s.pin(1)
            held = [m.text for m in (await s.window(100)).prefix]
            await s.unpin(1)
            freed = [m.text for m in (await s.window(100)).prefix]
            with pytest.raises(UnknownPageError):
                await s.pin(99)
            return held, freed

        held, freed = in_session(kernel, work)
        assert held[0] == "keep me"
        assert "keep me" not in freed

    def test_expanding_what_is_paged_out_is_a_fault_that_scorers_see(self, kernel):
        seen = []

        class Watching:
            async def score(self, request):
                seen.append(dict(request.faults))
                return [0.0] * len(request.pages)

        async def work(ctx, s):
            await s.add(*(lamina.user("word " * 30) for _ in range(10)))
            await s.window(100)
            await s.expand(2, 3)
            await s.expand(10)
            await s.add(lamina.user("word " * 80))
            await s.window(100)
            return s.faults

        faults = in_session(kernel, work, scorer=Watching())
        assert faults == {2: 1, 3: 1}
        assert seen[-1] == faults

    def test_scorers_see_the_session_and_its_whole_log(self, kernel):
        seen = []

        class Watching:
            async def score(self, request):
                seen.append((request.session, [p.id for p in request.log], request.newest, len(request.pages)))
                return [0.0] * len(request.pages)

        async def work(ctx, s):
            await s.add(*(lamina.user("word " * 30) for _ in range(10)))
            await s.window(100)
            return s.id

        name = in_session(kernel, work, scorer=Watching())
        assert seen == [(name, list(range(1, 11)), 10, 10)]

    def test_unknown_sessions_and_impossible_names_are_refused(self, kernel):
        async def work(ctx, s):
            with pytest.raises(UnknownSessionError, match="no session 'x'"):
                await ctx.session("x", create=False)
            for name in ("", "a\nb", "x" * 300):
                with pytest.raises(SessionStateError, match="no session id"):
                    await ctx.session(name)

        in_session(kernel, work)


class Stormy:
    """Wraps a storage: the next commits lose, or fail before or after they are written."""

    def __init__(self, storage):
        self.storage, self.capabilities, self.plan = storage, storage.capabilities, []

    async def commit(self, request):
        what = self.plan.pop(0) if self.plan else None
        if what == "lose":
            raise ConflictError(list(request.expect))
        if what == "before":
            raise OSError("disk full")
        versions = await self.storage.commit(request)
        if what == "after":
            raise OSError("connection lost")
        return versions

    async def get(self, request):
        return await self.storage.get(request)

    async def scan(self, request):
        return await self.storage.scan(request)


class TestOtherWriters:
    def test_two_contexts_on_one_storage_lose_nothing(self, kernel):
        storage = kernel.DictStorage()

        async def go():
            async with kernel(storage=storage) as one, kernel(storage=storage) as two:
                a, b = await one.session("s"), await two.session("s")
                for i in range(10):
                    await a.add(lamina.user(f"a{i}"))
                    await b.add(lamina.user(f"b{i}"))
                await a.window(50)
                await b.window(40)
                await asyncio.gather(*(s.add(lamina.user(n)) for s, n in ((a, "x"), (b, "y"))))
                await a.add(lamina.user("end"))
                return [p.text for p in a.pages]

        found = asyncio.run(go())
        assert sorted(found) == sorted([f"{s}{i}" for s in "ab" for i in range(10)] + ["x", "y", "end"])

    @pytest.mark.parametrize("what", ["before", "after"])
    def test_after_a_failed_write_only_the_log_counts(self, kernel, what):
        stormy = Stormy(kernel.DictStorage())

        async def go():
            async with kernel(storage=stormy) as ctx:
                s = await ctx.session("s")
                await s.add(lamina.user("one"))
                stormy.plan = [what]
                with pytest.raises(OSError):
                    await s.add(lamina.user("two"))
                await s.add(lamina.user("three"))
                return [p.text for p in s.pages], [m.text for m in (await s.window(90)).prefix]

        pages, window = asyncio.run(go())
        assert pages == window == (["one", "three"] if what == "before" else ["one", "two", "three"])

    def test_a_lost_compaction_is_planned_again(self, kernel):
        stormy = Stormy(kernel.DictStorage())

        async def go():
            async with kernel(storage=stormy) as ctx:
                s = await ctx.session("s")
                await s.add(*(lamina.user("word " * 30) for _ in range(10)))
                stormy.plan = ["lose", "lose"]
                window = await s.window(100)
                assert window.compacted
                assert window.tokens <= 100

        asyncio.run(go())

    def test_who_always_loses_is_told(self, kernel):
        stormy = Stormy(kernel.DictStorage())

        async def go():
            async with kernel(storage=stormy) as ctx:
                s = await ctx.session("s")
                stormy.plan = ["lose"] * 50
                with pytest.raises(ConflictError, match="another writer"):
                    await s.add(lamina.user("x"))

        asyncio.run(go())

    def test_messages_go_on_being_added_while_a_compaction_is_planned(self, kernel):
        class Slow(kernel.NewestPager):
            async def plan(self, request):
                plan = await super().plan(request)
                if self.once:
                    self.once = False
                    await session.add(lamina.user("meanwhile " * 30))
                return plan

        pager = Slow()
        pager.once = True
        session = None

        async def go():
            nonlocal session
            async with kernel(pager=pager) as ctx:
                session = await ctx.session("s")
                await session.add(*(lamina.user("word " * 30) for _ in range(10)))
                window = await session.window(100)
                assert window.tokens <= 100
                assert window.prefix[-1].text.startswith("meanwhile")

        asyncio.run(go())

    def test_a_damaged_or_newer_record_is_refused_by_key(self, kernel):
        import msgspec

        async def broken(value):
            storage = kernel.DictStorage()
            async with kernel(storage=storage) as ctx:
                await (await ctx.session("s")).add(lamina.user("x"))
            key = next(k for k in storage.data if k.startswith("log/"))
            storage.data[key] = (value, 99)
            async with kernel(storage=storage) as ctx:
                await ctx.session("s")

        for value in (b"\xc1", b"", msgspec.msgpack.encode([1, "said"]), msgspec.msgpack.encode([1, "odd", 1])):
            with pytest.raises(IntegrityError, match="log/s/0+: damaged"):
                asyncio.run(broken(value))
        with pytest.raises(IntegrityError, match=r"newer lamina \(schema 9"):
            asyncio.run(broken(msgspec.msgpack.encode([9, "said"])))


class SessionMachine(RuleBasedStateMachine):
    """A session against a list: whatever happens, pages, ids and what a reopened session says agree."""

    kernel = None

    @initialize()
    def start(self):
        self.storage = self.kernel.DictStorage()
        self.model, self.next_id, self.marks, self.number, self.made = [], 1, {}, 0, 0

    def go(self, work):
        async def run():
            async with self.kernel(storage=self.storage) as ctx:
                return await work(await ctx.session("s"))

        return asyncio.run(run())

    @rule(n=st.integers(1, 4))
    def add(self, n):
        said = [f"m{self.number + i} " + "w " * (self.number % 7) for i in range(n)]
        self.number += n
        self.go(lambda s: s.add(*map(lamina.user, said)))
        for text in said:
            self.model.append((self.next_id, text))
            self.next_id += 1

    @rule(budget=st.integers(40, 90))
    def window(self, budget):
        assert self.go(lambda s: s.window(budget)).tokens <= budget

    @rule(name=st.sampled_from("xy"))
    def checkpoint(self, name):
        self.go(lambda s: s.checkpoint(name))
        self.made += 1
        self.marks[name] = (self.made, len(self.model))

    @rule(name=st.sampled_from("xy"))
    def rollback(self, name):
        if name in self.marks:
            self.go(lambda s: s.rollback(name))
            made, length = self.marks[name]
            self.model = self.model[:length]
            self.marks = {n: m for n, m in self.marks.items() if m[0] <= made}

    @rule()
    def pin(self):
        if self.model:
            self.go(lambda s: s.pin(self.model[0][0]))
            self.go(lambda s: s.unpin(self.model[0][0]))

    @invariant()
    def agrees(self):
        if hasattr(self, "model"):
            assert self.go(lambda s: _pages(s)) == self.model


async def _pages(session):
    return [(p.id, p.text) for p in session.pages]


def test_a_session_agrees_with_a_list(kernel):
    from hypothesis.stateful import run_state_machine_as_test

    machine = type("Machine", (SessionMachine,), {"kernel": staticmethod(kernel)})
    machine.kernel.DictStorage = kernel.DictStorage
    run_state_machine_as_test(machine, settings=settings(max_examples=12, stateful_step_count=12, deadline=None))
