"""Whatever plugins return, no window leaves that is over budget, splits a pair, drops a pin or reorders."""

from __future__ import annotations

import asyncio
import math

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lamina
from lamina.errors import BudgetError, ContractError
from lamina.protocols import CounterInfo, Digest, Entry, Excerpt, PagedOut, Plan, Shortened, Verbatim

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def words(n, tag):
    return " ".join(f"{tag}{i}" for i in range(n))


def say(kind, size, number):
    """The messages of one page."""
    if kind == "call":
        calls = [lamina.ToolCall(f"c{number}-{i}", "read", '{"n": %d}' % i) for i in range(1 + size % 3)]
        results = [lamina.tool_result(c.id, words(size, f"r{number}_")) for c in calls]
        return [lamina.assistant(words(size % 5, f"a{number}_"), *calls), *results]
    if kind == "system":
        return [lamina.system(words(size % 7 + 1, f"s{number}_"))]
    made = lamina.user if kind == "user" else lamina.assistant
    return [made(words(size, f"u{number}_"))]


sessions = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "call", "call", "system"]), st.integers(1, 60)),
    min_size=1,
    max_size=25,
)


def count(messages):
    """Tokens by the kernel's rules, written here again."""
    total = 0
    for m in messages:
        total += 4
        texts = [p.text for p in m.parts if isinstance(p, lamina.Text)]
        total += sum(len(t.split()) for t in texts) + max(0, len(texts) - 1)
        total += sum(
            4 + len(p.name.split()) + len(p.arguments.split()) for p in m.parts if isinstance(p, lamina.ToolCall)
        )
        total += sum(len(p.text.split()) for p in m.parts if isinstance(p, lamina.ToolResult))
    return total


def assert_valid(window, session, budget, pins=()):
    """Everything that the gate promises of a window."""
    messages = [*window.prefix, *window.tail]
    assert count(messages) <= budget
    assert window.tokens == count(messages)
    waiting = []
    for m in messages:
        if m.role == "tool":
            assert [r.call_id for r in m.results] == [waiting.pop(0)]
        else:
            assert not waiting
            waiting = [c.id for c in m.calls]
    assert not waiting
    speakers = [m.role for m in messages if m.role != "system"]
    assert not speakers or speakers[0] == "user"
    originals = {id(m): page.id for page in session.pages for m in page.messages}
    order = [originals[id(m)] for m in messages if id(m) in originals]
    assert order == sorted(order)
    for page in session.pages:
        if page.id in pins or page.role == "system":
            assert all(any(m is held for m in messages) for held in page.messages)
    rows = window.ledger.rows
    assert sum(r.tokens_before for r in rows if r.rendition != "recalled") == sum(p.tokens for p in session.pages)


async def drive(ctx, said, budget, pins=(), each=None):
    """A session with these pages; a window after each, checked."""
    session = await ctx.session("s")
    repairs = []
    for number, (kind, size) in enumerate(said):
        await session.add(*say(kind, size, number))
        if number in pins:
            await session.pin(session.pages[-1].id)
        try:
            window = await session.window(budget)
        except BudgetError as error:
            assert error.needed > budget
            continue
        pinned = [session.pages[i].id for i in pins if i < len(session.pages)]
        assert_valid(window, session, budget, pinned)
        repairs += window.ledger.repairs
    return session, repairs


def run(kernel, said, budget, pins=(), options=None, **parts):
    async def go():
        async with kernel({"window": {"recall_limit": 0, **(options or {})}}, **parts) as ctx:
            return await drive(ctx, said, budget, pins)

    return asyncio.run(go())


@few
@given(said=sessions, budget=st.integers(60, 400), pins=st.sets(st.integers(0, 10), max_size=2))
def test_sound_plugins_need_no_repair(kernel, said, budget, pins):
    _, repairs = run(kernel, said, budget, pins)
    assert repairs == []


class Hostile:
    """Compressors and scorers that break their contract."""

    class TooMuch:
        async def compress(self, request):
            return [Shortened(p.id, {(0, 0): words(500, "x")}, tokens=1) for p in request.pages]

    class Elsewhere:
        async def compress(self, request):
            return [Shortened(p.id + 1000, {}) for p in request.pages] + [None, "offer"]

    class OutOfRange:
        async def compress(self, request):
            return [Shortened(p.id, {(9, 9): "x", (0, -1): "y"}) for p in request.pages]

    class BreaksArguments:
        async def compress(self, request):
            out = []
            for p in request.pages:
                at = [
                    (m, i)
                    for m, said in enumerate(p.messages)
                    for i, x in enumerate(said.parts)
                    if isinstance(x, lamina.ToolCall)
                ]
                out.append(Shortened(p.id, dict.fromkeys(at or [(0, 0)], "{not json") if at else {(0, 0): None}))
            return out

    class DropsTexts:
        async def compress(self, request):
            return [Shortened(p.id, {(0, 0): None, (len(p.messages) - 1, 0): None}) for p in request.pages]

    class LoneSurrogate:
        async def compress(self, request):
            return [Shortened(p.id, {(len(p.messages) - 1, 0): "\ud800"}) for p in request.pages]

    class Raises:
        async def compress(self, request):
            raise RuntimeError("no")


@few
@given(
    said=sessions,
    budget=st.integers(60, 300),
    hostile=st.sampled_from([c for c in vars(Hostile).values() if isinstance(c, type)]),
)
def test_a_hostile_compressor_cannot_spoil_a_window(kernel, said, budget, hostile):
    _, repairs = run(kernel, said, budget, compressor=hostile())
    assert all("plain" in r for r in repairs)


@pytest.mark.parametrize(
    "hostile", [c for c in vars(Hostile).values() if isinstance(c, type) and c is not Hostile.TooMuch]
)
def test_a_hostile_compressor_is_named(kernel, hostile):
    said = [("user", 3), ("call", 59)]
    _, repairs = run(kernel, said, 60, compressor=hostile())
    assert any(r.startswith("plain: ") for r in repairs)
    with pytest.raises(ContractError, match="plain"):
        run(kernel, said, 60, options={"strict": True}, compressor=hostile())


@pytest.mark.parametrize("scores", [[math.nan], [math.inf], [], [1.0] * 99, ["much"], [None]])
def test_a_scorer_that_gives_no_finite_score_per_page_is_named(kernel, scores):
    class Bad:
        async def score(self, request):
            return scores * len(request.pages) if len(scores) == 1 else scores

    said = [("user", 30)] * 8
    _, repairs = run(kernel, said, 100, scorer=Bad())
    assert repairs
    assert all(r.startswith("plain: ") for r in repairs)


def hostile_plans():
    """Ways to turn a sound plan into nonsense."""

    def over(plan, request):
        return Plan((Entry(request.pages[0].id, request.pages[-1].id, Verbatim(), "all"),))

    def reorder(plan, request):
        return Plan(plan.entries[::-1])

    def drop(plan, request):
        return Plan(plan.entries[:-1])

    def double(plan, request):
        return Plan((*plan.entries, plan.entries[-1]))

    def unpin(plan, request):
        return Plan((Entry(request.pages[0].id, request.pages[-1].id, PagedOut(), "none"),))

    def unknown(plan, request):
        return Plan((Entry(10_000, 10_001, PagedOut(), "x"),))

    def nan(plan, request):
        return Plan(tuple(evolve(e, score=math.nan) for e in plan.entries))

    def forge(plan, request):
        text = words(5000, "f")
        last = plan.entries[-1]
        return Plan((*plan.entries[:-1], evolve(last, rendition=Shortened(last.last, {(0, 0): text}, tokens=1))))

    def digest(plan, request):
        first, last = request.pages[0].id, request.pages[-1].id
        return Plan((Entry(first, last, Digest((Excerpt(last + 5, "lies"),), tokens=1), "digest"),))

    def fat_digest(plan, request):
        first, last = request.pages[0].id, request.pages[-1].id
        return Plan((Entry(first, last, Digest((Excerpt(first, words(9000, "d")),), tokens=1), "digest"),))

    def nothing(plan, request):
        return None

    def raises(plan, request):
        raise RuntimeError("no plan")

    return [over, reorder, drop, double, unpin, unknown, nan, forge, digest, fat_digest, nothing, raises]


@few
@given(
    said=sessions,
    budget=st.integers(60, 300),
    how=st.sampled_from(hostile_plans()),
    pins=st.sets(st.integers(0, 5), max_size=2),
)
def test_a_hostile_pager_cannot_spoil_a_window(kernel, said, budget, how, pins):
    class Bad(kernel.NewestPager):
        async def plan(self, request):
            return how(await super().plan(request), request)

    _, repairs = run(kernel, said, budget, pins, pager=Bad())
    assert all(r.startswith("plain: ") for r in repairs)


@pytest.mark.parametrize("how", [h for h in hostile_plans() if h.__name__ != "unpin"], ids=lambda h: h.__name__)
def test_a_hostile_pager_is_named_and_strict_raises(kernel, how):
    class Bad(kernel.NewestPager):
        async def plan(self, request):
            return how(await super().plan(request), request)

    said = [("user", 40)] * 6
    _, repairs = run(kernel, said, 150, pager=Bad())
    assert any(r.startswith("plain: ") for r in repairs)
    with pytest.raises(ContractError, match="plain"):
        run(kernel, said, 150, options={"strict": True}, pager=Bad())


def test_a_pager_that_breaks_while_pages_enter_is_named(kernel):
    class Bad(kernel.NewestPager):
        def large(self, budget):
            return 10

        async def admit(self, request):
            return Shortened(request.page.id, {(7, 7): "x"})

        def due(self, request):
            raise RuntimeError("due")

    _, repairs = run(kernel, [("user", 40)] * 3, 500, pager=Bad())
    assert len(repairs) >= 6
    assert all(r.startswith("plain: ") for r in repairs)


class Counting:
    info = CounterInfo(exact=True, bound=1.0, fingerprint="bad")

    def __init__(self, how):
        self.how, self.calls = how, 0

    def count(self, request):
        self.calls += 1
        return self.how([len(t.split()) for t in request.texts], self.calls)


@pytest.mark.parametrize(
    "how",
    [
        lambda counts, n: [-1 for _ in counts],
        lambda counts, n: counts[:-1],
        lambda counts, n: [*counts, 1],
        lambda counts, n: [c + n for c in counts],
        lambda counts, n: [float(c) for c in counts],
        lambda counts, n: [0 for _ in counts],
        lambda counts, n: 1 // 0,
    ],
    ids=["negative", "too few", "too many", "changing", "fractions", "zero for words", "raising"],
)
def test_impossible_counts_are_refused_and_the_counter_named(kernel, how):
    with pytest.raises(ContractError, match="plain"):
        run(kernel, [("user", 20)] * 5, 100, counter=Counting(how))


def test_if_even_the_pins_exceed_the_budget_the_numbers_are_given_and_nothing_is_lost(kernel):
    async def go():
        async with kernel() as ctx:
            session = await ctx.session("s")
            await session.add(lamina.user(words(100, "a")), lamina.user(words(5, "b")))
            await session.pin(1)
            with pytest.raises(BudgetError, match=r"budget of 50 tokens: .* need 1\d\d; raise the budget"):
                await session.window(50)
            assert (await session.window(150)).tokens <= 150
            assert [p.text for p in await session.expand(1, 2)] == [words(100, "a"), words(5, "b")]

    asyncio.run(go())


def test_what_came_all_at_once_is_whole_again_after_a_window_that_could_not_be(kernel):
    async def go():
        async with kernel() as ctx:
            session = await ctx.session("s")
            await session.add(*(lamina.user(words(20, f"p{n}")) for n in range(100)))
            await session.pin(1)
            with pytest.raises(BudgetError):
                await session.window(20)
            window = await session.window(10_000)
            assert [message.text for message in window.prefix] == [page.text for page in session.pages]
            await session.add(*(lamina.user(words(20, f"q{n}")) for n in range(1000)))
            assert_valid(await session.window(500), session, 500, pins={1})
            assert len((await session.window(100_000)).prefix) == 1100

    asyncio.run(go())


@pytest.mark.parametrize("budget", [0, -5, True, 2.5])
def test_an_impossible_budget_is_refused(kernel, budget):
    async def go():
        async with kernel() as ctx:
            with pytest.raises(BudgetError, match="budget of"):
                await (await ctx.session("s")).window(budget)

    asyncio.run(go())


@few
@given(said=sessions, budget=st.integers(80, 400))
def test_between_compactions_the_prefix_only_grows_at_its_end(kernel, said, budget):
    async def go():
        async with kernel() as ctx:
            session = await ctx.session("s")
            before = ()
            for number, (kind, size) in enumerate(said):
                await session.add(*say(kind, size, number))
                try:
                    window = await session.window(budget)
                except BudgetError:
                    continue
                if not window.compacted:
                    assert window.prefix[: len(before)] == before
                before = window.prefix

    asyncio.run(go())


def test_a_run_of_ten_thousand_pages_costs_one_stub(kernel):
    async def go():
        async with kernel() as ctx:
            session = await ctx.session("s")
            for start in range(0, 10_000, 1000):
                await session.add(*(lamina.user(f"m{i}") for i in range(start, start + 1000)))
            window = await session.window(100)
            stubs = [m for m in window.prefix if "paged out" in m.text]
            assert len(stubs) == 1
            assert count(stubs) <= 12

    asyncio.run(go())
