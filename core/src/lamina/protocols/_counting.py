"""What tokens a text, a request or a tool takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from attrs import frozen

from lamina.model import Image
from lamina.protocols._tools import ToolSpec


@frozen
class CounterInfo:
    """How a counter counts, and what the frames around texts cost."""

    exact: bool
    """Whether counts equal the model's tokenizer's."""
    bound: float
    """A count is at least the true one and at most ``bound`` times it plus 8; 1.0 when exact."""
    fingerprint: str
    """Names tokenizer and version; counts are kept with it and trusted as long as it stays the same."""
    message_tokens: int = 4
    """What the frame of a message costs."""
    call_tokens: int = 4
    """What the frame of a tool call costs."""
    image_tokens: int = 1600
    """What an image costs when nothing better is known."""
    origin: str = ""
    """Where its vocabulary was found, for people to read; not part of the fingerprint."""
    request_tokens: int = 0
    """What a request costs beside its messages and tools: the frame of the reply, for one."""
    page_tokens: int = 3200
    """What a page of a PDF costs: its text, and the page as an image.

    Source: Anthropic, "PDF support", section "Estimate your costs": 1,500 to 3,000 tokens of text a page, and an image
    of each page; OpenAI, "File inputs": text and an image of each page. Dense pages have been measured at 2,300 to
    3,150 altogether, so about the lower end of the text and a whole image stand here.
    """


@frozen
class CountRequest:
    """Asks for the tokens of texts."""

    texts: Sequence[str]


@runtime_checkable
class Counter(Protocol):
    """Counts tokens: plain calls, pure, no I/O, because they stand on the hot path."""

    info: CounterInfo

    def count(self, request: CountRequest) -> Sequence[int]:
        """One count per text, in order: 0 for the empty text, never negative, the same for the same text.

        Special-token strings in a text count as ordinary text.
        """
        ...


@frozen
class ImagesRequest:
    """Asks for the tokens of images."""

    images: Sequence[Image]


@frozen
class ToolsRequest:
    """Asks for the tokens of tools that are sent with a request."""

    tools: Sequence[ToolSpec]
    """At least one."""


@runtime_checkable
class RequestCounter(Counter, Protocol):
    """A counter that knows what a provider charges for more than texts. The fingerprint covers these counts too.

    For a plain :class:`Counter` an image costs ``info.image_tokens``, and tools cost their JSON text.
    """

    def images(self, request: ImagesRequest) -> Sequence[int]:
        """One count per image, in order; never negative, the same for the same image."""
        ...

    def tools(self, request: ToolsRequest) -> int:
        """What the tools cost together, with what the provider adds once for having any."""
        ...
