import pytest

from lamina.testing import CounterSuite, failing
from lamina.testing.fakes.counter import BROKEN, SoundCounter, SoundRequestCounter, oracle


@pytest.mark.parametrize("counter", [SoundCounter, SoundRequestCounter])
def test_a_sound_counter_passes_its_suite(counter):
    assert failing(CounterSuite, counter=counter(), oracle=oracle) == set()


@pytest.mark.parametrize("fake", BROKEN)
def test_a_broken_counter_fails_exactly_the_tests_named_for_it(fake):
    assert failing(CounterSuite, counter=fake(), oracle=oracle) == fake.fails


def test_every_test_of_the_suite_is_failed_by_some_fake():
    tests = {name for name in dir(CounterSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN)) == tests
