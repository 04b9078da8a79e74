from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
from hypothesis import Phase, settings

from lamina.testing import FormatSuite, failing
from lamina.testing import format as suite
from lamina.testing.fakes.format import BROKEN, LIMIT, SoundFormat

SAMPLE = b"""{"role":"user",  "parts":["read \\u00e4"]}
{"note": "to myself"}

{"role":"assistant", "parts":["yes",["c","read","{}"]]}
{"role":"tool", "parts":[{"of":"c","text":"1"}]}
{"role":"assistant", "parts":["and again",["c","read","{}"]]}
{"role":"tool", "parts":[{"of":"c","text":"2"}]}
{"role":"assistant", "parts":["once more",["c","read","{}"]]}
{"role":"tool", "parts":[{"of":"c","text":"3"}]}
{"role":"assistant", "parts":["done"]}
"""


class FakeSuite(FormatSuite):
    strategy = "fake"
    record_limit = LIMIT
    samples = (SAMPLE, SAMPLE.replace(b"\n", b"\r\n"))
    bad: ClassVar = {
        "no JSON": (b"\nhello", 2),
        "a role": (b'{"role": "robot", "parts": []}', 1),
        "a result without a call": (SAMPLE + b'{"role": "tool", "parts": [{"of": "c", "text": "4"}]}', 11),
    }
    broken: ClassVar = {
        "empty": [{"role": "user", "parts": []}],
        "a result without a call": [{"role": "tool", "parts": [{"of": "c", "text": ""}]}],
    }


def opener(fake):
    @asynccontextmanager
    async def open_fake():
        yield fake()

    return open_fake


@pytest.fixture(autouse=True)
def unshrunk(monkeypatch):
    """Which tests fail is all that counts here; the smallest example would take most of the time."""
    quick = settings(suite.fast, phases=[Phase.explicit, Phase.generate], max_examples=15)
    monkeypatch.setattr(suite, "fast", quick)


def test_a_sound_format_passes_its_suite():
    assert failing(FakeSuite, open_format=opener(SoundFormat)) == set()


@pytest.mark.parametrize("fake", BROKEN)
def test_a_broken_format_fails_exactly_the_tests_named_for_it(fake):
    assert failing(FakeSuite, open_format=opener(fake)) == fake.fails


def test_every_test_of_the_suite_is_failed_by_some_fake():
    tests = {name for name in dir(FormatSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN)) == tests
