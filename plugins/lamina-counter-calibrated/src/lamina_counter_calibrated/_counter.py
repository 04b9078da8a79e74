"""Counting by another counter, corrected."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from attrs import evolve

from lamina.protocols import (
    Counter,
    CounterInfo,
    CountRequest,
    ImagesRequest,
    RequestCounter,
    ToolsRequest,
)
from lamina_counter_calibrated._classes import CLASSES, classify
from lamina_counter_calibrated._fit import SHARES, Calibration

VERSION = 1
"""Part of the fingerprint; grows when classes, or how counts follow from factors, change."""


def calibrated(inner: Counter, calibration: Calibration, cover: float) -> Counter:
    """The counter, corrected; one of requests where ``inner`` is."""
    if isinstance(inner, RequestCounter):
        return CalibratedRequestCounter(inner, calibration, cover)
    return CalibratedCounter(inner, calibration, cover)


class CalibratedCounter:
    """Multiplies counts by the factor of the text's class. The calibration stays as it was at opening."""

    def __init__(self, inner: Counter, calibration: Calibration, cover: float) -> None:
        raised = 1 + calibration.after.margins[SHARES.index(cover)]
        self._inner = inner
        self._factors = {name: calibration.factors[name] * raised for name in CLASSES}
        frames = [math.ceil(raised * n) for n in (calibration.message_tokens, calibration.call_tokens)]
        self.info = _info(inner.info, calibration, self._factors, frames, raised)

    def count(self, request: CountRequest) -> Sequence[int]:
        """One count per text; 1 to 10 µs more than the other counter takes."""
        factors = self._factors
        counts = self._inner.count(request)
        return [
            _times(n, factors[classify(text)], text) if n else 0 for text, n in zip(request.texts, counts, strict=True)
        ]


class CalibratedRequestCounter(CalibratedCounter):
    """The same around a counter that knows images and tools. Images stand as they are; tools are JSON."""

    def __init__(self, inner: RequestCounter, calibration: Calibration, cover: float) -> None:
        super().__init__(inner, calibration, cover)
        self._requests = inner

    def images(self, request: ImagesRequest) -> Sequence[int]:
        """The other counter's counts."""
        return self._requests.images(request)

    def tools(self, request: ToolsRequest) -> int:
        """The other counter's count, with the factor of code where that raises it."""
        return _times(self._requests.tools(request), max(1.0, self._factors["code"]))


def _times(count: int, factor: float, text: str | None = None) -> int:
    times = max(1, math.ceil(count * factor - 1e-9))  # or 0.1 + 0.2 would be a token more
    if text is None or times <= len(text):
        return times
    # No tokenizer needs more tokens than bytes. A lone surrogate is sent as three.
    return min(times, len(text.encode("utf-8", "surrogatepass")))


def _info(
    inner: CounterInfo, calibration: Calibration, factors: dict[str, float], frames: Sequence[int], raised: float
) -> CounterInfo:
    said = repr((VERSION, sorted(factors.items()), frames))
    mark = hashlib.sha256(said.encode()).hexdigest()[:12]
    return evolve(
        inner,
        exact=False,
        bound=max(1.0, round(raised * (1 + calibration.after.over), 4)),
        fingerprint=f"calibrated {calibration.model} {mark}; {inner.fingerprint}",
        message_tokens=frames[0],
        call_tokens=frames[1],
        origin=(
            f"{calibration.pairs} requests of {calibration.sessions} sessions of {calibration.model}: off by"
            f" {calibration.after.mean:.1%}, 95 % of them by at most {calibration.after.p95:.1%}"
        ),
    )
