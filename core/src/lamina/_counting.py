"""The configured counter, checked: impossible counts are refused at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from lamina.errors import ContractError
from lamina.model import Image
from lamina.protocols import (
    Counter,
    CounterInfo,
    CountRequest,
    ImagesRequest,
    RequestCounter,
    ToolSpec,
    ToolsRequest,
)

_RECHECK = 64
"""Every so many batches an earlier text is counted again: a counter that changes its mind is found out."""


class CheckedCounter:
    """Calls a counter and refuses what cannot be: a wrong length, a negative or changing count, no integer."""

    def __init__(self, counter: Counter, name: str) -> None:
        self.info: CounterInfo = counter.info
        self.name = name
        self._counter = counter
        self._provider = counter if isinstance(counter, RequestCounter) else None
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

    def images(self, images: Sequence[Image]) -> Sequence[int]:
        """One count per image: the counter's own, or the flat price of its info.

        Raises:
            ContractError: Names the counter and what it gave.
        """
        if self._provider is None or not images:
            return (self.info.image_tokens,) * len(images)
        counts = self._guard(lambda: self._provider.images(ImagesRequest(images=images)))  # type: ignore[union-attr]
        if len(counts) != len(images):
            raise ContractError(self.name, f"the counter gave {len(counts)} counts for {len(images)} images")
        return [self._natural(count, "an image") for count in counts]

    def tools(self, tools: Sequence[ToolSpec]) -> int:
        """What the tools cost together; 0 for none.

        The counter's own count; of a counter that has none, the JSON text of each tool and the frame of a call.

        Raises:
            ContractError: Names the counter and what it gave.
        """
        if not tools:
            return 0
        if self._provider is None:
            return sum(self([tool_text(tool) for tool in tools])) + self.info.call_tokens * len(tools)
        count = self._guard(lambda: self._provider.tools(ToolsRequest(tools=tools)))  # type: ignore[union-attr]
        return self._natural(count, "tools")

    def _natural(self, count: Any, what: str) -> int:
        if type(count) is not int or count < 0:
            raise ContractError(self.name, f"the counter gave the impossible count {count!r} for {what}")
        return count

    def _guard(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Exception as error:
            raise ContractError(self.name, f"the counter failed: {type(error).__name__}: {error}") from error

    def _ask(self, texts: Sequence[str]) -> Sequence[int]:
        counts: Sequence[int] = self._guard(lambda: self._counter.count(CountRequest(texts=texts)))
        if len(counts) != len(texts):
            raise ContractError(self.name, f"the counter gave {len(counts)} counts for {len(texts)} texts")
        for count, text in zip(counts, texts, strict=True):
            if type(count) is not int or count < 0 or (count == 0 and text.strip()):
                raise ContractError(self.name, f"the counter gave the impossible count {count!r} for {text[:40]!r}")
        return counts


def tool_text(tool: ToolSpec) -> str:
    """The tool as JSON text."""
    said = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return json.dumps(said, ensure_ascii=False, default=dict)
