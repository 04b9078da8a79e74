import asyncio
import random
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lamina
from lamina.model import Memory
from lamina.testing import ConsolidatorSuite, LoneHost
from lamina_consolidator_duplicates import DuplicatesSettings, open_duplicates
from lamina_consolidator_duplicates._signatures import bands, likeness, triples
from lamina_storage_memory import MemorySettings, open_memory

SAID = "The staging database of the billing team listens on port 8417 since last week"


class TestDuplicates(ConsolidatorSuite):
    strategy = "duplicates"
    superfluous = (Memory("m1", SAID, created_s=1.0), Memory("m2", SAID + ".", created_s=2.0))

    @pytest.fixture
    def open_consolidator(self, tmp_path):
        @asynccontextmanager
        async def opened():
            async with open_memory(MemorySettings(), LoneHost(tmp_path)) as storage:
                host = LoneHost(tmp_path, parts={("storage", "main"): storage})
                async with open_duplicates(DuplicatesSettings(), host) as part:
                    yield part

        return opened


def text_of(rng, words=40):
    return [f"w{rng.randrange(3000)}" for _ in range(words)]


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6), changed=st.integers(0, 40))
def test_texts_of_great_likeness_meet_and_strangers_do_not(seed, changed):
    rng = random.Random(seed)
    one = text_of(rng)
    other = list(one)
    for at in rng.sample(range(40), changed):
        other[at] = f"x{rng.randrange(3000)}"
    a, b = triples(" ".join(one)), triples(" ".join(other))
    met = bool(set(bands(a)) & set(bands(b)))
    if likeness(a, b) >= 0.85:
        assert met
    if likeness(a, b) == 0:
        assert not met


def test_planted_near_duplicates_are_merged_and_nothing_else(tmp_path):
    rng = random.Random(7)
    texts = [text_of(rng) for _ in range(400)]
    planted = []
    for text in rng.sample(texts, 100):
        at = rng.choice((0, len(text) - 1))
        planted.append([*text[:at], f"y{rng.randrange(3000)}", *text[at + 1 :]])

    async def work():
        settings = {"home": str(tmp_path), "memory": {"consolidators": ["duplicates"]}}
        async with lamina.open(settings=settings, environ={}) as ctx:
            first = await ctx.remember_many([{"text": " ".join(text)} for text in texts])
            second = await ctx.remember_many([{"text": " ".join(text)} for text in planted])
            superseded = {old: by for old, by, _ in (await ctx.consolidate()).superseded}
            assert set(superseded.values()) == {memory.id for memory in second}
            assert superseded.keys() <= {memory.id for memory in first}
            assert len(superseded) == 100
            assert sum((await ctx.tier_counts()).values()) == 500

    asyncio.run(work())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"text": SAID, "author": "ann"}, {"text": SAID, "author": "bob"}),
        ({"text": SAID, "kind": "episodic"}, {"text": SAID, "kind": "semantic", "thread": "t"}),
        ({"text": "thank you so", "thread": "a"}, {"text": "thank you so", "thread": "b"}),
        ({"text": SAID}, {"text": SAID.replace("staging", "live").replace("billing", "mail")}),
        ({"text": SAID * 3}, {"text": (SAID * 3).replace("8417", "8418", 1)}),
    ],
)
def test_what_differs_in_what_counts_stands(tmp_path, one, other):
    async def work():
        settings = {"home": str(tmp_path), "memory": {"consolidators": ["duplicates"]}}
        async with lamina.open(settings=settings, environ={}) as ctx:
            await ctx.remember_many([one, other])
            assert (await ctx.consolidate()).superseded == ()

    asyncio.run(work())
