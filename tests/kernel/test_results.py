"""What a call came to is logged whole, and shown within a bound."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import lamina
from lamina import Call, CallResult
from lamina._bounded import LEAST, bounded
from lamina._counting import CheckedCounter
from lamina.errors import ConfigError, FormatError, SessionStateError
from lamina.protocols import CounterInfo

few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class Words:
    """A token is a word."""

    info = CounterInfo(exact=True, bound=1.0, fingerprint="words")

    def count(self, request):
        return [len(text.split()) for text in request.texts]


class Letters(Words):
    """A token is a character."""

    def count(self, request):
        return [len(text) for text in request.texts]


class Runs(Words):
    """A token is a run of spaces or of anything else: pieces may cost more joined, and a long text nothing."""

    def count(self, request):
        return [len(re.findall(r"\s+|\S+", text)) for text in request.texts]


REMARK = re.compile(r"^\[… (\d+) tokens left out; expand 12 …\]$", re.MULTILINE)
LINES = st.lists(st.text(alphabet="ab .\n", min_size=1, max_size=40), max_size=40).map("\n".join)


@few
@given(text=LINES, limit=st.integers(LEAST, 300), counter=st.sampled_from([Words(), Letters(), Runs()]))
@example(text="x" * 5000, limit=LEAST, counter=Letters())
@example(text="x " * 5000, limit=LEAST, counter=Words())
@example(text=" " * 5000 + "x " * 500, limit=LEAST, counter=Runs())
@example(text="a\n" * 500, limit=LEAST, counter=Runs())
def test_what_is_shown_is_within_the_bound_and_is_the_texts_head_and_tail(text, limit, counter):
    count = CheckedCounter(counter, "counter")
    shown = bounded(text, 12, limit, count)
    assert count((shown,))[0] <= limit
    if count((text,))[0] <= limit:
        assert shown == text
        return
    (remark,) = REMARK.finditer(shown)
    head, tail = shown[: remark.start()].removesuffix("\n"), shown[remark.end() :].removeprefix("\n")
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + len(tail) <= len(text)
    assert int(remark[1]) == count((text,))[0] - count((head,))[0] - count((tail,))[0]


def test_the_room_is_used_by_whole_lines():
    text = "\n".join(f"line {n} of many" for n in range(1000))
    shown = bounded(text, 12, 400, CheckedCounter(Words(), "words"))
    assert 380 <= len(shown.split()) <= 400
    assert all(re.fullmatch(r"line \d+ of many", line) for line in shown.splitlines() if "expand" not in line)
    assert shown.splitlines()[0] == "line 0 of many"
    assert shown.splitlines()[-1] == "line 999 of many"


def in_session(kernel, work, **calls):
    async def go():
        async with kernel({"calls": calls}) as ctx:
            session = await ctx.session("s")
            await session.add(lamina.assistant("", lamina.ToolCall("c1", "echo", "{}")))
            return await work(ctx, session)

    return asyncio.run(go())


def test_a_large_result_is_logged_whole_and_shown_with_the_page_that_holds_it(kernel):
    text = " ".join(f"word{n}" for n in range(5000))

    async def work(ctx, session):
        result = await ctx.tools.call(Call("echo", {"text": text}, id="c1"))
        shown = await session.add_result(result)
        assert len(shown.split()) <= 200
        assert shown.startswith("word0 ")
        assert shown.endswith(" word4999")
        (page,) = re.findall(r"expand (\d+)", shown)
        assert (await session.expand(int(page)))[0].messages[1].results[0].text == text

    in_session(kernel, work, result_tokens=200)


def test_a_small_result_is_shown_as_it_is_and_an_error_stays_one(kernel):
    async def work(ctx, session):
        assert await session.add_result(CallResult(Call("echo", id="c1"), "no disk", error=True)) == "no disk"
        return session.page(1).messages[1].results[0].error

    assert in_session(kernel, work)


def test_a_result_without_its_call_is_refused_and_so_is_one_of_a_closed_session(kernel):
    async def work(ctx, session):
        with pytest.raises(FormatError, match="answers no call"):
            await session.add_result(CallResult(Call("echo", id="other"), "x"))
        await session.close()
        with pytest.raises(SessionStateError):
            await session.add_result(CallResult(Call("echo", id="c1"), "x"))

    in_session(kernel, work)


def test_a_bound_that_leaves_no_room_is_refused(kernel):
    with pytest.raises(ConfigError, match=r"calls\.result_tokens: 99 must be >= 100"):
        in_session(kernel, None, result_tokens=99)
