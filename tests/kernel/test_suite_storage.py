"""The storage suite passes what is sound and catches what is broken, by exactly the tests named for it."""

import inspect
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from lamina.testing.fakes.storage import BROKEN, MODEL, SOUND, Place
from lamina.testing.storage import Clock, StorageSuite

TESTS = {name for name in dir(StorageSuite) if name.startswith("test_")}


def run_suite(kind, tests):
    """The names of the tests that the fake fails, and of those that it skips."""

    class Suite(StorageSuite):
        strategy = "fake"
        capabilities = kind.declares
        watch_s = 0.1
        # Always the same examples, and no time spent on making a failure small.
        model_settings = settings(
            StorageSuite.model_settings,
            max_examples=40,
            derandomize=True,
            database=None,
            phases=(Phase.generate,),
            print_blob=False,
        )

    failed, skipped = set(), set()
    for name in sorted(tests):
        clock = Clock()
        place = Place(kind, clock)
        given = {
            "open_storage": place.open,
            "clock": clock,
            "open_copy": place.open_copy,
            "damage_record": place.damage_record,
            "stored_bytes": place.stored_bytes,
            "tmp_path": Path("copies"),
        }
        test = getattr(Suite(), name)
        try:
            test(**{parameter: given[parameter] for parameter in inspect.signature(test).parameters})
        except pytest.skip.Exception:
            skipped.add(name)
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - failing is what it is about
            failed.add(name)
    return failed, skipped


@pytest.mark.parametrize("kind", SOUND, ids=lambda kind: kind.__name__)
def test_a_sound_storage_passes_every_test(kind):
    failed, skipped = run_suite(kind, TESTS)
    assert failed == set()
    # Every test applies to one of the sound ones.
    assert skipped < TESTS


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_storage_fails_exactly_the_tests_named_for_it(kind):
    assert kind.fails, "a broken fake names at least one test"
    # What the comparison with a dict meets is up to chance; it must find what is named for it and may find more.
    failed, _ = run_suite(kind, TESTS - {MODEL} | kind.fails)
    assert failed == kind.fails


def test_every_test_of_the_suite_catches_some_broken_storage():
    caught = set().union(*(kind.fails for kind in BROKEN))
    assert caught <= TESTS
    assert TESTS - caught == set()
