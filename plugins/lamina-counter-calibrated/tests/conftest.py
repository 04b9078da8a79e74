"""A provider whose tokenizer is known, and pairs of requests to it."""

import random

import pytest

from lamina_counter_calibrated._classes import CLASSES
from lamina_counter_calibrated._fit import Calibration, Error, Pair

TRUE = {"prose": 1.1, "code": 1.3, "digits": 1.6, "cjk": 0.9, "script": 1.2}
MESSAGE, CALL = 6, 30


def cost(texts, messages, calls):
    return round(sum(TRUE[name] * n for name, n in texts.items()) + MESSAGE * messages + CALL * calls)


@pytest.fixture
def pairs():
    """Makes pairs of some sessions; ``wrong`` is the share whose report has nothing to do with them."""

    def make(n=120, sessions=6, wrong=0.0, noise=0.0, seed=1, model="m"):
        rng = random.Random(seed)
        made = []
        for i in range(n):
            texts = {name: rng.randrange(2000) for name in rng.sample(CLASSES, rng.randint(1, 3))}
            messages, calls = rng.randint(1, 6), rng.randint(0, 3)
            reported = cost(texts, messages, calls) * (1 + rng.uniform(-noise, noise))
            if rng.random() < wrong:
                reported *= rng.choice((0.4, 5))
            made.append(Pair(model, "bytes 1", f"s{i % sessions}", f"r{i}", texts, messages, calls, round(reported)))
        return made

    return make


@pytest.fixture(scope="session")
def known():
    """The calibration that the provider's own figures are."""
    error = Error(0.0, 0.0, (0.0, 0.05, 0.1, 0.2), 0.0)
    return Calibration("m", "bytes 1", TRUE, MESSAGE, CALL, 10, 2, error, error)
