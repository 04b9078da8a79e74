"""The plan for a session of talk: the newest pages whole, one digest of sentences for all older ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from lamina.kit.brief import Brief, merged
from lamina.kit.paging import position
from lamina.model import Page, Text
from lamina.protocols import Digest, Entry, Excerpt, PagedOut, PlanRequest, Shortened, Verbatim
from lamina_pager_coverage._cover import choose, lines
from lamina_pager_coverage._settings import CoverageSettings
from lamina_pager_coverage._talk import Index

TOLD = "sentences that cover what was told"
EXTENSIONS = 4
"""Compactions in a row that leave the digests as they stand, and the cache of them valid, and add one for what is new."""
HELD = 2.5
"""Reaches of talk that are held before all but one are let go."""
SPREAD = 0.1
"""How much more of the room than ``talk_growth_share`` is left free by a choice from scratch, and how much less by the
last extension."""


@dataclass
class _Told:
    """The digests that the last plan asked for."""

    budget: int
    must: frozenset[int]
    digests: list[Entry] = field(default_factory=list)
    chosen: list[int] = field(default_factory=list)
    """Their elements in the index."""
    extensions: int = 0


class Talk:
    """The talk of one session, as far as it was looked at."""

    def __init__(self) -> None:
        self.index = Index()
        self.offset = 0
        """Position of the first page in the index; those before it can only be paged out."""
        self.reach = 0
        """The first page of the index that may be quoted."""
        self._told = _Told(0, frozenset())
        self._brief: Brief

    def entries(
        self,
        request: PlanRequest,
        must: Collection[int],
        form: Callable[[int], Shortened | None],
        settings: CoverageSettings,
        first_time: bool,
        brief: Brief,
    ) -> Iterator[Entry]:
        """The entries: pages that must stand, digests between them, the newest pages.

        Args:
            request: What was asked.
            must: Positions that stand verbatim.
            form: Of a position, the form in which it stands where it stands; ``None`` for verbatim.
            settings: Of the pager.
            first_time: Whether this is the first window asked for: then nothing is left free to grow.
            brief: Its quotes stand in the digests of their pages, from when these are made.
        """
        pages = request.pages
        self._brief = brief
        self._follow(pages, settings.talk_reach_tokens, request.count)
        room = request.budget - sum(pages[at].tokens for at in must) - request.stub_tokens
        start, left = _tail(request, must, form, settings.talk_pages, room)
        growth = 0.0 if first_time else min(1.0, settings.talk_growth_share + SPREAD) * room
        if first_time or not self._extend(request, must, start, left, room, settings.talk_growth_share):
            self._tell(request, must, start, max(0, left - int(growth)))
        ends = {entry.first: entry for entry in self._told.digests}
        at = 0
        while at < len(pages):
            page = pages[at]
            if page.id in ends:
                yield ends[page.id]
                last = position(pages, ends[page.id].last)
                assert last is not None
                at = last + 1
            elif at in must:
                yield Entry(page.id, page.id, Verbatim(), "system" if page.role == "system" else "pinned")
                at += 1
            else:
                yield Entry(page.id, page.id, form(at) or Verbatim(), "newest")
                at += 1

    def _tell(self, request: PlanRequest, must: Collection[int], start: int, room: int) -> None:
        """Choose from all that was said what stands before ``start``."""
        self._told = told = _Told(request.budget, frozenset(must))
        runs = _runs(must, start)
        if runs:
            told.digests = self._digests(request, runs, room)

    def _extend(
        self, request: PlanRequest, must: Collection[int], start: int, left: int, room: int, share: float
    ) -> bool:
        """Add a digest of what came since the last plan to those that stand; whether that was possible."""
        told, pages = self._told, request.pages
        if not told.digests or told.budget != request.budget or told.extensions == EXTENSIONS or told.must != must:
            return False
        standing = {entry.first: entry.rendition for entry in request.entries if isinstance(entry.rendition, Digest)}
        tokens = 0
        for entry in told.digests:
            held = entry.rendition
            if isinstance(held, Digest):
                if getattr(standing.get(entry.first), "excerpts", None) != held.excerpts:
                    return False
                tokens += request.digest_tokens(entry.first, entry.last, held.excerpts)
            else:
                tokens += request.stub_tokens
        after = position(pages, told.digests[-1].last)
        slice_ = int(2 * SPREAD / EXTENSIONS * room)
        if after is None or after + 1 >= start or tokens + slice_ > left - (share - SPREAD) * room:
            return False
        told.digests += self._digests(request, [(after + 1, start)], slice_)
        told.extensions += 1
        return True

    def _follow(self, pages: Sequence[Page], reach: int, count: Callable[[Sequence[str]], Sequence[int]]) -> None:
        """Read what is new; let go of what is far beyond the reach."""
        known = self.offset + len(self.index.pages)
        new = newest(pages, known, reach)
        if known + len(new) < len(pages):
            self.index = Index()
            self.offset = len(pages) - len(new)
            self._told.digests.clear()
        self.index.extend(map(_message, new), count)
        self.reach = self.index.newest(reach)
        if self.index.cost > HELD * reach:
            self.index.forget(self.reach)
            self.offset, self.reach = self.offset + self.reach, 0
            self._told.digests.clear()  # their elements have other numbers now

    def _digests(self, request: PlanRequest, runs: list[tuple[int, int]], room: int) -> list[Entry]:
        """The entries of these stretches, by what fits the room; digests' own lines and frames are included."""
        out = []
        excerpts = self._excerpts(request, runs, room)
        for begin, end in runs:
            first, last = request.pages[begin].id, request.pages[end - 1].id
            inside = merged(self._brief.between(begin, end), [e for e in excerpts if first <= e.page <= last])
            rule = TOLD if inside else "covers nothing worth its tokens"
            out.append(Entry(first, last, Digest(inside) if inside else PagedOut(), rule))
        return out

    def _excerpts(self, request: PlanRequest, runs: list[tuple[int, int]], room: int) -> list[Excerpt]:
        """The excerpts of the pages in these stretches that fit the room."""
        pages, index = request.pages, self.index

        def tokens(excerpts: list[Excerpt]) -> int:
            total = 0
            for first, end in runs:
                told = [e for e in excerpts if pages[first].id <= e.page <= pages[end - 1].id]
                inside = merged(self._brief.between(first, end), told)
                args = (pages[first].id, pages[end - 1].id, inside)
                total += request.digest_tokens(*args) if inside else request.stub_tokens
            return total

        left = room - tokens([])
        left -= left // 500  # joined lines may count some tokens more
        begin, end = max(self.reach, runs[0][0] - self.offset), runs[-1][1] - self.offset
        if left <= 0 or end <= begin:
            return []
        chosen = choose(index, left, begin, end, request.count, self._told.chosen)
        while True:
            quoted = {request.pages[at].id for at in self._brief.quotes}
            excerpts = [Excerpt(page, text, mark) for page, mark, text in lines(index, chosen) if page not in quoted]
            over: float = tokens(excerpts) - room
            if over <= 0 or not chosen:
                self._told.chosen += chosen
                return excerpts
            while chosen and over > 0:
                over -= index.element(chosen.pop()).cost


def newest(pages: Sequence[Page], done: int, reach: float) -> list[Page]:
    """Those behind the first ``done`` that are within so many of the newest tokens, in order."""
    new: list[Page] = []
    for page in islice(reversed(pages), len(pages) - done):
        if reach <= 0:
            break
        new.append(page)
        reach -= page.tokens
    new.reverse()
    return new


def _message(page: Page) -> tuple[int, str, str, int | None]:
    """What the index takes in of a page."""
    if page.role == "system":
        return page.id, page.role, "", 0
    if len(page.messages) == 1 == len(page.part_tokens) and all(
        isinstance(part, Text) for part in page.messages[0].parts
    ):
        return page.id, page.role, page.text, sum(page.part_tokens[0])
    return page.id, page.role, page.text, None


def _tail(
    request: PlanRequest, must: Collection[int], form: Callable[[int], Shortened | None], most: int, room: int
) -> tuple[int, int]:
    """Where the newest whole pages start, and the tokens that they leave."""
    start = len(request.pages)
    while start and (start - 1 in must or most):
        if start - 1 not in must:
            shown = form(start - 1)
            tokens = request.pages[start - 1].tokens if shown is None else shown.tokens
            # Beyond the newest page, whole pages may take a third of what is left: the rest is for the digest.
            if tokens > (room if start == len(request.pages) else room // 3):
                break
            room, most = room - tokens, most - 1
        start -= 1
    return start, room


def _runs(must: Collection[int], start: int) -> list[tuple[int, int]]:
    """Stretches ``[first, end)`` of positions before ``start`` that need not stand."""
    out: list[tuple[int, int]] = []
    first = 0
    for at in [*sorted(m for m in must if m < start), start]:
        if at > first:
            out.append((first, at))
        first = at + 1
    return out
