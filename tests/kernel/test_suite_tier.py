from contextlib import asynccontextmanager

import pytest

from lamina.testing import TierSuite, failing
from lamina.testing.fakes.tier import BROKEN, SoundTier


class FakeSuite(TierSuite):
    strategy = "fake"


def opener(fake):
    @asynccontextmanager
    async def open_fake():
        yield fake()

    return open_fake


def test_a_sound_tier_passes_its_suite():
    assert failing(FakeSuite, open_tier=opener(SoundTier)) == set()


@pytest.mark.parametrize("fake", BROKEN)
def test_a_broken_tier_fails_exactly_the_tests_named_for_it(fake):
    assert failing(FakeSuite, open_tier=opener(fake)) == fake.fails


def test_every_test_of_the_suite_is_failed_by_some_fake():
    tests = {name for name in dir(TierSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN)) == tests
