"""Running calls: many at once, in order, again, within their time, and each by itself."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager

import pytest

from lamina import Call
from lamina.errors import ArgumentsError, CallFailedError, ToolError
from lamina.hookspecs import hookimpl
from lamina.outputs import Blob, Output, failed, text_output
from lamina.protocols import Effects, ExecutorCapability, Progress, ToolReference, ToolSpec

ANY = {"type": "object"}


class Made:
    """A tool of a function."""

    def __init__(self, run, name="made", schema=ANY, **spec):
        self._run = run
        self.spec = ToolSpec(name, "made", schema, **spec)

    async def run(self, request):
        return await self._run(request)


def in_context(kernel, work, tools=(), calls=None, *plugins):
    async def go():
        async with asyncio.timeout(30), kernel({"calls": calls or {}}, *plugins) as ctx:
            for tool in tools:
                ctx.tools.register(tool)
            return await work(ctx)

    return asyncio.run(go())


class Gate:
    """A tool's body that waits until it is let through, and counts."""

    def __init__(self):
        self.ran, self.inside, self.most, self.order = 0, 0, 0, []
        self.open = asyncio.Event()

    async def __call__(self, request):
        self.ran += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.order.append(request.call.id)
        try:
            await self.open.wait()
        finally:
            self.inside -= 1
        return text_output(request.call.id)


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


def test_ten_thousand_calls_are_all_right_none_lost_or_doubled(kernel):
    ran = []

    async def sleeps(request):
        ran.append(request.call.arguments["n"])
        await asyncio.sleep(0.001)
        return text_output(str(request.call.arguments["n"]))

    async def work(ctx):
        results = await ctx.tools.gather([Call("made", {"n": n}) for n in range(10_000)])
        assert [r.text for r in results] == [str(n) for n in range(10_000)]
        assert sorted(ran) == list(range(10_000))

    in_context(kernel, work, [Made(sleeps)])


def test_no_more_run_at_once_than_the_limits_say(kernel):
    gates = {}

    async def work(ctx):
        for name, limit in (("a", 3), ("b", None)):
            gates[name] = Gate()
            ctx.tools.register(Made(gates[name], name, limit=limit))
        waiting = asyncio.ensure_future(ctx.tools.gather([Call(n, id=f"{k}") for k in range(20) for n in "ab"]))
        await settle()
        assert (gates["a"].inside, gates["b"].inside) == (3, 7)
        for gate in gates.values():
            gate.open.set()
        results = await waiting
        assert [r.text for r in results] == [f"{k}" for k in range(20) for _ in "ab"]
        assert gates["a"].most == 3
        assert gates["a"].order == [f"{k}" for k in range(20)]

    in_context(kernel, work, [], {"limit": 10})


def test_more_calls_than_the_queue_takes_wait_outside(kernel):
    async def work(ctx):
        gate = Gate()
        ctx.tools.register(Made(gate))
        runs = [await ctx.tools.start(Call("made", id=f"{n}")) for n in range(4)]
        fifth = asyncio.ensure_future(ctx.tools.start(Call("made", id="4")))
        await settle()
        assert not fifth.done()
        gate.open.set()
        assert [(await run.result()).text for run in [*runs, await fifth]] == [f"{n}" for n in range(5)]
        # Whoever stops waiting takes no place with him.
        gate.open.clear()
        runs = [await ctx.tools.start(Call("made")) for n in range(4)]
        given_up = asyncio.ensure_future(ctx.tools.start(Call("made")))
        await settle()
        given_up.cancel()
        gate.open.set()
        assert len(await ctx.tools.gather([Call("made")] * 9)) == 9

    in_context(kernel, work, [], {"queue": 4})


def test_calls_on_one_resource_run_in_their_order_and_others_beside_them(kernel):
    async def work(ctx):
        gate = Gate()
        schema = {"type": "object", "properties": {"path": {"type": "string"}}}
        ctx.tools.register(Made(gate, "write", schema, resources=("file:{path}",)))
        ctx.tools.register(Made(gate, "move", ANY, resources=("file:a", "file:b")))
        calls = [Call("write", {"path": "a"}, "a1"), Call("write", {"path": "a"}, "a2"), Call("write", {"path": "b"}, "b1"),
                 Call("move", {}, "m1"), Call("write", {"path": "b"}, "b2"), Call("write", {"path": "c"}, "c1")]  # fmt: skip
        runs = [await ctx.tools.start(call) for call in calls]
        await settle()
        assert gate.order == ["a1", "b1", "c1"]
        assert [run.state for run in runs] == ["running", "waiting", "running", "waiting", "waiting", "running"]
        runs[1].cancel()  # who leaves the line holds up nobody
        gate.open.set()
        await asyncio.gather(*(run.ended() for run in runs))
        assert gate.order.index("m1") > gate.order.index("a1")
        assert gate.order.index("b2") > gate.order.index("m1")
        assert "a2" not in gate.order

    in_context(kernel, work)


def test_identical_reading_calls_in_flight_run_once(kernel):
    async def work(ctx):
        gate = Gate()
        ctx.tools.register(Made(gate, "read", effects=Effects(read_only=True)))
        ctx.tools.register(Made(gate, "write"))
        same = [Call("read", {"a": 1, "b": 2}, f"{n}", "s") for n in range(50)] + [
            Call("read", {"b": 2, "a": 1}, "x", "s")
        ]
        other = [Call("read", {"a": 1, "b": 2}, "o", "other"), Call("read", {"a": 2}, "p", "s")]
        waiting = asyncio.ensure_future(ctx.tools.gather([*same, *other, Call("write"), Call("write")]))
        await settle()
        assert gate.ran == 5
        gate.open.set()
        results = await waiting
        assert {r.text for r in results[:51]} == {"0"}
        assert [r.call for r in results[:51]] == same
        assert [r.tries for r in results[:3]] == [1, 0, 0]
        await ctx.tools.call(same[0])
        assert gate.ran == 6  # it is no cache: what is over is run again

    in_context(kernel, work)


def test_who_waits_for_an_identical_call_that_is_cancelled_runs_it_itself(kernel):
    async def work(ctx):
        gate = Gate()
        ctx.tools.register(Made(gate, effects=Effects(read_only=True)))
        runs = [await ctx.tools.start(Call("made", id=f"{n}")) for n in range(5)]
        await settle()
        runs[0].cancel()
        await settle()
        gate.open.set()
        assert [(await run.result()).state for run in runs] == ["cancelled", *["done"] * 4]
        assert gate.ran == 2

    in_context(kernel, work)


def test_a_failure_for_the_moment_is_tried_again_where_a_tool_may_run_twice(kernel):
    asked = []

    def flaky(times, error):
        async def run(request):
            asked.append((request.call.tool, request.key, request.attempt))
            if request.attempt <= times:
                if isinstance(error, Exception):
                    raise error
                return error
            return text_output("at last")

        return run

    busy = failed("Busy", retryable=True)
    idempotent = Effects(idempotent=True)
    tools = [
        Made(flaky(2, busy), "twice", effects=idempotent),
        Made(flaky(9, ConnectionError("reset")), "always", effects=idempotent),
        Made(flaky(1, busy), "writes"),
        Made(flaky(1, ValueError("no")), "wrong", effects=idempotent),
        Made(flaky(1, CallFailedError("soon", retryable=True)), "says", effects=Effects(read_only=True)),
    ]

    async def work(ctx):
        calls = [Call(tool.spec.name, id="c1", session="s") for tool in tools]
        results = await ctx.tools.gather(calls)
        assert [r.text for r in results] == ["at last", "ConnectionError: reset", "Busy", "ValueError: no", "at last"]
        assert [r.tries for r in results] == [3, 3, 1, 1, 2]
        assert {key for _, key, _ in asked} == {"s:c1"}
        assert [r.state for r in results] == ["done", "failed", "failed", "failed", "done"]

    in_context(kernel, work, tools, {"retries": 2, "backoff_s": 0.001})


def test_a_tool_that_fails_again_and_again_rests_and_is_tried_later(kernel):
    sick = [True]

    async def run(request):
        if sick[0]:
            raise ConnectionError("down")
        return text_output("up")

    async def work(ctx):
        texts = [(await ctx.tools.call(Call("made"))).text for _ in range(5)]
        assert texts[:3] == ["ConnectionError: down"] * 3
        assert all(
            text.startswith("CircuitOpen: made failed several times in a row (try again in") for text in texts[3:]
        )
        sick[0] = False
        await asyncio.sleep(0.06)
        assert [(await ctx.tools.call(Call("made"))).text for _ in range(2)] == ["up", "up"]

    in_context(kernel, work, [Made(run)], {"breaker_failures": 3, "breaker_s": 0.05})


def test_a_failure_that_is_the_callers_own_rests_no_tool(kernel):
    async def run(request):
        raise FileNotFoundError("no such file")

    async def work(ctx):
        assert {(await ctx.tools.call(Call("made"))).text for _ in range(20)} == {"FileNotFoundError: no such file"}

    in_context(kernel, work, [Made(run)], {"breaker_failures": 3})


def test_a_run_can_be_followed_and_cancelled(kernel):
    cleaned = []

    async def run(request):
        request.report(Progress(1, 2, "half"))
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(request.call.id)

    async def work(ctx):
        run = await ctx.tools.start(Call("made", id="c"), key="mine")
        assert (run.state, run.key, run.done) == ("queued", "mine", False)
        heard = [p async for p in first(run.progress())]
        assert heard == [Progress(1, 2, "half")]
        assert run.state == "running"
        run.cancel()
        result = await run.result()
        assert (result.state, result.error, run.state) == ("cancelled", True, "cancelled")
        assert cleaned == ["c"]
        assert [p async for p in run.progress()] == []
        at_once = await ctx.tools.start(Call("made"))
        at_once.cancel()
        assert (await at_once.result()).state == "cancelled"
        assert cleaned == ["c"]

    async def first(events):
        async for event in events:
            yield event
            return

    in_context(kernel, work, [Made(run)])


def test_progress_from_a_thread_is_heard(kernel):
    async def run(request):
        await asyncio.to_thread(lambda: [request.report(Progress(n)) for n in range(5)])
        await asyncio.sleep(0.01)
        return Output()

    async def work(ctx):
        run = await ctx.tools.start(Call("made"))
        assert [p.done async for p in run.progress()] == list(range(5))

    in_context(kernel, work, [Made(run)])


def test_whoever_is_cancelled_cancels_the_tool_and_waits_for_its_end(kernel):
    ended = []

    async def run(request):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append(1)

    async def work(ctx):
        for start in (lambda: ctx.tools.call(Call("made")), lambda: ctx.tools.gather([Call("made")] * 3)):
            task = asyncio.ensure_future(start())
            await settle()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert len(ended) == 4

    in_context(kernel, work, [Made(run)])


def test_a_tool_that_ignores_cancellation_holds_up_nobody(kernel):
    asked = []

    async def stubborn(request):
        while len(asked) < 3:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                asked.append(1)
        return text_output("never mind")

    async def quick(request):
        return text_output("quick")

    async def work(ctx):
        slow, fast = await ctx.tools.gather([Call("stubborn"), Call("quick")])
        assert (slow.state, fast.text) == ("timed out", "quick")
        assert len(asked) < 3

    # It is asked again until it listens: the context closes, and nothing is left.
    in_context(kernel, work, [Made(stubborn, "stubborn", timeout_s=0.01), Made(quick, "quick")])
    assert len(asked) == 3


def test_a_time_out_is_the_tools_own_or_else_the_configured_one(kernel):
    async def forever(request):
        await asyncio.Event().wait()

    async def work(ctx):
        short, long = await ctx.tools.gather([Call("short"), Call("long")])
        assert short.text == "TimedOut: short took longer than 0.01 s"
        assert long.text == "TimedOut: long took longer than 0.1 s"
        assert short.elapsed_s < long.elapsed_s

    in_context(kernel, work, [Made(forever, "short", timeout_s=0.01), Made(forever, "long")], {"timeout_s": 0.1})


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), MemoryError(), RecursionError(), BaseException("x")]
)
def test_whatever_a_tool_raises_is_its_own_failure(kernel, error):
    async def raises(request):
        raise error

    async def works(request):
        return text_output("fine")

    async def work(ctx):
        results = await ctx.tools.gather([Call("raises"), Call("works"), Call("raises")])
        assert [r.state for r in results] == ["failed", "done", "failed"]
        assert type(error).__name__ in results[0].text

    in_context(kernel, work, [Made(raises, "raises"), Made(works, "works")])


@pytest.mark.parametrize("garbage", [None, 5, "text", b"x", object(), {"parts": ()}, asyncio.CancelledError])
def test_garbage_is_the_tools_own_failure(kernel, garbage):
    async def run(request):
        return garbage

    async def work(ctx):
        result = await ctx.tools.call(Call("made"))
        assert result.error
        assert "not an Output" in result.text

    in_context(kernel, work, [Made(run)])


def test_nothing_is_left_when_a_context_closes_with_calls_running(kernel):
    async def forever(request):
        await asyncio.Event().wait()

    async def go():
        async with kernel({}) as ctx:
            ctx.tools.register(Made(forever))
            runs = [await ctx.tools.start(Call("made", {"n": n})) for n in range(50)]
            await settle()
            registry = ctx.tools
        assert {run.state for run in runs} == {"cancelled"}
        with pytest.raises(ToolError, match="the context is closed"):
            await registry.call(Call("made"))
        gc.collect()
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(go()) == []


def test_a_large_blob_is_kept_by_reference_and_a_text_without_end_is_cut(kernel):
    data = bytes(range(256)) * 400

    async def run(request):
        return Output((Blob("application/x-thing", data, name="thing"), *text_output("y" * 300_000).parts))

    async def work(ctx):
        result = await ctx.tools.call(Call("made"))
        blob, text = result.output.parts
        assert (blob.data, blob.size, blob.name) == (None, len(data), "thing")
        assert await ctx.tools.blob(blob.reference) == data
        assert "197600 characters more" in text.text
        assert len(text.text) < 102_500
        assert f"[binary thing: application/x-thing, 102400 bytes, kept as {blob.reference}]" in result.text
        again = await ctx.tools.call(Call("made"))
        assert again.output == result.output
        with pytest.raises(ToolError, match="nothing is kept"):
            await ctx.tools.blob("blob/none")
        with pytest.raises(ToolError, match="nothing is kept"):
            await ctx.tools.blob("ses/secret")

    in_context(kernel, work, [Made(run)], {"output_bytes": len(data)})


class Shipping:
    """Offers an executor that runs nothing but references."""

    capabilities = frozenset({ExecutorCapability.SHIPS})
    limit, blocking_limit = 2, None

    def __init__(self, kernel):
        self.settings, self.asked, self.inside, self.most = kernel.NoSettings, [], 0, 0

    async def execute(self, request):
        self.asked.append(request)
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.001)
        self.inside -= 1
        return text_output(f"shipped {request.reference.target}")

    @hookimpl
    def register_executor(self, register):
        @asynccontextmanager
        async def opener(settings, host):
            yield self

        register("ships", opener, self.settings)


def test_tools_run_where_the_configuration_says(kernel):
    ships = Shipping(kernel)

    async def here(request):
        return text_output("here")

    class Findable(Made):
        reference = ToolReference("package:tool")

    async def work(ctx):
        ctx.tools.register(Findable(here, "far-away", shippable=True))
        results = await ctx.tools.gather([Call("near"), *[Call("far-away", {"n": n}) for n in range(6)]])
        assert [r.text for r in results] == ["here", *["shipped package:tool"] * 6]
        assert ships.most == 2
        assert all(r.local is None and r.timeout_s is None for r in ships.asked)
        with pytest.raises(ToolError, match="executor 'ships' cannot run it"):
            ctx.tools.register(Made(here, "far-off"))

    in_context(kernel, work, [Made(here, "near")], {"executors": {"far-*": "ships"}}, ships)


def test_a_configured_executor_that_is_not_there_is_a_fault_of_the_configuration(kernel):
    with pytest.raises(ValueError, match=r"calls\.executors: no executor named 'nowhere'"):
        in_context(kernel, None, [], {"executors": {"x": "nowhere"}})


def test_decisions_are_recorded_and_told(kernel, capsys):
    told = []

    class Observer:
        @hookimpl
        def call_decided(self, call, decision):
            told.append((call.tool, decision.answer, decision.rule))

    async def wipes(request):
        raise AssertionError

    async def work(ctx):
        good, bad = await ctx.tools.gather([Call("echo", {"text": "x"}), Call("wipe")])
        assert (good.grant.answer, bad.grant.answer, bad.state) == ("allow", "deny", "refused")
        assert (await ctx.tools.decide(Call("wipe"))).answer == "deny"
        assert [spec.name for spec in ctx.tools.specs()] == ["echo"]

    async def go():
        async with kernel({"logging": {"level": "info"}}, Observer()) as ctx:
            ctx.tools.register(Made(wipes, "wipe", effects=Effects(destructive=True)))
            await work(ctx)

    asyncio.run(go())
    assert told == [("echo", "allow", "default"), ("wipe", "deny", "default"), ("wipe", "deny", "default")]
    logged = capsys.readouterr().err
    assert logged.count("call decided") == 3
    assert "may change what cannot be taken back" in logged


def test_a_hook_may_ask_somebody_and_only_its_call_waits(kernel):
    answer = asyncio.Event()

    class Asking:
        def __init__(self):
            self.settings = kernel.NoSettings

        async def decide(self, request):
            from lamina.protocols import Decision

            return Decision("ask" if request.call.arguments["text"] == "x" else "allow", "rule 7")

        @hookimpl
        def register_grants(self, register):
            @asynccontextmanager
            async def opener(settings, host):
                yield self

            register("asking", opener, self.settings)

        @hookimpl
        async def authorize(self, call, decision):
            assert decision.rule == "rule 7"
            await answer.wait()
            return True

    async def work(ctx):
        run = await ctx.tools.start(Call("echo", {"text": "x"}))
        assert (await ctx.tools.call(Call("echo", {"text": "y"}))).text == "y"
        assert run.state == "asked"
        answer.set()
        result = await run.result()
        assert (result.text, result.grant.why) == ("x", "dist-1 was asked and allowed it")

    in_context(kernel, work, [], {"grants": "asking"}, Asking())


@pytest.mark.parametrize("said", [None, True, "allow", RuntimeError("no policy")])
def test_grants_that_break_their_contract_allow_nothing(kernel, said):
    class Broken:
        settings = kernel.NoSettings

        async def decide(self, request):
            if isinstance(said, Exception):
                raise said
            return said

        @hookimpl
        def register_grants(self, register):
            @asynccontextmanager
            async def opener(settings, host):
                yield self

            register("broken", opener, self.settings)

    async def work(ctx):
        (result,) = await ctx.tools.gather([Call("echo", {"text": "x"})])
        assert result.state == "refused"
        assert "grants 'broken'" in result.text

    in_context(kernel, work, [], {"grants": "broken"}, Broken())


class Source:
    """A source whose tools can be set, and that can fail."""

    def __init__(self, *tools):
        self.offered, self.signal, self.error = list(tools), asyncio.Event(), None

    async def tools(self):
        if self.error is not None:
            raise self.error
        return self.offered

    async def changed(self):
        await self.signal.wait()
        self.signal.clear()
        if self.error is not None:
            raise self.error

    def set(self, *tools, error=None):
        self.offered, self.error = list(tools), error
        self.signal.set()


def test_tools_of_a_source_come_and_go_with_it(kernel):
    async def says(request):
        return text_output(request.call.tool)

    async def work(ctx):
        a, b = Made(says, "a"), Made(says, "b")
        source = Source(a, Made(says, "echo"))
        await ctx.tools.add_source(source, "server")
        assert [s.name for s in ctx.tools.specs()] == ["a", "echo"]
        assert ctx.tools.placed("a").source == "server"
        assert ctx.tools.refused == {"echo": "server: a tool named 'echo' is registered already"}
        source.set(b)
        await settle()
        assert [s.name for s in ctx.tools.specs()] == ["b", "echo"]
        assert ctx.tools.refused == {}
        assert (await ctx.tools.call(Call("b"))).text == "b"
        source.set(error=ConnectionError("gone"))
        await settle()
        assert [s.name for s in ctx.tools.specs()] == ["echo"]
        assert ctx.tools.refused == {"server": "ConnectionError: gone"}

    in_context(kernel, work)


def test_a_source_that_cannot_be_asked_at_first_stops_nothing(kernel):
    async def work(ctx):
        source = Source()
        source.error = OSError("no server")
        await ctx.tools.add_source(source, "server")
        assert ctx.tools.refused == {"server": "OSError: no server"}
        assert (await ctx.tools.call(Call("echo", {"text": "x"}))).text == "x"

    in_context(kernel, work)


def test_arguments_are_refused_before_anything_is_decided(kernel):
    async def work(ctx):
        with pytest.raises(ArgumentsError):
            await ctx.tools.start(Call("echo", {}))
        (result,) = await ctx.tools.gather([Call("echo", {})])
        assert (result.state, result.grant) == ("refused", None)

    in_context(kernel, work)
