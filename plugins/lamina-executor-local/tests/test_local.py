"""Threads for tools that block: as many as are said, each with its call's context, none left."""

import asyncio
import contextvars
import threading
import time

import pytest

from lamina import Call
from lamina.outputs import text_output
from lamina.protocols import ExecuteRequest, RunRequest
from lamina.testing import LoneHost
from lamina_executor_local import LocalSettings, open_local


def request(function, **arguments):
    return ExecuteRequest(RunRequest(Call("tool", arguments)), blocking=function, local=lambda r: None)


def with_executor(tmp_path, act, **settings):
    host = LoneHost(tmp_path)

    async def go():
        async with open_local(LocalSettings(**settings), host) as executor:
            return await act(executor)

    return asyncio.run(go()), host.logged


def test_two_hundred_blocking_calls_take_little_more_than_their_threads_need(tmp_path):
    def blocks(run):
        time.sleep(0.05)
        return text_output("done")

    async def act(executor):
        began = time.monotonic()
        results = await asyncio.gather(*(executor.execute(request(blocks)) for _ in range(200)))
        return [r.text for r in results], time.monotonic() - began

    (texts, took), _ = with_executor(tmp_path, act, threads=50)
    assert texts == ["done"] * 200
    assert took < 2 * 0.05 * 200 / 50 + 0.3  # the ideal is 0.2 s; the rest is for a busy machine


def test_no_more_threads_run_than_are_said_and_none_that_nobody_needs(tmp_path):
    inside, most, lock = [0], [0], threading.Lock()

    def blocks(run):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        with lock:
            inside[0] -= 1
        return text_output("done")

    async def act(executor):
        before = threading.active_count()
        for _ in range(3):
            await executor.execute(request(blocks))
        assert threading.active_count() == before + 1
        await asyncio.gather(*(executor.execute(request(blocks)) for _ in range(30)))
        assert most[0] == 4

    with_executor(tmp_path, act, threads=4)


def test_a_thread_knows_what_its_caller_knows(tmp_path):
    who = contextvars.ContextVar("who", default="nobody")

    async def act(executor):
        who.set("me")
        return (await executor.execute(request(lambda run: text_output(who.get())))).text

    assert with_executor(tmp_path, act)[0] == "me"


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("y"), StopIteration(1), SystemExit(2)])
def test_what_a_tool_raises_is_raised(tmp_path, error):
    def fails(run):
        raise error

    async def act(executor):
        with pytest.raises((type(error), RuntimeError)) as caught:
            await executor.execute(request(fails))
        assert type(error).__name__ in repr(caught.value)
        return (await executor.execute(request(lambda run: text_output("next")))).text

    assert with_executor(tmp_path, act, threads=1)[0] == "next"


def test_a_call_that_is_cancelled_before_its_thread_is_free_is_not_begun(tmp_path):
    ran, free = [], threading.Event()

    def blocks(run):
        ran.append(run.call.arguments["n"])
        free.wait(5)
        return text_output("done")

    async def act(executor):
        first = asyncio.ensure_future(executor.execute(request(blocks, n=1)))
        second = asyncio.ensure_future(executor.execute(request(blocks, n=2)))
        await asyncio.sleep(0.05)
        second.cancel()
        await asyncio.wait([second])
        free.set()
        await first
        await executor.execute(request(blocks, n=3))

    with_executor(tmp_path, act, threads=1)
    assert ran == [1, 3]


def test_a_tool_that_never_comes_back_is_logged_and_holds_up_nothing(tmp_path):
    free = threading.Event()

    def hangs(run):
        free.wait(30)
        return text_output("late")

    async def act(executor):
        hanging = asyncio.ensure_future(executor.execute(request(hangs)))
        await asyncio.sleep(0.05)
        hanging.cancel()
        await asyncio.wait([hanging])

    began = time.monotonic()
    _, logged = with_executor(tmp_path, act, close_s=0.05)
    assert time.monotonic() - began < 5
    assert [event["event"] for event in logged] == ["a tool blocks its thread and cannot be stopped"]
    free.set()
