from contextlib import asynccontextmanager

import pytest

from lamina.protocols import Effects, ToolSpec
from lamina.testing import GrantsSuite, failing
from lamina.testing.fakes.grants import BROKEN, SoundGrants
from lamina.tools import EffectGrants

OBJECT = {"type": "object", "properties": {"text": {"type": "string"}}}


class FakeSuite(GrantsSuite):
    strategy = "fake"
    specs = (ToolSpec("say", "Say it.", OBJECT), ToolSpec("nothing", "Never.", OBJECT))
    allowed = (("say", {"text": "please"}),)
    asked = (("say", {"text": "later"}),)
    denied = (("say", {"text": "no"}), ("nothing", {"text": "please"}))


class TestDefault(GrantsSuite):
    """What stands where no grants are configured."""

    strategy = "default"
    specs = (
        ToolSpec("say", "Say it.", OBJECT),
        ToolSpec("wipe", "Wipe it.", OBJECT, effects=Effects(destructive=True)),
        ToolSpec("send", "Send it.", OBJECT, effects=Effects(open_world=True)),
        ToolSpec("look", "Look it up.", OBJECT, effects=Effects(read_only=True, open_world=True)),
    )
    allowed = (("say", {}), ("look", {"text": "x"}))
    denied = (("wipe", {}), ("send", {"text": "x"}))

    @pytest.fixture
    def open_grants(self):
        return opener(EffectGrants)


def opener(fake):
    @asynccontextmanager
    async def open_fake():
        yield fake()

    return open_fake


def test_sound_grants_pass_their_suite():
    assert failing(FakeSuite, open_grants=opener(SoundGrants)) == set()


@pytest.mark.parametrize("fake", BROKEN)
def test_broken_grants_fail_exactly_the_tests_named_for_them(fake):
    assert failing(FakeSuite, open_grants=opener(fake)) == fake.fails


def test_every_test_of_the_suite_is_failed_by_some_fake():
    tests = {name for name in dir(GrantsSuite) if name.startswith("test_")}
    assert frozenset().union(*(fake.fails for fake in BROKEN)) == tests
