from contextlib import asynccontextmanager

import pytest

from lamina.testing import ExecutorSuite, failing
from lamina.testing.fakes.executor import BROKEN, SoundExecutor


class FakeSuite(ExecutorSuite):
    strategy = "fake"
    concurrent = 20


def opener(fake):
    @asynccontextmanager
    async def open_fake():
        executor = fake()
        yield executor
        await executor.close()

    return open_fake


def test_a_sound_executor_passes_its_suite():
    assert failing(FakeSuite, open_executor=opener(SoundExecutor)) == set()


@pytest.mark.parametrize("fake", BROKEN)
def test_a_broken_executor_fails_exactly_the_tests_named_for_it(fake):
    assert failing(FakeSuite, open_executor=opener(fake)) == fake.fails


def test_every_test_of_the_suite_is_failed_by_some_fake():
    tests = {name for name in dir(ExecutorSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN)) == tests
