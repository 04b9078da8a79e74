"""From what was counted and what was reported to factors, robustly.

A pair says what the requests of a session grew by: by our count, for each class of text, and by the provider's. What
each request has besides (system prompt, tools) is in neither. The model is linear, ``reported = sum of factor x tokens
+ message x messages + call x calls``, fitted by least squares that are reweighted after Huber, with shrinkage.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from attrs import field, frozen

from lamina_counter_calibrated._classes import CLASSES

FACTOR_BOUNDS = (0.5, 4.0)
"""No tokenizer differs from another by more, in a class."""
FRAME_BOUNDS = (0.0, 200.0)
"""Tokens of a frame."""
FRAME = 4.0
"""What a frame is taken to cost before anything is known."""

_FACTOR_SPREAD, _FRAME_SPREAD = 0.15, 15.0
"""How far a class's factor lies from the overall one, and a frame from ``FRAME``, before anything is known (standard
deviations). They decide how much evidence outweighs the prior."""
_NOISE, _NOISE_SHARE = 20.0, 0.1
"""What a request grows by without our seeing it (reminders that are put in), in tokens, and as a share."""
_HUBER = 1.5
"""Residuals beyond so many scales weigh less, in inverse proportion."""
_ROUNDS = 25
_PLAUSIBLE = (0.2, 12.0)
"""Reported by counted beyond these is no measurement: the context was cut, or something large was put in."""

_FOLDS = 10

SHARES = (0.5, 0.9, 0.95, 0.99)
"""Shares of requests that margins are given for."""


@frozen
class Pair:
    """What the requests of a session grew by, from one to the next."""

    model: str
    counter: str
    """Fingerprint of the counter that counted."""
    session: str
    request: str
    """Unique in its session."""
    texts: Mapping[str, int] = field(hash=False)
    """Tokens by class, as counted."""
    messages: int
    calls: int
    reported: int
    """Tokens, by the provider's count."""

    @property
    def counted(self) -> int:
        """Tokens of all texts, as counted."""
        return sum(self.texts.values())

    @property
    def plausible(self) -> bool:
        """Whether it measures anything."""
        low, high = _PLAUSIBLE
        known = self.counted + FRAME * (self.messages + self.calls)
        return known > 0 and low <= self.reported / known <= high


@frozen
class Error:
    """How far requests were from what was counted for them, as shares of what was reported."""

    mean: float
    """Of the distances."""
    p95: float
    """Of the distances."""
    margins: tuple[float, ...]
    """For each of ``SHARES``: raised by so much, a count covers that share of requests; never negative."""
    over: float
    """The 95th percentile of how far a count was above."""


@frozen
class Calibration:
    """What is known of one model's tokens."""

    model: str
    counter: str
    """Fingerprint of the counter that it corrects."""
    factors: Mapping[str, float] = field(hash=False)
    """By class."""
    message_tokens: float
    call_tokens: float
    pairs: int
    sessions: int
    before: Error
    """Of the counter as it is, with frames of 4."""
    after: Error
    """Of the corrected counts, each session's by what the others taught."""
    evidence: Mapping[str, int] = field(factory=dict, hash=False)
    """Tokens seen by class: a class without any has the overall factor."""

    def tokens(self, pair: Pair) -> float:
        """What the pair is expected to cost."""
        texts = sum(self.factors[name] * n for name, n in pair.texts.items())
        return texts + self.message_tokens * pair.messages + self.call_tokens * pair.calls


Factors = tuple[float, ...]
"""One for each of ``CLASSES``, then those of a message and of a call."""


def calibrate(pairs: Sequence[Pair]) -> Calibration:
    """What the pairs, all of one model and counter, teach.

    Raises:
        ValueError: No pair measures anything.
    """
    known = [pair for pair in pairs if pair.plausible]
    if not known:
        raise ValueError("no request grew by what can be compared")
    found = fit(known)
    evidence = {name: sum(pair.texts.get(name, 0) for pair in known) for name in CLASSES}
    plain = (1.0,) * len(CLASSES) + (FRAME, FRAME)
    folds = split(known)
    taught = [(fold, _without(fold, folds)) for fold in folds]
    held_out = [e for fold, factors in taught for part in fold for e in errors(part, factors)]
    return Calibration(
        model=known[0].model,
        counter=known[0].counter,
        factors={name: round(factor, 4) for name, factor in zip(CLASSES, found, strict=False)},
        message_tokens=round(found[-2], 2),
        call_tokens=round(found[-1], 2),
        pairs=len(known),
        sessions=len({pair.session for pair in known}),
        before=error([e for fold in folds for part in fold for e in errors(part, plain)]),
        after=error(held_out),
        evidence=evidence,
    )


def split(pairs: Sequence[Pair]) -> list[list[list[Pair]]]:
    """Folds of sessions; a lone session in two halves, so that nothing is judged by what it taught."""
    by: dict[str, list[Pair]] = {}
    for pair in pairs:
        by.setdefault(pair.session, []).append(pair)
    parts = list(by.values())
    if len(parts) == 1:
        middle = (len(pairs) + 1) // 2
        parts = [part for part in (list(pairs[:middle]), list(pairs[middle:])) if part]
    return [parts[i::_FOLDS] for i in range(min(_FOLDS, len(parts)))]


def _without(fold: Sequence[Sequence[Pair]], folds: Sequence[Sequence[Sequence[Pair]]]) -> Factors:
    """What the other folds teach."""
    return fit([pair for other in folds if other is not fold for part in other for pair in part])


def errors(pairs: Sequence[Pair], factors: Factors) -> list[float]:
    """For each request: how far what was counted of its whole conversation so far is from what was reported.

    Of the whole, because that is what must fit a window; what single messages are off by partly cancels out.
    """
    out: list[float] = []
    counted = reported = 0.0
    for pair in pairs:
        counted += sum(f * x for f, x in zip(factors, row(pair), strict=True))
        reported += pair.reported
        out.append(counted / reported - 1)
    return out


def error(found: Sequence[float]) -> Error:
    """What these relative errors come to."""
    size = sorted(abs(e) for e in found)
    low = sorted(found)
    # Raised by 1 / (1 + e) - 1, the count of a request with error e is what was reported; tenfold at most, because a
    # request in which nothing was counted has no such factor.
    margins = [max(0.0, 1 / max(0.1, 1 + quantile(low, 1 - share)) - 1) for share in SHARES]
    return Error(
        mean=round(statistics.fmean(size), 4),
        p95=round(quantile(size, 0.95), 4),
        margins=(0.0, *(round(margin, 4) for margin in margins[1:])),
        over=round(max(0.0, quantile(low, 0.95)), 4),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that the share of these lies at or below; towards the ends where they are few."""
    at = share * (len(ordered) - 1)
    return ordered[math.ceil(at) if share >= 0.5 else math.floor(at)]


def row(pair: Pair) -> Factors:
    """The pair's tokens by class, messages and calls."""
    return (*(float(pair.texts.get(name, 0)) for name in CLASSES), float(pair.messages), float(pair.calls))


def fit(pairs: Sequence[Pair]) -> Factors:
    """Factors of classes and frames; of no pairs, those of a counter that is right. 0.1 s for 500 pairs."""
    start = _overall(pairs)
    prior = (start,) * len(CLASSES) + (FRAME, FRAME)
    spread = (_FACTOR_SPREAD,) * len(CLASSES) + (_FRAME_SPREAD, _FRAME_SPREAD)
    rows = [(row(pair), float(pair.reported)) for pair in pairs]
    found = prior
    for _ in range(_ROUNDS):
        new = _bounded(_solve(rows, found, prior, spread))
        done = max(abs(a - b) for a, b in zip(found, new, strict=True)) < 1e-4
        found = new
        if done:
            break
    return found


def _overall(pairs: Sequence[Pair]) -> float:
    """The median of reported by counted, over the pairs that are not mostly frames."""
    frames = [(pair, FRAME * (pair.messages + pair.calls)) for pair in pairs]
    ratios = [(pair.reported - f) / pair.counted for pair, f in frames if pair.counted > 20 * f]
    ratios = ratios or [(pair.reported - f) / pair.counted for pair, f in frames if pair.counted]
    low, high = FACTOR_BOUNDS
    return min(high, max(low, statistics.median(ratios))) if ratios else 1.0


def _solve(rows: Sequence[tuple[Factors, float]], found: Factors, prior: Factors, spread: Factors) -> list[float]:
    """One round: weighted normal equations, with the prior as one more observation for each unknown."""
    n = len(prior)
    matrix = [[0.0] * n for _ in range(n)]
    right = [0.0] * n
    for j in range(n):
        matrix[j][j] = 1 / spread[j] ** 2
        right[j] = prior[j] / spread[j] ** 2
    for xs, reported in rows:
        expected = sum(f * x for f, x in zip(found, xs, strict=True))
        scale = _NOISE + _NOISE_SHARE * expected
        distance = abs(reported - expected) / scale
        weight = (1.0 if distance <= _HUBER else _HUBER / distance) / scale**2
        for j in range(n):
            if xs[j]:
                part = weight * xs[j]
                right[j] += part * reported
                for k in range(n):
                    matrix[j][k] += part * xs[k]
    return _eliminated(matrix, right)


def _eliminated(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss's elimination; the matrix is positive definite, because every unknown has a prior."""
    n = len(right)
    for i in range(n):
        for j in range(i + 1, n):
            times = matrix[j][i] / matrix[i][i]
            if times:
                for k in range(i, n):
                    matrix[j][k] -= times * matrix[i][k]
                right[j] -= times * right[i]
    out = [0.0] * n
    for i in reversed(range(n)):
        out[i] = (right[i] - sum(matrix[i][k] * out[k] for k in range(i + 1, n))) / matrix[i][i]
    return out


def _bounded(found: Sequence[float]) -> Factors:
    bounds = [FACTOR_BOUNDS] * len(CLASSES) + [FRAME_BOUNDS] * 2
    return tuple(min(high, max(low, value)) for value, (low, high) in zip(found, bounds, strict=True))
