"""The configured counter, checked: impossible counts are refused at once."""

from __future__ import annotations

from collections.abc import Sequence

from lamina.errors import ContractError
from lamina.protocols import Counter, CounterInfo, CountRequest

_RECHECK = 64
"""Every so many batches an earlier text is counted again: a counter that changes its mind is found out."""


class CheckedCounter:
    """Calls a counter and refuses what cannot be: a wrong length, a negative or changing count, no integer."""

    def __init__(self, counter: Counter, name: str) -> None:
        self.info: CounterInfo = counter.info
        self.name = name
        self._counter = counter
        self._probe: tuple[str, int] | None = None
        self._batches = 0

    def __call__(self, texts: Sequence[str]) -> Sequence[int]:
        """One count per text.

        Raises:
            ContractError: Names the counter and what it gave.
        """
        if not texts:
            return ()
        self._batches += 1
        if self._probe is not None and (self._batches == 2 or self._batches % _RECHECK == 0):
            again = self._ask((self._probe[0],))[0]
            if again != self._probe[1]:
                raise ContractError(self.name, f"the counter changed its mind: {self._probe[1]} tokens, then {again}, for one text")  # fmt: skip
        counts = self._ask(texts)
        if self._probe is None:
            longest = max(range(len(texts)), key=lambda i: len(texts[i][:1000]))
            if texts[longest] and len(texts[longest]) <= 1000:
                self._probe = (texts[longest], counts[longest])
        return counts

    def _ask(self, texts: Sequence[str]) -> Sequence[int]:
        try:
            counts = self._counter.count(CountRequest(texts=texts))
        except Exception as error:
            raise ContractError(self.name, f"the counter failed: {type(error).__name__}: {error}") from error
        if len(counts) != len(texts):
            raise ContractError(self.name, f"the counter gave {len(counts)} counts for {len(texts)} texts")
        for count, text in zip(counts, texts, strict=True):
            if type(count) is not int or count < 0 or (count == 0 and text.strip()):
                raise ContractError(self.name, f"the counter gave the impossible count {count!r} for {text[:40]!r}")
        return counts
