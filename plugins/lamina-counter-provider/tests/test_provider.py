import asyncio
import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import ConfigError
from lamina.model import Image
from lamina.protocols import CounterInfo, CountRequest, ImagesRequest, RequestCounter, ToolSpec, ToolsRequest
from lamina.testing import LoneHost
from lamina_counter_provider import AnthropicSettings, OpenaiSettings, open_anthropic, open_openai
from lamina_counter_provider import _anthropic as anthropic
from lamina_counter_provider import _openai as openai

WEATHER = ToolSpec(
    "get_current_weather",
    "Get the current weather in a given location",
    {
        "type": "object",
        "properties": {
            "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
            "unit": {
                "type": "string",
                "description": "The unit of temperature to return",
                "enum": ["celsius", "fahrenheit"],
            },
        },
        "required": ["location"],
    },
)
O200K = {
    "get_current_weather:Get the current weather in a given location": 11,
    "location:string:The city and state, e.g. San Francisco, CA": 14,
    "unit:string:The unit of temperature to return": 8,
    "celsius": 2,
    "fahrenheit": 2,
    "You are a helpful assistant that can answer to questions about the weather.": 14,
    "What's the weather like in San Francisco?": 8,
}
"""What tiktoken counts in the texts of OpenAI's example."""
sides = st.integers(1, 9000)


class Recorded:
    """Counts the texts of the example as o200k_base (or cl100k_base) does, and others by their length."""

    info = CounterInfo(exact=True, bound=1.0, fingerprint="recorded")

    def __init__(self, more=None):
        self._counts = O200K | (more or {})

    def count(self, request):
        return [self._counts.get(text, len(text)) for text in request.texts]


def opened(opener, settings, texts=None, name="lone"):
    async def go():
        host = LoneHost("/nowhere", name=name, parts={("counter", "texts"): texts or Recorded()})
        async with opener(settings, host) as counter:
            return counter

    return asyncio.run(go())


def gpt(model="gpt-4o", texts=None, detail="high"):
    return opened(open_openai, OpenaiSettings("texts", model, detail), texts)


def claude(model="claude-sonnet-4-5", tool_choice="auto"):
    return opened(open_anthropic, AnthropicSettings("texts", model, tool_choice))


def png(width, height):
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(5)
    return Image("image/png", base64.b64encode(head).decode())


@pytest.mark.parametrize("counter", [gpt(), claude()], ids=["openai", "anthropic"])
def test_they_are_counters_of_requests(counter):
    assert isinstance(counter, RequestCounter)


class TestOpenai:
    # What OpenAI's API reported for the example of the notebook.
    @pytest.mark.parametrize(
        ("model", "more", "reported"),
        [
            ("gpt-4o", {}, 101),
            ("gpt-4o-mini-2024-07-18", {}, 101),
            ("gpt-4", {"What's the weather like in San Francisco?": 9}, 105),
        ],
    )
    def test_the_example_of_the_notebook_counts_as_the_provider_reported(self, model, more, reported):
        counter = gpt(model, Recorded(more))
        said = list(O200K)[-2:]
        messages = sum(n + counter.info.message_tokens for n in counter.count(CountRequest(texts=said)))
        assert messages + counter.info.request_tokens + counter.tools(ToolsRequest(tools=[WEATHER])) == reported

    def test_what_the_notebook_does_not_know_is_counted_as_json(self):
        parameters = {"type": "object", "properties": {"ids": {"type": "array", "items": {"type": "integer"}}}}
        inner = '{"items": {"type": "integer"}}'
        plain = {"type": "object", "properties": {"ids": {"type": "array"}}}
        counts = [gpt().tools(ToolsRequest(tools=[ToolSpec("t", "", p)])) for p in (parameters, plain)]
        assert counts[0] - counts[1] == len(inner)

    @pytest.mark.parametrize(
        "parameters", [{}, {"properties": None}, {"properties": {"a": True, "b": {"type": ["x"]}}}]
    )
    def test_any_schema_is_counted(self, parameters):
        assert gpt().tools(ToolsRequest(tools=[ToolSpec("t", "does it.", parameters)])) > 12

    @pytest.mark.parametrize(
        ("model", "extent", "tokens"),
        [
            ("gpt-4o", (1024, 1024), 765),
            ("gpt-4o", (2048, 4096), 1105),
            ("gpt-4o", (500, 500), 255),
            ("gpt-5", (1024, 1024), 630),
            ("gpt-4o-mini", (1024, 1024), 25_501),
            ("o4-mini", (1024, 1024), 1762),
            ("gpt-4.1-mini", (4000, 1474), 2489),
        ],
    )
    def test_images_count_as_documented_and_charged(self, model, extent, tokens):
        assert openai.image_tokens(openai.MODELS[model], extent) == tokens

    def test_an_image_that_is_scaled_down_to_patches_costs_little_more_than_documented(self):
        """The guide's example has 1,452 patches."""
        assert 1452 * 1.62 <= openai.image_tokens(openai.MODELS["gpt-4.1-mini"], (1800, 2400)) <= 1452 * 1.62 * 1.06

    def test_in_low_detail_only_the_base_is_charged(self):
        assert gpt(detail="low").images(ImagesRequest(images=[png(4000, 3000)])) == [85]
        assert gpt(detail="low").info.image_tokens == 85

    @pytest.mark.parametrize("model", openai.MODELS.values(), ids=lambda model: model.name)
    @given(extent=st.tuples(sides, sides))
    def test_no_image_costs_more_than_one_of_unknown_size(self, model, extent):
        assert 0 < openai.image_tokens(model, extent) <= openai.image_tokens(model, None)

    @pytest.mark.parametrize("model", openai.MODELS.values(), ids=lambda model: model.name)
    @given(extent=st.tuples(sides, sides))
    def test_an_image_and_the_same_turned_cost_the_same(self, model, extent):
        assert openai.image_tokens(model, extent) == openai.image_tokens(model, extent[::-1])


class TestAnthropic:
    @pytest.mark.parametrize(
        ("extent", "tokens"),
        [
            ((256, 256), 100),
            ((512, 512), 361),
            ((768, 768), 784),
            ((1024, 1024), 1369),
            ((1280, 720), 1196),
            ((1920, 1080), 1560),
        ],
    )
    def test_images_count_as_reported(self, extent, tokens):
        assert anthropic.image_tokens(anthropic.MODELS["claude-sonnet-4-5"], extent) == tokens

    def test_models_of_high_resolution_take_more(self):
        assert anthropic.image_tokens(anthropic.MODELS["claude-opus-4-7"], (1920, 1080)) == 69 * 39

    @pytest.mark.parametrize("model", anthropic.MODELS.values(), ids=lambda model: model.name)
    @given(extent=st.tuples(sides, sides))
    def test_no_image_costs_more_than_the_model_takes(self, model, extent):
        assert 0 < anthropic.image_tokens(model, extent) <= model.most

    @given(st.tuples(sides, sides))
    def test_the_older_formula_gives_about_the_same(self, extent):
        """Width times height by 750, for images that are neither scaled down nor of a few pixels."""
        width, height = extent[0] % 800 + 200, extent[1] % 800 + 200
        count = anthropic.image_tokens(anthropic.MODELS["claude-sonnet-4-5"], (width, height))
        assert 0.93 * width * height / 750 <= count <= 1.25 * width * height / 750

    def test_tools_cost_the_prompt_and_their_definitions(self):
        one = claude().tools(ToolsRequest(tools=[WEATHER]))
        two = claude().tools(ToolsRequest(tools=[WEATHER, WEATHER]))
        assert one - 496 == two - one > 300  # by its length in characters

    def test_a_forced_use_has_another_prompt(self):
        free, forced = (claude(tool_choice=c).tools(ToolsRequest(tools=[WEATHER])) for c in ("auto", "any"))
        assert forced - free == 588 - 496


class TestModels:
    @pytest.mark.parametrize("name", ["gpt-4o", "gpt-4o-2024-08-06", "gpt-4.1-mini-2025-04-14", "o3"])
    def test_a_date_may_follow(self, name):
        assert name.startswith(openai.model_of(name, "c").name)

    @pytest.mark.parametrize(
        "name", ["claude-sonnet-4-20250514", "claude-3-5-haiku-latest", "claude-opus-4-1@20250805"]
    )
    def test_a_date_may_follow_in_its_other_forms(self, name):
        assert name.startswith(anthropic.model_of(name, "c").name)

    def test_a_version_may_not(self):
        with pytest.raises(ConfigError, match="no rule is known for 'claude-opus-4-9'") as error:
            opened(open_anthropic, AnthropicSettings("texts", "claude-opus-4-9"), name="mine")
        assert "counters.mine.model" in str(error.value)
        assert "claude-opus-4-8" in str(error.value)

    @pytest.mark.parametrize("name", ["gpt-9", "gpt-4o-mini-high", "gpt-5.1", "", "claude"])
    def test_an_unknown_one_is_refused(self, name):
        with pytest.raises(ConfigError, match="no rule is known"):
            gpt(name)

    def test_each_rule_has_a_fingerprint_of_its_own(self):
        made = [gpt("gpt-4o"), gpt("gpt-4.1-mini"), gpt("gpt-4o", detail="low"), claude(), claude(tool_choice="any")]
        assert len({counter.info.fingerprint for counter in made}) == len(made)
        assert all("recorded" in counter.info.fingerprint for counter in made)


def test_an_image_of_unknown_size_costs_the_most():
    link = Image("url", "https://example.org/a.png")
    assert gpt().images(ImagesRequest(images=[link, png(100, 100)])) == [1445, 255]
    assert claude().images(ImagesRequest(images=[link, png(100, 100)])) == [1568, 16]
