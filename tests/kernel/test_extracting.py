"""Extractors look at conversations that rest, each piece once, and what they draw is remembered with its source."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

import lamina
from lamina.errors import ContractError
from lamina.hookspecs import hookimpl


def run(work):
    return asyncio.run(work())


class Power(BaseException):
    """The process ends here."""


class Always:
    """Draws what people want always."""

    def __init__(self):
        self.shown, self.fail = [], None

    async def extract(self, request):
        self.shown += [page.id for page in request.pages]
        if self.fail:
            raise self.fail
        return [
            lamina.Draft(f"wish: {passage.text}", provenance=[f"{request.session}#{page.id}"], kind="procedural")
            for page in request.pages
            for passage in request.passages(page)
            if "always" in passage.text
        ]


class Drawing:
    def __init__(self, kernel, part):
        self.kernel, self.part = kernel, part
        self.stores = {"storage": kernel.DictStorage(), "index": kernel.WordIndex()}

    @hookimpl
    def register_extractor(self, register):
        @asynccontextmanager
        async def opener(settings, host):
            yield self.part

        register("always", opener, self.kernel.NoSettings)

    def __call__(self, **memory):
        return self.kernel({"memory": {"extractors": ["always"], **memory}}, self, **self.stores)


def test_what_is_drawn_from_a_closed_session_is_remembered_with_its_page(kernel):
    async def work():
        async with Drawing(kernel, Always())() as ctx:
            s = await ctx.session("s")
            await s.add(lamina.user("hello"), lamina.user("use tabs always"), lamina.assistant("as always"))
            assert (await ctx.consolidate()).extracted == 0
            await s.close()
            assert (await ctx.consolidate()).extracted == 1
            (hit,) = [hit for hit in await ctx.recall("wish:", use=False) if hit.page is None]
            memory = hit.memory
            assert (memory.text, memory.kind) == ("wish: use tabs always", "procedural")
            assert (memory.provenance, memory.thread) == (("s#2",), "s")
            assert (await ctx.consolidate()).extracted == 0

    run(work)


def test_a_session_that_goes_on_is_looked_at_from_there(kernel):
    part = Always()

    async def work():
        async with Drawing(kernel, part)(extract_after_s=0) as ctx:
            s = await ctx.session("s")
            await s.add(lamina.user("always one"))
            await ctx.consolidate()
            await s.add(lamina.user("always two"))
            await ctx.consolidate()
            assert part.shown == [1, 2]
            assert {h.memory.text async for h in ctx.memories() if h.page is None} == {
                "wish: always one",
                "wish: always two",
            }

    run(work)


def test_after_a_crash_a_piece_is_drawn_from_again_and_nothing_is_stored_twice(kernel):
    part = Always()
    drawing = Drawing(kernel, part)

    async def work():
        async with drawing(extract_after_s=0) as ctx:
            s = await ctx.session("s")
            await s.add(*(lamina.user(f"always {n}") for n in range(450)))
            await ctx.consolidate()
            await s.add(lamina.user("always last"))
            part.fail = Power()
            with pytest.raises(Power):
                await ctx.consolidate()
        part.fail = None
        async with drawing(extract_after_s=0) as ctx:
            await ctx.consolidate()
            drawn = [h.memory.text async for h in ctx.memories() if h.page is None]
            assert len(drawn) == len(set(drawn)) == 451

    run(work)


def test_what_is_no_memory_is_refused_with_the_extractors_name(kernel):
    class Odd:
        async def extract(self, request):
            return [{"text": 7}]

    async def work():
        async with Drawing(kernel, Odd())(extract_after_s=0) as ctx:
            await (await ctx.session("s")).add(lamina.user("always"))
            with pytest.raises(ContractError, match="always: drew what is no memory: text: must be text"):
                await ctx.consolidate()

    run(work)
