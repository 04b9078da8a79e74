"""Runs a suite without pytest, to see which of its tests fail: suites are tested themselves by this."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SETTINGS = "_hypothesis_internal_use_settings"


@contextmanager
def _not_shrinking(test: Any) -> Iterator[None]:
    # Hypothesis looks up to five minutes for a smaller example. Here it only matters that there is one. There
    # is no public way to change the settings of a decorated test.
    from hypothesis import Phase, settings

    given = getattr(test, _SETTINGS, None)
    if given is None:
        yield
        return
    quick = settings(
        given,
        phases=(Phase.explicit, Phase.generate),
        derandomize=True,
        report_multiple_bugs=False,
        max_examples=min(given.max_examples, 15),
        stateful_step_count=min(given.stateful_step_count, 20),
    )
    setattr(test, _SETTINGS, quick)
    try:
        yield
    finally:
        setattr(test, _SETTINGS, given)


def failing(suite: type, **fixtures: Any) -> frozenset[str]:
    """Names of the suite's tests that fail for these fixtures.

    Every ``test_…`` method is called on a fresh instance with the fixtures that it asks for by name. A skipped
    test does not fail. Examples are few and not shrunk: what must always be caught, a suite gives as an example.
    """
    import pytest

    failed = set()
    for name in dir(suite):
        if not name.startswith("test_"):
            continue
        function = getattr(suite, name)
        wanted = {k: fixtures[k] for k in inspect.signature(function).parameters if k != "self"}
        try:
            with _not_shrinking(function):
                function(suite(), **wanted)
        except pytest.skip.Exception:
            continue
        except (Exception, pytest.fail.Exception):  # noqa: BLE001  whatever a broken part does is a failure
            failed.add(name)
    return frozenset(failed)
