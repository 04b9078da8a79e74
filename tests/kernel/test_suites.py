"""What every conformance suite holds: no test of it is overridden in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lamina.testing
from lamina.testing import CompressorSuite, ScorerSuite, StorageSuite, Suite, deviates

SUITES = sorted(name for name in lamina.testing._WHERE if name.endswith("Suite") and name != "Suite")


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_refuses_what_is_overridden_in_silence(name):
    suite = getattr(lamina.testing, name)
    assert issubclass(suite, Suite)
    test = next(name for name in dir(suite) if name.startswith("test_"))
    with pytest.raises(TypeError, match=rf"Mine\.{test} overrides the test of .* mark it with @deviates"):
        type("Mine", (suite,), {"strategy": "mine", test: lambda self: None})


def test_overriding_with_a_reason_is_allowed():
    class Mine(ScorerSuite):
        strategy = "mine"

        @deviates("the model behind it answers no empty question")
        def test_no_pages_have_no_scores(self):
            pass

    class Stricter(Mine):
        """Inherits the deviation, and its reason."""

    assert Stricter.test_no_pages_have_no_scores is Mine.test_no_pages_have_no_scores


def test_each_override_needs_a_reason_of_its_own():
    class Mine(ScorerSuite):
        @deviates("the model behind it answers no empty question")
        def test_no_pages_have_no_scores(self):
            pass

    with pytest.raises(TypeError, match="test_no_pages_have_no_scores overrides the test of"):

        class Again(Mine):
            def test_no_pages_have_no_scores(self):
                pass


def test_a_test_cannot_be_switched_off_by_none():
    with pytest.raises(TypeError, match="test_it_offers_something"):
        type("Mine", (CompressorSuite,), {"test_it_offers_something": None})


def test_a_mixin_is_no_way_around():
    class Quiet:
        def test_keys_are_case_sensitive(self):
            pass

    with pytest.raises(TypeError, match=r"Quiet\.test_keys_are_case_sensitive overrides the test of RecordTests"):
        type("Mine", (Quiet, StorageSuite), {})


def test_tests_and_fixtures_of_ones_own_need_no_reason():
    class Mine(CompressorSuite):
        strategy = "mine"
        sizes = False

        @pytest.fixture
        def open_compressor(self):
            raise NotImplementedError

        def must_offer(self):
            return []

        def test_it_keeps_the_first_line(self):
            pass

    assert Mine.strategy == "mine"


def test_the_mark_stands_outside_of_other_decorators():
    for test in (given(n=st.integers())(lambda self, n: None), pytest.mark.slow(lambda self: None)):
        type("Mine", (ScorerSuite,), {"test_no_pages_have_no_scores": deviates("why")(test)})


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_deviation_without_a_reason_is_refused(reason):
    with pytest.raises(ValueError, match="reason"):
        deviates(reason)
