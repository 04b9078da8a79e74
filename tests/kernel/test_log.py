"""One way through the log: made, written, taken in; what another process wrote, or a crash left open, costs what is new."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lamina
import lamina.protocols
from lamina import _resident, _snapshot
from lamina.errors import FormatError, SessionStateError, UnknownPageError

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def small(monkeypatch):
    """Pieces of snapshots are short, and hardly a page is held."""
    monkeypatch.setattr(_snapshot, "EVERY", 3)
    monkeypatch.setattr(_resident, "MOST_TOKENS", 20)
    monkeypatch.setattr(_resident, "LEAST", 1)


def call(id):
    return lamina.ToolCall(id, "read", "{}")


def run(work):
    return asyncio.run(work())


class TestRefused:
    @pytest.mark.parametrize("bad", [lamina.tool_result("nobody", "x"), lamina.Message("robot", ()), "text"])
    def test_nothing_of_a_refused_batch_shows_and_nothing_is_read_for_it(self, kernel, bad):
        async def work():
            storage = kernel.Counting(kernel.DictStorage())
            async with kernel(storage=storage) as ctx:
                s = await ctx.session("s")
                await s.add(lamina.user("before"), lamina.assistant("", call("a")))
                before, info, read = kernel.facts(s), s.info, storage.given
                for batch in ((lamina.user("good"), bad), (lamina.tool_result("a", "an answer"), bad)):
                    with pytest.raises(FormatError):
                        await s.add(*batch)
                    assert kernel.facts(s) == before
                    assert s.info == info
                assert await s.add(lamina.user("after"), lamina.tool_result("a", "late")) == [3, 2]
                assert storage.given == read

        run(work)

    def test_a_counter_that_fails_leaves_nothing_behind(self, kernel):
        class Failing(kernel.Parts().parts.counter.__class__):
            def count(self, request):
                return [-1 if text == "two" else len(text.split()) for text in request.texts]

        async def work():
            async with kernel(counter=Failing()) as ctx:
                s = await ctx.session("s")
                await s.add(lamina.user("one"))
                before = kernel.facts(s)
                with pytest.raises(lamina.errors.ContractError):
                    await s.add(lamina.user("good"), lamina.user("two"))
                assert kernel.facts(s) == before

        run(work)

    def test_a_batch_knows_of_its_own_messages(self, kernel):
        async def work():
            async with kernel() as ctx:
                s = await ctx.session("s")
                piece = lamina.Message("assistant", (call("a"),), group="m")
                ids = await s.add(
                    lamina.assistant("", call("a")), lamina.tool_result("a", "1"), piece,
                    lamina.Message("assistant", (lamina.Text("more"), call("b")), group="m"),
                    lamina.tool_result("b", "2"), lamina.tool_result("a", "3"), lamina.tool_result("a", "4"),
                )  # fmt: skip
                assert ids == [1, 1, 2, 2, 2, 2, 2]
                assert [[m.text for m in p.messages] for p in s.pages] == [["", "1"], ["more", "4", "2"]]

        run(work)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(
            ["say", "ask", "answer", "ask", "answers", "group", "large", "refused", "window", "pin", "unpin", "expand", "save", "back", "back to", "lose", "torn", "gone"]
        ),
        st.integers(0, 9),
    ),
    min_size=10,
    max_size=40,
)  # fmt: skip


async def step(session, storage, what, n):
    """One step; what the session refuses in that state is refused."""
    ids = session.book.fold.pages.ids
    page = ids[n % len(ids)] if ids else 1
    match what:
        case "say":
            await session.add(*(lamina.user("word " * (n + i)) for i in range(1 + n % 3)))
        case "ask":
            await session.add(lamina.assistant("look", call(f"c{n % 3}"), call(f"d{n}")))
        case "answer":
            await session.add(lamina.tool_result(f"c{n % 3}", "result " * n))
        case "answers":  # of two pages, mostly
            results = tuple(lamina.ToolResult(f"c{k % 3}", "both " * n) for k in (n, n + 1))
            await session.add(lamina.Message("tool", results))
        case "group":
            await session.add(lamina.Message("assistant", (lamina.Text("piece"), call(f"c{n % 3}")), group=f"g{n % 2}"))
        case "large":
            await session.add(lamina.user("large " * (60 + n)))
        case "refused":
            await session.add(lamina.user("fine"), lamina.tool_result("c0", "x"), lamina.tool_result("nobody", "x"))
        case "window":
            await session.window(90 + n % 2)
        case "pin":
            await session.pin(page)
        case "unpin":
            await session.unpin(page)
        case "expand":
            await session.expand(page)
        case "save":
            await session.checkpoint(f"x{n % 2}")
        case "back":
            await session.rollback(f"x{n % 2}")
        case "back to":
            await session.rollback(page)
        case "lose":
            storage.plan = ["lose"] * (n % 3)
            await session.add(lamina.user("in spite of all"))
        case "torn" | "gone":
            storage.plan = ["before" if what == "gone" else "after"]
            await session.add(lamina.user(f"who knows {n}"))


REFUSALS = (FormatError, SessionStateError, UnknownPageError, OSError, lamina.errors.BudgetError)


@pytest.mark.parametrize("kind", ["Counting", "Instant"])
@few
@given(steps=STEPS)
def test_two_processes_and_one_that_reads_it_all_agree_whatever_happens(kernel, small, kind, steps):
    """What was followed record by record is what is read anew, from a snapshot or not, and so is its window."""
    pager = kernel.Admitting

    async def work():
        storage = getattr(kernel, kind)(kernel.DictStorage())
        async with kernel(storage=storage, pager=pager()) as one, kernel(storage=storage, pager=pager()) as two:
            sessions = [await one.session("s"), await two.session("s")]
            for who, what, n in steps:
                with suppress(*REFUSALS):
                    await step(sessions[who], storage, what, n)
                storage.plan = []
            for session in sessions:
                await session.book.since(0, 0, 1)
            want = kernel.facts(sessions[0])
            assert kernel.facts(sessions[1]) == want
            # One without snapshots reads the whole log.
            for other in (storage, kernel.Counting(storage.storage)):
                async with kernel(storage=other, pager=pager()) as three:
                    assert kernel.facts(await three.session("s")) == want
            for session in sessions:
                try:
                    window = await session.window(90)
                except lamina.errors.BudgetError:
                    return
                for other in (storage, kernel.Counting(storage.storage)):
                    # A page that grew since it was laid out must not be let in anew: this pager does not.
                    async with kernel(storage=other) as three:
                        again = await (await three.session("s")).window(90)
                    assert (again.prefix, again.tokens, again.compacted) == (window.prefix, window.tokens, False)

    run(work)


LONG = 1500


async def long_session(ctx, n=LONG):
    session = await ctx.session("s")
    for start in range(0, n, 500):
        await session.add(*(lamina.user(f"message {i}") for i in range(start, start + 500)))
    return session


class TestTails:
    def test_processes_that_take_turns_pay_for_what_is_new(self, kernel):
        async def work():
            storage = kernel.Counting(kernel.DictStorage())
            async with kernel(storage=storage) as one, kernel(storage=storage) as two:
                a = await long_session(one)
                b = await two.session("s")
                read = storage.given
                for i in range(20):
                    await a.add(lamina.user(f"a{i}"))
                    await a.window(100)
                    await b.add(lamina.user(f"b{i}"))
                    await b.window(100)
                assert storage.given - read <= 20 * 8
                await a.book.since(0, 0, 1)
                assert kernel.facts(a) == kernel.facts(b)
                assert [p.text for p in a.pages[-40:]] == [f"{x}{i}" for i in range(20) for x in "ab"]

        run(work)

    def test_recall_of_a_session_that_another_process_grew_reads_what_is_new(self, kernel):
        async def work():
            storage = kernel.Counting(kernel.DictStorage())
            parts = {"storage": storage, "index": kernel.WordIndex()}
            async with kernel(**parts) as one, kernel(**parts) as two:
                a = await long_session(one)
                await two.session("s")
                await two.tier_counts()  # which takes in all that was said
                await a.add(lamina.user("a needle"))
                read = storage.given
                (hit,) = await two.recall("needle")
                assert hit.page == LONG + 1
                assert storage.given - read < 50

        run(work)

    @pytest.mark.parametrize(("what", "said"), [("before", False), ("after", True), ("cancelled", True)])
    def test_a_write_of_unknown_outcome_is_looked_up_and_no_more(self, kernel, what, said):
        async def work():
            storage = kernel.Counting(kernel.DictStorage())
            async with kernel(storage=storage) as ctx:
                s = await long_session(ctx)
                read = storage.given
                storage.plan = [what]
                with pytest.raises((OSError, asyncio.CancelledError)):
                    await s.add(lamina.user("perhaps"))
                assert s.pages[-1].text == f"message {LONG - 1}"
                await s.add(lamina.user("after"))
                assert [p.text for p in s.pages[LONG:]] == (["perhaps", "after"] if said else ["after"])
                assert storage.given - read < 10

        run(work)

    def test_messages_of_another_process_leave_a_plan_as_it_is(self, kernel):
        class Slow(kernel.NewestPager):
            plans = 0

            async def plan(self, request):
                self.plans += 1
                await other.add(lamina.user("meanwhile"))
                return await super().plan(request)

        pager, other = Slow(), None

        async def work():
            nonlocal other
            storage = kernel.Counting(kernel.DictStorage())
            async with kernel(storage=storage, pager=pager) as one, kernel(storage=storage) as two:
                s = await one.session("s")
                await s.add(*(lamina.user("word " * 30) for _ in range(10)))
                other = await two.session("s")
                window = await s.window(100)
                assert window.compacted
                assert window.prefix[-1].text == "meanwhile"
                assert pager.plans == 1
                await other.book.since(0, 0, 1)
                assert kernel.facts(other) == kernel.facts(s)

        run(work)

    def test_a_pin_of_another_process_makes_a_plan_void(self, kernel):
        class Slow(kernel.NewestPager):
            plans = 0

            async def plan(self, request):
                self.plans += 1
                if self.plans == 1:
                    await other.pin(1)
                return await super().plan(request)

        pager, other = Slow(), None

        async def work():
            nonlocal other
            storage = kernel.Counting(kernel.DictStorage())
            async with kernel(storage=storage, pager=pager) as one, kernel(storage=storage) as two:
                s = await one.session("s")
                await s.add(lamina.user("pinned"), *(lamina.user("word " * 30) for _ in range(10)))
                other = await two.session("s")
                assert (await s.window(100)).prefix[0].text == "pinned"
                assert pager.plans == 2

        run(work)

    def test_a_large_page_that_another_process_let_in_shorter_stands_shorter_here(self, kernel):
        """Also where it was laid out as it is already, with pages behind it."""
        pager = kernel.Admitting

        async def work():
            storage = kernel.Counting(kernel.DictStorage())
            async with kernel(storage=storage, pager=pager()) as one, kernel(storage=storage) as two:
                a, b = await one.session("s"), await two.session("s")
                await a.add(lamina.user("first"), lamina.assistant("large " * 60, call("c")), lamina.user("last"))
                await b.book.since(0, 0, 1)
                assert (await b.window(200)).prefix[1].text == "large " * 60
                shown = await a.window(200)
                assert shown.tokens < 100
                await b.add(lamina.tool_result("c", "an answer"))
                window = await b.window(200)
                async with kernel(storage=storage) as three:
                    assert (await (await three.session("s")).window(200)).prefix == window.prefix
                assert [m.text for m in window.prefix][:2] == [m.text for m in shown.prefix][:2]

        run(work)

    def test_a_page_that_grew_while_it_was_let_in_shows_what_it_grew_by(self, kernel):
        class Pager(kernel.Admitting):
            async def admit(self, request):
                await other.add(lamina.tool_result("c", "answer"))
                return lamina.protocols.Shortened(request.page.id, {(0, 0): "short"})

        other = None

        async def work():
            nonlocal other
            storage = kernel.Counting(kernel.DictStorage())
            async with kernel(storage=storage, pager=Pager()) as one, kernel(storage=storage) as two:
                s = await one.session("s")
                await s.add(lamina.assistant("large " * 60, call("c")))
                other = await two.session("s")
                assert [m.text for m in (await s.window(200)).prefix[-2:]] == ["short", "answer"]

        run(work)

    def test_what_another_process_rolled_back_is_gone_here(self, kernel):
        async def work():
            storage = kernel.Counting(kernel.DictStorage())
            async with kernel(storage=storage) as one, kernel(storage=storage) as two:
                a, b = await one.session("s"), await two.session("s")
                await a.add(lamina.user("one"))
                await a.checkpoint("x")
                await a.add(lamina.user("two"))
                await b.add(lamina.user("three"))
                await a.rollback("x")
                assert await b.add(lamina.user("four")) == [4]
                assert [p.text for p in b.pages] == ["one", "four"]
                with pytest.raises(UnknownPageError):
                    await b.pin(2)

        run(work)

    def test_what_a_rollback_voids_after_an_earlier_one_is_forgotten_too(self, kernel):
        async def work():
            async with kernel() as ctx:
                s = await ctx.session("s")
                await s.add(lamina.user("one"))
                await s.checkpoint("x")
                for word in ("second", "third"):
                    await s.add(lamina.user(word))
                    assert len(await ctx.recall(word)) == 1
                    await s.rollback("x")
                    assert await ctx.recall(word) == []

        run(work)

    def test_a_pin_of_a_page_that_is_void_by_then_is_refused(self, kernel):
        async def work():
            storage = kernel.Counting(kernel.DictStorage())
            async with kernel(storage=storage) as one, kernel(storage=storage) as two:
                a, b = await one.session("s"), await two.session("s")
                await a.add(lamina.user("one"), lamina.user("two"))
                await b.add(lamina.user("three"))
                await a.rollback(1)
                with pytest.raises(UnknownPageError):
                    await b.pin(3)

        run(work)
