"""Shorter forms of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from lamina.model import Page


@frozen
class Shortened:
    """A page in a shorter form: some of its texts replaced. Ids, names, order and roles cannot be touched."""

    page: int
    texts: Mapping[tuple[int, int], str | None] = field(hash=False)
    """(index of the message in ``page.messages``, index of the part in it) to what stands there instead.
    Texts and results' texts take any text; a call's arguments take JSON text of an object; a reasoning block
    takes only ``None``, which removes it (``None`` is for nothing else)."""
    compressor: str = ""
    """Who made it. The kernel fills in the configured compressor's name; one that asks others may say which of them
    it was, and the kernel puts its name before that (``chain/truncate``)."""
    lossless: bool = False
    """Whether the original can be computed from it."""
    covers: float = 0.0
    """Estimated share of the page's worth that it still shows, 0 to 1."""
    tokens: int = 0
    """Of the whole page in this form; the kernel counts and fills it in."""


@frozen
class CompressRequest:
    """Asks for shorter renditions."""

    pages: Sequence[Page]
    """All pages that may be shortened, in log order."""
    resident: Sequence[Page]
    """What stays verbatim beside them."""
    targets: Sequence[int]
    """Wanted sizes in tokens for each page (the whole page); offers near them are the most useful."""
    count: Callable[[Sequence[str]], Sequence[int]]
    """Counts tokens of texts by the session's counter."""
    session: str = ""


@runtime_checkable
class Compressor(Protocol):
    """Offers renditions; it does not choose.

    An optional attribute ``deterministic: bool`` says whether the same pages have the same offers in every process,
    with no network; :func:`is_deterministic` reads it. One that asks a service sets it to false. It may then have
    nothing to say while the service is away, and other words in another process; in one opening, offers that were
    made for a page stay the same.
    """

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """Offers for some of the pages, any number for each, in any order; deterministic unless it says otherwise.

        A page's offer is smaller than the page by the session's counter, and every text says where something
        was left out and how to get it (the page's id).
        """
        ...


def is_deterministic(compressor: Compressor) -> bool:
    """Whether the compressor always has the same offers for the same pages; one that does not say so has."""
    return bool(getattr(compressor, "deterministic", True))
