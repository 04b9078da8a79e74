from contextlib import asynccontextmanager

import pytest

from lamina.model import Memory
from lamina.testing import ConsolidatorSuite, failing
from lamina.testing.fakes.consolidator import BROKEN, SoundConsolidator


class FakeSuite(ConsolidatorSuite):
    strategy = "fake"
    superfluous = (Memory("m1", "the same"), Memory("m2", "another"), Memory("m3", "the same", created_s=9.0))


def opener(fake):
    @asynccontextmanager
    async def open_fake():
        yield fake()

    return open_fake


def test_a_sound_consolidator_passes_its_suite():
    assert failing(FakeSuite, open_consolidator=opener(SoundConsolidator)) == set()


@pytest.mark.parametrize("fake", BROKEN)
def test_a_broken_consolidator_fails_exactly_the_tests_named_for_it(fake):
    assert failing(FakeSuite, open_consolidator=opener(fake)) == fake.fails


def test_every_test_of_the_suite_is_failed_by_some_fake():
    tests = {name for name in dir(ConsolidatorSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN)) == tests
