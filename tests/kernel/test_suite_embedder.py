from contextlib import asynccontextmanager

import pytest

from lamina.testing import EmbedderSuite, failing
from lamina.testing.fakes.embedder import BROKEN, SoundEmbedder


def opener(fake):
    @asynccontextmanager
    async def open_fake():
        yield fake()

    return open_fake


def test_a_sound_embedder_passes_its_suite():
    assert failing(EmbedderSuite, open_embedder=opener(SoundEmbedder)) == set()


@pytest.mark.parametrize("fake", BROKEN)
def test_a_broken_embedder_fails_exactly_the_tests_named_for_it(fake):
    assert failing(EmbedderSuite, open_embedder=opener(fake)) == fake.fails


def test_every_test_of_the_suite_is_failed_by_some_fake():
    tests = {name for name in dir(EmbedderSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN)) == tests
