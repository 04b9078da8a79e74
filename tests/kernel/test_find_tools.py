"""Finding tools by need: words in names, tags, descriptions and parameters."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.protocols import Effects, ToolSpec
from lamina.tools._search import Search, stem, words


def spec(name, description="", tags=(), **properties):
    return ToolSpec(name, description, {"type": "object", "properties": properties}, tuple(tags))


TOOLS = [
    spec("getWeatherByCity", "Current conditions.", city={"type": "string", "description": "Where."}),
    spec("send_email", "Send a message to people.", to={"type": "string"}),
    spec("HTTPFetch2", "Load a page.", ["web"], url={"type": "string"}),
    spec(
        "plan_route",
        "Plans a way.",
        stops={"type": "array", "items": {"properties": {"airport": {"description": "IATA"}}}},
    ),
    spec("convert", "Convert money.", unit={"enum": ["dollar", "euro"]}),
]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("what's the weather in Rome?", "getWeatherByCity"),
        ("I need to email my boss", "send_email"),
        ("sending messages", "send_email"),
        ("http", "HTTPFetch2"),
        ("web", "HTTPFetch2"),
        ("planning routes", "plan_route"),
        ("from which airport", "plan_route"),
        ("euros", "convert"),
        ("getweatherbycity", "getWeatherByCity"),
    ],
)
def test_a_need_is_met_by_any_of_its_words(query, name):
    assert Search(TOOLS).find(query, 1)[0].spec.name == name


def test_what_nothing_is_said_about_finds_nothing():
    assert Search(TOOLS).find("the of and", 5) == []
    assert Search(TOOLS).find("", 5) == []
    assert Search([]).find("weather", 5) == []


def test_a_name_says_more_than_a_parameter():
    search = Search([spec("other", "x", invoice={"description": "invoice"}), spec("invoice", "x")])
    assert [found.spec.name for found in search.find("invoice", 5)] == ["invoice", "other"]


@given(query=st.text(max_size=60), names=st.lists(st.text("abCD_1é", min_size=1, max_size=8), unique=True, max_size=6))
def test_any_text_finds_in_an_order_that_depends_on_nothing_else(query, names):
    specs = [spec(name, name * 2) for name in names]
    found = Search(specs).find(query, 10)
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)
    assert {f.spec.name for f in Search(specs[::-1]).find(query, 10)} == {f.spec.name for f in found}


def test_words_are_taken_apart_and_brought_to_a_stem():
    assert list(words("getHTTPResponseCode2XX")) == ["http", "respons", "cod", "2", "xx", "gethttpresponsecode2xx"]
    assert {stem(w) for w in ("convert", "converts", "converted", "converting", "converter")} == {"convert"}
    assert stem("planning") == stem("plans") == "plan"
    assert stem("calling") == stem("calls")
    assert (stem("class"), stem("gas"), stem("größen")) == ("class", "gas", "größen")


def test_a_context_finds_among_its_tools_but_not_what_is_denied(kernel):
    class Made:
        def __init__(self, spec):
            self.spec = spec

        async def run(self, request):
            raise AssertionError

    async def go():
        async with kernel() as ctx:
            for tool in TOOLS:
                ctx.tools.register(Made(tool))
            wipe = ToolSpec("wipe_email", "Delete a message.", {"type": "object"}, effects=Effects(destructive=True))
            ctx.tools.register(Made(wipe))
            assert [f.spec.name for f in ctx.tools.find_tools("email message", 2)] == ["send_email"]
            ctx.tools.unregister("send_email")
            assert ctx.tools.find_tools("email message") == []

    asyncio.run(go())


def test_a_search_among_a_thousand_tools_takes_no_time():
    search = Search([spec(f"tool_{n}_{n % 7}", f"does {n % 50} things with part {n % 90}") for n in range(1000)])
    began = time.process_time()
    for _ in range(20):
        search.find("what does things with part 7 of tool 12", 5)
    assert (time.process_time() - began) / 20 < 0.05
