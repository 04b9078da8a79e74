"""Runs a suite without pytest, to see which of its tests fail: suites are tested themselves by this."""

from __future__ import annotations

import inspect
from typing import Any


def failing(suite: type, **fixtures: Any) -> frozenset[str]:
    """Names of the suite's tests that fail for these fixtures.

    Every ``test_…`` method is called on a fresh instance with the fixtures that it asks for by name. A skipped
    test does not fail.
    """
    import pytest

    failed = set()
    for name in dir(suite):
        if not name.startswith("test_"):
            continue
        test = getattr(suite(), name)
        wanted = {k: fixtures[k] for k in inspect.signature(test).parameters}
        try:
            test(**wanted)
        except pytest.skip.Exception:
            continue
        except (Exception, ExceptionGroup):  # noqa: BLE001  whatever a broken part does is a failure
            failed.add(name)
    return frozenset(failed)
