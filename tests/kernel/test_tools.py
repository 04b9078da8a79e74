"""Tools: registry, schemas, grants, many calls at once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from lamina import Call
from lamina.errors import ArgumentsError, CallTimeoutError, DeniedError, ToolError, UnknownToolError
from lamina.hookspecs import hookimpl
from lamina.outputs import output_of
from lamina.protocols import Decision, ExecutorCapability, ToolSpec


def in_context(kernel, work, settings=None, *plugins):
    async def go():
        async with kernel(settings, *plugins) as ctx:
            return await work(ctx)

    return asyncio.run(go())


def made(name, run, **schema):
    class Made:
        spec = ToolSpec(name, "made", {"type": "object", **schema})

        async def run(self, request):
            return output_of(await run(request.call))

    return Made()


def test_a_call_gives_the_tools_text(kernel):
    async def work(ctx):
        result = await ctx.tools.call(Call("echo", {"text": "hi"}, id="7"))
        assert (result.text, result.error, result.call.id) == ("hi", False, "7")
        assert result.elapsed_s >= 0
        assert [s.name for s in ctx.tools.specs()] == ["echo"]

    in_context(kernel, work)


def test_arguments_that_do_not_fit_are_all_named_with_their_path(kernel):
    async def work(ctx):
        with pytest.raises(ArgumentsError) as caught:
            await ctx.tools.call(Call("echo", {"text": 5, "more": 1}))
        assert len(caught.value.faults) == 2
        assert any(f.startswith("text: 5 is not of type") for f in caught.value.faults)

    in_context(kernel, work)


def test_an_unknown_tool_lists_the_known_ones(kernel):
    async def work(ctx):
        with pytest.raises(UnknownToolError, match="no tool named 'ecko'; registered: echo"):
            await ctx.tools.call(Call("ecko"))

    in_context(kernel, work)


def test_what_a_tool_raises_is_a_result_that_the_model_reads(kernel):
    async def boom(request):
        raise RuntimeError("no disk")

    class Number:
        spec = ToolSpec("number", "made", {"type": "object"})

        async def run(self, request):
            return 5

    async def work(ctx):
        ctx.tools.register(made("boom", boom))
        ctx.tools.register(Number())
        result = await ctx.tools.call(Call("boom"))
        assert (result.error, result.state, result.text) == (True, "failed", "RuntimeError: no disk")
        assert "returned int, not an Output" in (await ctx.tools.call(Call("number"))).text

    in_context(kernel, work)


def test_a_call_that_takes_too_long_is_ended(kernel):
    async def forever(request):
        await asyncio.Event().wait()

    async def work(ctx):
        ctx.tools.register(made("forever", forever))
        result = await ctx.tools.call(Call("forever"))
        assert (result.error, result.state, result.text) == (
            True,
            "timed out",
            "TimedOut: forever took longer than 0.01 s",
        )

    in_context(kernel, work, {"calls": {"timeout_s": 0.01}})


def test_hundreds_of_calls_run_at_once(kernel):
    running = asyncio.Barrier(300)

    async def meet(request):
        await running.wait()  # passes only when all of them are inside
        return str(request.arguments["n"])

    async def work(ctx):
        ctx.tools.register(made("meet", meet))
        results = await ctx.tools.gather([Call("meet", {"n": n}) for n in range(300)])
        assert [r.text for r in results] == [str(n) for n in range(300)]

    in_context(kernel, work)


def test_refused_calls_among_many_are_results_too(kernel):
    async def work(ctx):
        good, bad = await ctx.tools.gather([Call("echo", {"text": "x"}), Call("nope")])
        assert (good.text, bad.error) == ("x", True)
        assert "no tool named 'nope'" in bad.text

    in_context(kernel, work)


class Saying:
    """Grants that give every call the same answer, and hide what they deny."""

    def __init__(self, kernel, answer):
        self.settings, self.answer = kernel.NoSettings, answer

    async def decide(self, request):
        return Decision(self.answer, "all", "because")

    def hides(self, spec):
        return self.answer == "deny"

    @hookimpl
    def register_grants(self, register):
        @asynccontextmanager
        async def opener(settings, host):
            yield self

        register("saying", opener, self.settings)


BY_GRANTS = {"calls": {"grants": "saying"}}


def test_grants_deny_and_ask(kernel):
    class Guard:
        @hookimpl
        def authorize(self, call):
            return call.arguments["text"] == "please"

    async def denied(ctx):
        assert ctx.tools.specs() == []
        with pytest.raises(DeniedError, match=r"denied: because \(rule: all\)"):
            await ctx.tools.call(Call("echo", {"text": "x"}))

    async def asked(ctx):
        assert (await ctx.tools.call(Call("echo", {"text": "please"}))).text == "please"
        with pytest.raises(DeniedError, match="the authorize hook of dist-2 said False"):
            await ctx.tools.call(Call("echo", {"text": "now"}))

    in_context(kernel, denied, BY_GRANTS, Saying(kernel, "deny"))
    in_context(kernel, asked, BY_GRANTS, Saying(kernel, "ask"), Guard())
    with pytest.raises(DeniedError, match="no authorize hook allowed it"):
        in_context(kernel, asked, BY_GRANTS, Saying(kernel, "ask"))


class Deciding:
    """Says the same of every call, or raises it."""

    def __init__(self, decision):
        self.decision = decision

    @hookimpl
    def authorize(self, call):
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision


@pytest.mark.parametrize(
    ("decisions", "allowed"),
    [
        ([None], False),
        ([True], True),
        ([True, None], True),
        ([True, False], False),
        ([True, "yes"], False),
        ([True, RuntimeError("no policy file")], False),
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_a_call_is_allowed_where_one_hook_says_so_and_no_other_objects_in_any_order(kernel, decisions, allowed, turn):
    async def work(ctx):
        (result,) = await ctx.tools.gather([Call("echo", {"text": "x"})])
        assert result.error is not allowed

    hooks = [Deciding(decision) for decision in decisions][::turn]
    in_context(kernel, work, BY_GRANTS, Saying(kernel, "ask"), *hooks)


def test_a_hook_that_raises_denies_its_call_alone_and_is_named(kernel):
    class Guard:
        @hookimpl
        def authorize(self, call):
            if call.arguments["text"] == "bad":
                raise OSError("no policy file")
            return True

    async def work(ctx):
        good, bad = await ctx.tools.gather([Call("echo", {"text": "good"}), Call("echo", {"text": "bad"})])
        assert (good.text, good.error) == ("good", False)
        assert bad.error
        assert "the authorize hook of dist-2 failed: OSError: no policy file" in bad.text

    in_context(kernel, work, BY_GRANTS, Saying(kernel, "ask"), Guard())


def test_a_schema_that_is_none_refuses_its_tools_calls_alone(kernel):
    async def never(request):
        raise AssertionError

    async def work(ctx):
        ctx.tools.register(made("lost", never, properties={"a": {"$ref": "#/nowhere"}}))
        good, bad = await ctx.tools.gather([Call("echo", {"text": "x"}), Call("lost", {"a": 1})])
        assert (good.text, bad.error) == ("x", True)
        assert "schema of 'lost': parameters.properties.a.$ref: '#/nowhere' leads nowhere" in bad.text

    in_context(kernel, work)


@pytest.mark.parametrize(
    ("own", "text"),
    [
        (TimeoutError("the server did not answer"), "TimeoutError: the server did not answer"),
        (TimeoutError(), "TimeoutError"),
    ],
)
@pytest.mark.parametrize("executor", [False, True])
def test_a_tools_own_time_out_is_told_in_its_own_words(kernel, own, text, executor):
    async def fails(request):
        raise own

    async def work(ctx):
        ctx.tools.register(made("fails", fails))
        result = await ctx.tools.call(Call("fails"))
        assert (result.error, result.text) == (True, text)

    settings = {"calls": {"executor": "timed"}} if executor else {}
    in_context(kernel, work, settings, TimedExecutors(kernel))


class TimedExecutors:
    """Offers an executor that ends what takes too long."""

    capabilities = frozenset({ExecutorCapability.LOCAL, ExecutorCapability.TIMEOUT})
    limit = blocking_limit = None

    def __init__(self, kernel):
        self.settings = kernel.NoSettings

    async def execute(self, request):
        try:
            async with asyncio.timeout(request.timeout_s) as time:
                return await request.local(request.run)
        except TimeoutError:
            if time.expired():
                raise CallTimeoutError("too long") from None
            raise

    @hookimpl
    def register_executor(self, register):
        @asynccontextmanager
        async def opener(settings, host):
            yield self

        register("timed", opener, self.settings)


def test_a_call_that_takes_too_long_for_its_executor_is_told_so(kernel):
    async def forever(request):
        await asyncio.Event().wait()

    async def work(ctx):
        ctx.tools.register(made("forever", forever))
        assert (await ctx.tools.call(Call("forever"))).text == "TimedOut: forever took longer than 0.01 s"

    in_context(kernel, work, {"calls": {"timeout_s": 0.01, "executor": "timed"}}, TimedExecutors(kernel))


def test_a_tool_that_waits_for_what_was_cancelled_fails_alone(kernel):
    async def waits(request):
        waiting = asyncio.ensure_future(asyncio.Event().wait())
        waiting.cancel()
        await waiting

    async def work(ctx):
        ctx.tools.register(made("waits", waits))
        good, bad = await ctx.tools.gather([Call("echo", {"text": "x"}), Call("waits")])
        assert (good.text, bad.error) == ("x", True)
        assert "was cancelled" in bad.text

    in_context(kernel, work)


def test_who_cancels_a_call_is_not_answered_by_a_result(kernel):
    started = asyncio.Event()

    async def forever(request):
        started.set()
        await asyncio.Event().wait()

    async def work(ctx):
        ctx.tools.register(made("forever", forever))
        task = asyncio.ensure_future(ctx.tools.call(Call("forever")))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_context(kernel, work)


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "a.b", "ü"])
def test_names_that_providers_refuse_are_refused(kernel, name):
    async def work(ctx):
        with pytest.raises(ToolError, match="only letters, digits"):
            ctx.tools.register(made(name, None))
        with pytest.raises(ToolError, match="registered already"):
            ctx.tools.register(made("echo", None))

    in_context(kernel, work)


def test_finished_calls_are_told_to_observers(kernel):
    told = []

    class Observer:
        @hookimpl
        def call_finished(self, result):
            told.append(result.text)

    async def work(ctx):
        await ctx.tools.call(Call("echo", {"text": "x"}))

    in_context(kernel, work, {}, Observer())
    assert told == ["x"]
