import math
from functools import partial

import pytest

from lamina.protocols import CounterInfo
from lamina.testing import CounterSuite, LoneHost
from lamina.testing.fakes.counter import oracle as size
from lamina_counter_calibrated import CalibratedSettings, open_calibrated
from lamina_counter_calibrated._classes import classify
from lamina_counter_calibrated._file import Store, write


class Thirds:
    """A token for each three bytes begun."""

    info = CounterInfo(exact=True, bound=1.0, fingerprint="bytes 1")

    def count(self, request):
        return [(size(text) + 2) // 3 for text in request.texts]


class TestCalibrated(CounterSuite):
    """Around a counter that is too low, calibrated with what the provider really charges."""

    strategy = "calibrated"

    @pytest.fixture
    def open_counter(self, tmp_path, known):
        write(tmp_path / "calibration.json", Store(calibrations=(known,)))
        host = LoneHost(tmp_path, parts={("counter", "thirds"): Thirds()})
        return partial(open_calibrated, CalibratedSettings("thirds", "m", cover=0.5), host)

    @pytest.fixture
    def oracle(self, known):
        """No tokenizer needs more tokens than bytes."""
        return lambda text: min(size(text), math.ceil(known.factors[classify(text)] * ((size(text) + 2) // 3) - 1e-9))
