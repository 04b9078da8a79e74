"""What is sent beside texts counts: images by their size, tools, and the frame of the request."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve

import lamina
from lamina._counting import CheckedCounter, tool_text
from lamina.errors import BudgetError, ContractError
from lamina.model import Image, Message, Text, ToolResult
from lamina.protocols import Counter, CounterInfo, RequestCounter, ToolSpec

TOOLS = [ToolSpec("find", "find a thing", {"type": "object"}), ToolSpec("read", "", {"type": "object"})]


class Words:
    """A token is a word, an image costs 100."""

    info = CounterInfo(exact=True, bound=1.0, fingerprint="words", image_tokens=100)

    def count(self, request):
        return [len(text.split()) for text in request.texts]


class Provider(Words):
    """Charges an image by the length of its data, 50 for each tool and 7 for having any, 5 for each request."""

    info = evolve(Words.info, fingerprint="provider", request_tokens=5)
    broken = None

    def images(self, request):
        return self.broken or [len(image.data) for image in request.images]

    def tools(self, request):
        return self.broken or 7 + 50 * len(request.tools)


@pytest.fixture
def counted(kernel):
    """Runs work in a session whose counter is the given one."""

    def run(counter, work):
        async def go():
            async with kernel() as ctx:
                ctx._shared.parts.count.__init__(counter, "counter")
                return await work(ctx, await ctx.session("s"))

        return asyncio.run(go())

    return run


def test_a_counter_of_requests_is_told_from_one_of_texts():
    assert isinstance(Provider(), RequestCounter)
    assert isinstance(Words(), Counter)
    assert not isinstance(Words(), RequestCounter)


class TestImages:
    message = Message("user", (Text("look at this"), Image("image/png", "x" * 30)))

    def tokens(self, counted, counter):
        async def work(ctx, s):
            await s.add(self.message)
            return s.pages[0].part_tokens

        return counted(counter, work)

    def test_without_a_provider_they_have_a_flat_price(self, counted):
        assert self.tokens(counted, Words()) == ((3, 100),)

    def test_a_provider_counts_each(self, counted):
        assert self.tokens(counted, Provider()) == ((3, 30),)

    def test_those_of_a_result_count_with_it(self, counted):
        async def work(ctx, s):
            await s.add(lamina.user("go"), lamina.assistant("", lamina.ToolCall("a", "shot", "{}")))
            images = (Image("image/png", "x" * 30), Image("image/png", "y" * 12))
            await s.add(Message("tool", (ToolResult("a", "two images", images=images),)))
            return s.pages[1].part_tokens

        assert counted(Provider(), work)[1] == (2 + 30 + 12,)


class TestTools:
    def window(self, counted, counter, budget, tools=TOOLS, n=3):
        async def work(ctx, s):
            await s.add(*(lamina.user(f"message {i} of some words") for i in range(n)))
            return await s.window(budget, tools=tools)

        return counted(counter, work)

    def test_they_and_the_request_count_in_the_window(self, counted):
        window = self.window(counted, Provider(), 300)
        assert window.beside == 5 + 7 + 2 * 50
        assert window.tokens == window.beside + sum(row.tokens_after for row in window.ledger.rows)

    def test_without_a_provider_they_cost_their_json_text(self, counted):
        window = self.window(counted, Words(), 300)
        assert window.beside == sum(len(tool_text(tool).split()) + 4 for tool in TOOLS)

    def test_without_tools_nothing_stands_beside_the_messages(self, counted):
        assert self.window(counted, Words(), 300, tools=()).beside == 0

    def test_the_budget_covers_them(self, counted):
        window = self.window(counted, Provider(), 200, n=40)
        assert window.compacted
        assert window.tokens <= window.budget == 200

    def test_a_budget_that_only_they_need_is_refused(self, counted):
        with pytest.raises(BudgetError, match="budget of 112 tokens: the 2 tools"):
            self.window(counted, Provider(), 112)

    def test_what_the_messages_need_is_said_with_them(self, counted):
        async def work(ctx, s):
            await s.add(lamina.system("word " * 80), lamina.user("go"))
            await s.window(150, tools=TOOLS)

        with pytest.raises(BudgetError) as error:
            counted(Provider(), work)
        assert error.value.budget == 150
        assert error.value.needed > 5 + 7 + 100 + 80

    def test_the_same_tools_again_are_no_compaction(self, counted):
        async def work(ctx, s):
            await s.add(*(lamina.user(f"message {i} of some words") for i in range(40)))
            first = await s.window(200, tools=TOOLS)
            await s.add(lamina.user("one more"))
            return first, await s.window(200, tools=TOOLS)

        first, second = counted(Provider(), work)
        assert (first.compacted, second.compacted) == (True, False)


@pytest.mark.parametrize("broken", [[-1], [1, 2], ["x"], [1.0], [True]])
def test_impossible_counts_of_images_are_refused(broken):
    counter = Provider()
    counter.broken = broken
    with pytest.raises(ContractError, match="the counter gave"):
        CheckedCounter(counter, "bad").images([Image("image/png", "xx")])


@pytest.mark.parametrize("broken", [-1, "x", 1.0, True])
def test_impossible_counts_of_tools_are_refused(broken):
    counter = Provider()
    counter.broken = broken
    with pytest.raises(ContractError, match="impossible count"):
        CheckedCounter(counter, "bad").tools(TOOLS)


def test_a_counter_that_fails_on_tools_is_named():
    counter = Provider()
    counter.tools = {}.__getitem__
    with pytest.raises(ContractError, match="bad.*failed"):
        CheckedCounter(counter, "bad").tools(TOOLS)
