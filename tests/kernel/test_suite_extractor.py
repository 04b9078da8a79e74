from contextlib import asynccontextmanager

import pytest

from lamina.model import user
from lamina.testing import ExtractorSuite, failing
from lamina.testing.fakes.extractor import BROKEN, SoundExtractor


class FakeSuite(ExtractorSuite):
    strategy = "fake"
    telling = (user("Always use tabs."), user("Is it raining?"))


def opener(fake):
    @asynccontextmanager
    async def open_fake():
        yield fake()

    return open_fake


def test_a_sound_extractor_passes_its_suite():
    assert failing(FakeSuite, open_extractor=opener(SoundExtractor)) == set()


@pytest.mark.parametrize("fake", BROKEN)
def test_a_broken_extractor_fails_exactly_the_tests_named_for_it(fake):
    assert failing(FakeSuite, open_extractor=opener(fake)) == fake.fails


def test_every_test_of_the_suite_is_failed_by_some_fake():
    tests = {name for name in dir(ExtractorSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN)) == tests
