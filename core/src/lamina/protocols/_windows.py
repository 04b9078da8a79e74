"""What stands in a window, and who plans it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from lamina.model import Page
from lamina.protocols._compressing import Shortened
from lamina.protocols._formats import Passage, everything


@frozen
class Verbatim:
    """The pages stand as they are."""


@frozen
class PagedOut:
    """The pages do not stand in the window; adjacent runs share one stub."""


@frozen
class Excerpt:
    """A piece of one page, as the digest shows it."""

    page: int
    text: str
    label: str = ""
    """Stands behind the page's id: what the page is about (``Read db.py``), or a mark of who speaks (``>``)."""
    block: bool = False
    """Whether the label has a line of its own and the text follows unchanged (but for lines that look like a label);
    else text follows on the id's line, its further lines indented."""
    why: str = ""
    """Why it stands, for the ledger; the entry's rule where it is empty."""


@frozen
class Note:
    """A line of a digest about the session as a whole: what is open, a plan's state, a file's."""

    text: str
    """One line, or several, of which the further ones are indented."""
    why: str = ""
    """What kind of note it is, for the ledger: ``request``, ``plan``, ``file``, ``command``, ``error``, ``dead end``."""


@frozen
class Digest:
    """One message stands for the pages: their excerpts, labelled with the page's id by the kernel, and notes."""

    excerpts: tuple[Excerpt, ...]
    """In log order."""
    tokens: int = 0
    """The kernel counts and fills it in."""
    notes: tuple[Note, ...] = ()
    """Stand at the end, behind a line of their own. They may speak of any page of the request."""


Rendition = Verbatim | Shortened | PagedOut | Digest


@frozen
class Entry:
    """A run of adjacent pages in one rendition."""

    first: int
    last: int
    """Page ids, inclusive; a shortened entry holds exactly one page."""
    rendition: Rendition
    rule: str
    """Why, in a few words, for the ledger."""
    score: float | None = None


@frozen
class Plan:
    """Which pages stand in which rendition."""

    entries: tuple[Entry, ...]
    """In log order; together they hold every page of the request exactly once."""


class DigestTokens(Protocol):
    """Counts a digest message before it is planned."""

    def __call__(self, first: int, last: int, excerpts: Sequence[Excerpt], notes: Sequence[Note] = (), /) -> int:
        """Exact tokens of the digest of pages ``first`` to ``last``, frame included."""
        ...


@frozen
class Pressure:
    """What a pager needs to decide, at once, whether to compact."""

    session: str
    tokens: int
    """Of the window as it would stand without a compaction (the tail of recalled memories excluded)."""
    budget: int
    pages: int
    """Pages that stand in the window, not counting stubs and digests."""
    results: int
    """Tool results that stand verbatim in it."""


@frozen
class PlanRequest:
    """Asks for a plan. ``pages`` and ``entries`` are views that cost nothing to pass; read what you need."""

    session: str
    pages: Sequence[Page]
    """All pages of the session, in log order. Those with role ``system`` must stand verbatim."""
    entries: Sequence[Entry]
    """How they stand since the last plan, and in which form large ones entered; pages that no entry holds are verbatim.
    Empty at the first plan of a session that held no large page."""
    budget: int
    """Tokens that the planned window may have at most, stubs and digests included."""
    offer: Callable[[Sequence[Page], Sequence[int]], Awaitable[Sequence[Shortened]]]
    """``await offer(pages, targets)``: sound offers of the configured compressors, with exact tokens."""
    score: Callable[[Sequence[Page]], Awaitable[Sequence[float]]]
    """``await score(pages)``: finite scores by the configured scorer."""
    count: Callable[[Sequence[str]], Sequence[int]]
    """Counts tokens of texts by the session's counter."""
    stub_tokens: int
    """Upper bound of the tokens of one stub, frame included."""
    digest_tokens: DigestTokens
    """``digest_tokens(first, last, excerpts, notes=())``: exact tokens of the digest message, frame included."""
    pinned: Sequence[int] = ()
    """Ids of the pages that must stand verbatim: pinned ones and those with role ``system``, in log order."""
    query: str | None = None
    faults: Mapping[int, int] = field(factory=dict, hash=False)
    now_s: float = 0.0
    asked: Sequence[int] = ()
    """Ids of the pages of role ``user``, in log order."""
    passages: Callable[[Page], Sequence[Passage]] = everything
    """``passages(page)``: what a person wrote there, as the session's format tells it from what a harness adds."""


@frozen
class AdmitRequest:
    """Asks how a large page enters the window (shortening it now invalidates no cache; later it does)."""

    session: str
    page: Page
    budget: int
    tokens: int
    """Of the window before the page."""
    offer: Callable[[Sequence[Page], Sequence[int]], Awaitable[Sequence[Shortened]]]
    count: Callable[[Sequence[str]], Sequence[int]]
    query: str | None = None


@runtime_checkable
class Pager(Protocol):
    """Plans which pages stand in which rendition, and when that changes.

    Between two plans the window only grows at its end. The kernel calls :meth:`due` at every window, so it must
    be O(1); it calls :meth:`plan` when a compaction is due, when the budget or a pin changed, or when the window
    does not fit. The plan is validated and committed by the kernel.
    """

    def due(self, request: Pressure) -> bool:
        """Whether to plan now, although the window still fits."""
        ...

    def large(self, budget: int) -> int | None:
        """Pages of more tokens than this are shown to :meth:`admit` as they enter; ``None`` for none."""
        ...

    async def admit(self, request: AdmitRequest) -> Shortened | None:
        """The form in which the page enters, one of the offers, or ``None`` for verbatim."""
        ...

    async def plan(self, request: PlanRequest) -> Plan:
        """A plan whose window fits the budget."""
        ...
