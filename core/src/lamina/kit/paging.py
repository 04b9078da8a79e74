"""What every pager needs: where pins stand, what stubs cost, and the entries of a plan.

A session may have 100,000 pages of which fifty stand in the window. Nothing here reads more pages than a window
holds, besides a few for each pin.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

from lamina.model import Page
from lamina.protocols import Digest, Entry, PagedOut, Plan, PlanRequest, Rendition, Shortened, Verbatim


def position(pages: Sequence[Page], id: int) -> int | None:
    """The index of the page of this id, or ``None``; O(log n), mostly O(1).

    Ids begin at 1 and ascend, mostly without gaps, so the place where it would stand then is looked at first; after a
    rollback there are some.
    """
    if 0 < id <= len(pages) and pages[id - 1].id == id:
        return id - 1
    at = bisect_left(pages, id, key=lambda page: page.id)
    return at if at < len(pages) and pages[at].id == id else None


def plan_tokens(request: PlanRequest, entries: Sequence[Entry]) -> int:
    """Tokens of the window that these entries make, an upper bound by its stubs; O(entries and pages that stand)."""
    tokens, out = 0, False
    for entry in entries:
        match entry.rendition:
            case Shortened(tokens=taken):
                tokens += taken
            case PagedOut():
                tokens += 0 if out else request.stub_tokens
            case Digest(excerpts, _, notes):
                tokens += request.digest_tokens(entry.first, entry.last, excerpts, notes)
            case Verbatim():
                first, last = position(request.pages, entry.first), position(request.pages, entry.last)
                if first is not None and last is not None:
                    tokens += sum(request.pages[at].tokens for at in range(first, last + 1))
        out = isinstance(entry.rendition, PagedOut)
    return tokens


class Layout:
    """A plan in which the pins, and the newest pages from some position on, stand in the window.

    Args:
        request: What was asked. Pages that stand shortened now keep that form, unless they are pinned.
    """

    def __init__(self, request: PlanRequest) -> None:
        self._pages, self._entries, self._stub = request.pages, request.entries, request.stub_tokens
        found = (position(request.pages, page) for page in request.pinned)
        self.pins: list[int] = [at for at in found if at is not None]
        """Positions of the pages that must stand verbatim, in log order."""
        self._pinned = frozenset(self.pins)
        self.pinned_tokens: int = sum(self._pages[at].tokens for at in self.pins)
        self._runs: list[int] = []  # runs of other pages before each pin
        end = runs = 0
        for at in self.pins:
            runs += at > end
            self._runs.append(runs)
            end = at + 1

    def stubs(self, start: int) -> int:
        """How many stubs stand before ``start`` when all pages before it but the pins are paged out."""
        before = bisect_left(self.pins, start)
        if not before:
            return int(start > 0)
        return self._runs[before - 1] + (start > self.pins[before - 1] + 1)

    def pinned(self, at: int) -> bool:
        """Whether the page at this position must stand verbatim."""
        return at in self._pinned

    def standing(self, at: int) -> Shortened | None:
        """The shortened form in which the page at this position stands now; O(log n)."""
        if at in self._pinned:
            return None
        page = self._pages[at].id
        entry = bisect_right(self._entries, page, key=lambda e: e.first) - 1
        if entry < 0 or self._entries[entry].last < page:
            return None
        form = self._entries[entry].rendition
        return form if isinstance(form, Shortened) else None

    def fit(self, limit: int, forms: Mapping[int, Shortened] | None = None) -> int:
        """The first position from which on all pages fit, beside the pins and the stubs.

        Reads the pages that fit and one more.

        Args:
            limit: Tokens that the window may have.
            forms: Positions to forms that take the place of those that stand.

        Returns:
            The position; the number of pages when not even the newest fits.
        """
        best, tokens = len(self._pages), self.pinned_tokens
        for at in range(len(self._pages) - 1, -1, -1):
            if at not in self._pinned:
                form = (forms or {}).get(at) or self.standing(at)
                tokens += self._pages[at].tokens if form is None else form.tokens
            # Not the first position that is too large ends the search, for one page more may save a stub; the
            # tokens without stubs only grow.
            if tokens > limit:
                break
            if tokens + self._stub * self.stubs(at) <= limit:
                best = at
        return best

    def entries(
        self, start: int, *, kept: str, out: str, forms: Mapping[int, tuple[Shortened, str]] | None = None
    ) -> tuple[Entry, ...]:
        """The entries of this layout: one for each run of pages that stand the same way for the same reason.

        Args:
            start: Pages before this position are paged out, but for the pins.
            kept: The rule of the pages that stand from there on.
            out: The rule of those that are paged out.
            forms: Positions to forms that take the place of those that stand, and their rules.
        """
        runs: list[tuple[int, int, Rendition, str]] = []

        def stand(first: int, last: int, rendition: Rendition, rule: str) -> None:
            if runs and runs[-1][2:] == (rendition, rule) and not isinstance(rendition, Shortened):
                runs[-1] = (runs[-1][0], last, rendition, rule)
            elif last >= first:
                runs.append((first, last, rendition, rule))

        end = 0
        for at in self.pins[: bisect_left(self.pins, start)]:
            if at > end:
                stand(end, at - 1, PagedOut(), out)
            stand(at, at, Verbatim(), self._why(at))
            end = at + 1
        if start > end:
            stand(end, start - 1, PagedOut(), out)
        for at in range(start, len(self._pages)):
            form, rule = (forms or {}).get(at) or (self.standing(at), "stands shortened")
            if at in self._pinned:
                stand(at, at, Verbatim(), self._why(at))
            elif form is None:
                stand(at, at, Verbatim(), kept)
            else:
                stand(at, at, form, rule)
        return tuple(Entry(self._pages[a].id, self._pages[z].id, how, rule) for a, z, how, rule in runs)

    def _why(self, at: int) -> str:
        return "system" if self._pages[at].role == "system" else "pinned"


async def shorten_to(request: PlanRequest, page: Page, room: int) -> Shortened | None:
    """The offer for the page that keeps the most in this many tokens, or ``None``.

    The compressors are asked for the room, and for the smallest that they can when none fits.
    """
    if room < 1:
        return None
    for target in (room, 1):
        fitting = [o for o in await request.offer([page], [target]) if o.page == page.id and o.tokens <= room]
        if fitting:
            return max(fitting, key=lambda o: (o.tokens, o.covers))
    return None


async def keep_newest(request: PlanRequest) -> Plan:
    """The plainest plan: the newest pages that fit, everything older paged out.

    A newest page that does not fit is shortened to the room that pins and stubs leave, and paged out where no offer
    fits. Reads as many pages as fit. Pagers that plan more cleverly may fall back to it where hardly anything fits.

    Source:
        ``trim_messages(strategy="last")`` of langchain-core; here by whole pages, so that no call stands without its
        result.
    """
    layout = Layout(request)
    newest = len(request.pages) - 1
    start, forms = layout.fit(request.budget), {}
    if start > newest >= 0 and not layout.pinned(newest):
        room = request.budget - layout.pinned_tokens - request.stub_tokens * layout.stubs(newest)
        form = await shorten_to(request, request.pages[newest], room)
        if form is not None:
            forms[newest] = (form, "newest, too large for the budget")
            start = layout.fit(request.budget, {newest: form})
    return Plan(layout.entries(start, kept="newest that fit", out="older than what fits", forms=forms))
