from contextlib import asynccontextmanager

import pytest

from lamina.testing import CompressorSuite, failing
from lamina.testing.fakes.compressor import BROKEN, Service, SoundCompressor


def opener(fake):
    @asynccontextmanager
    async def open_fake():
        yield fake()

    return open_fake


@pytest.mark.parametrize("fake", [SoundCompressor, Service])
def test_a_sound_compressor_passes_its_suite(fake):
    assert failing(CompressorSuite, open_compressor=opener(fake)) == set()


@pytest.mark.parametrize("fake", BROKEN)
def test_a_broken_compressor_fails_exactly_the_tests_named_for_it(fake):
    assert failing(CompressorSuite, open_compressor=opener(fake)) == fake.fails


def test_every_test_of_the_suite_is_failed_by_some_fake():
    tests = {name for name in dir(CompressorSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN)) == tests
