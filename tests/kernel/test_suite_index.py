import pytest

from lamina.testing import IndexSuite, failing
from lamina.testing.fakes.index import BROKEN, SoundIndex, opener


class FakeSuite(IndexSuite):
    strategy = "fake"


def test_a_sound_index_passes_its_suite():
    assert failing(FakeSuite, open_index=opener(SoundIndex)) == set()


@pytest.mark.parametrize("fake", BROKEN)
def test_a_broken_index_fails_exactly_the_tests_named_for_it(fake):
    assert failing(FakeSuite, open_index=opener(fake)) == fake.fails


def test_every_test_of_the_suite_is_failed_by_some_fake():
    tests = {name for name in dir(IndexSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN)) == tests
