import asyncio
from contextlib import asynccontextmanager

import pytest

from lamina.testing import ToolSourceSuite, ToolSuite, failing
from lamina.testing.fakes.tool import BROKEN, BROKEN_SOURCES, SoundSource, SoundTool


class FakeSuite(ToolSuite):
    strategy = "fake"
    arguments = ({"text": "a\nb", "times": 2}, {"text": ""})


class FakeSourceSuite(ToolSourceSuite):
    strategy = "fake"

    async def change(self, source):
        source.change()
        return True


def opener(fake):
    @asynccontextmanager
    async def open_fake():
        yield fake()

    return open_fake


def test_a_sound_tool_passes_its_suite():
    assert failing(FakeSuite, open_tool=opener(SoundTool)) == set()


@pytest.mark.parametrize("fake", BROKEN)
def test_a_broken_tool_fails_exactly_the_tests_named_for_it(fake):
    assert failing(FakeSuite, open_tool=opener(fake)) == fake.fails


def test_every_test_of_the_suite_is_failed_by_some_fake():
    tests = {name for name in dir(ToolSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN)) == tests


def test_a_sound_source_passes_its_suite():
    assert failing(FakeSourceSuite, open_source=opener(SoundSource)) == set()
    assert asyncio.run(FakeSourceSuite().change(SoundSource()))


@pytest.mark.parametrize("fake", BROKEN_SOURCES)
def test_a_broken_source_fails_exactly_the_tests_named_for_it(fake):
    assert failing(FakeSourceSuite, open_source=opener(fake)) == fake.fails


def test_every_test_of_the_source_suite_is_failed_by_some_fake():
    tests = {name for name in dir(ToolSourceSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN_SOURCES)) == tests
