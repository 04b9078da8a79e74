"""How the pages of a request stand now, and the arithmetic of windows that are being planned."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from lamina.kit.paging import position
from lamina.protocols import Digest, Entry, PagedOut, PlanRequest, Rendition, Shortened, Verbatim


@frozen
class Form:
    """How one page stands in a plan."""

    tokens: int
    rule: str
    form: Shortened | None = None
    """``None`` for verbatim."""
    worth: float = 0.0
    """As the choice counts it."""
    score: float | None = None


class Standing:
    """The pages of one request by position: which must stand, which stand now, and what a window of some costs.

    Reads a few pages for each pin and each entry.
    """

    def __init__(self, request: PlanRequest) -> None:
        self.pages, self.stub = request.pages, request.stub_tokens
        found = (position(request.pages, page) for page in request.pinned)
        self.must: list[int] = [at for at in found if at is not None]
        """Positions of pages that must stand verbatim, in log order."""
        self.pinned = frozenset(self.must)
        self.pinned_tokens: int = sum(self.pages[at].tokens for at in self.must)
        spoken = next((at for at, page in enumerate(self.pages) if page.role != "system"), None)
        self._opening = spoken if spoken is not None and self.pages[spoken].role != "user" else None
        """Position of the first page, where it would need a line before it if it stood."""
        self._out: list[tuple[int, int]] = []
        """Runs of positions, first and last, that do not stand."""
        self._forms: dict[int, Shortened] = {}
        for entry in request.entries:
            if isinstance(entry.rendition, PagedOut | Digest):
                first, last = position(self.pages, entry.first), position(self.pages, entry.last)
                if first is not None and last is not None:
                    self._out.append((first, last))
            elif isinstance(entry.rendition, Shortened):
                at = position(self.pages, entry.first)
                if at is not None and at not in self.pinned:
                    self._forms[at] = entry.rendition

    def form(self, at: int) -> Shortened | None:
        """The shortened form in which the page stands now."""
        return self._forms.get(at)

    def tokens(self, at: int) -> int:
        """Of the page as it stands now, or verbatim."""
        form = self._forms.get(at)
        return self.pages[at].tokens if form is None else form.tokens

    def stands(self, at: int) -> bool:
        """Whether the page stands now."""
        run = bisect_right(self._out, (at, len(self.pages))) - 1
        return at in self.pinned or run < 0 or self._out[run][1] < at

    def standing(self, before: int) -> Iterator[int]:
        """Positions below ``before`` that stand now and need not, newest first."""
        at, run = before - 1, bisect_left(self._out, (before, -1)) - 1
        while at >= 0:
            if run >= 0 and self._out[run][0] <= at <= self._out[run][1]:
                at, run = self._out[run][0] - 1, run - 1
                continue
            if at not in self.pinned:
                yield at
            at -= 1

    def paged_out(self, before: int) -> Iterator[int]:
        """Positions below ``before`` that do not stand now, newest first."""
        for first, last in reversed(self._out):
            for at in range(min(last, before - 1), first - 1, -1):
                if at not in self.pinned:
                    yield at

    def gaps(self, chosen: Iterable[int]) -> list[tuple[int, int]]:
        """Runs of positions, first and end, that neither a pin nor a chosen page fills."""
        gaps, end = [], 0
        for at in [*sorted({*chosen, *self.must}), len(self.pages)]:
            if at > end:
                gaps.append((end, at))
            end = at + 1
        return gaps

    def window(self, chosen: Mapping[int, Form]) -> int:
        """Tokens of a window of the pins, the chosen pages, and a stub for each gap; an upper bound by its stubs."""
        stubs = len(self.gaps(chosen))
        if self._opening in chosen or self._opening in self.pinned:
            stubs += 1  # the kernel's opening line, which is no longer than a stub
        return self.pinned_tokens + sum(form.tokens for form in chosen.values()) + self.stub * stubs

    def entries(self, chosen: Mapping[int, Form], scores: Mapping[int, float]) -> tuple[Entry, ...]:
        """The entries of such a window.

        Args:
            chosen: Positions to forms.
            scores: Positions of the pages that were weighed, to their scores.
        """
        entries: list[Entry] = []

        def add(first: int, last: int, how: Rendition, rule: str, score: float | None = None) -> None:
            before = entries[-1] if entries else None
            if (
                before
                and isinstance(how, Verbatim)
                and (before.rendition, before.rule, before.score) == (how, rule, score)
            ):
                first_id = entries.pop().first
            else:
                first_id = self.pages[first].id
            entries.append(Entry(first_id, self.pages[last].id, how, rule, score))

        weighed, end = sorted(scores), 0
        for at in [*sorted({*chosen, *self.must}), len(self.pages)]:
            known = weighed[bisect_left(weighed, end) : bisect_left(weighed, at)]
            oldest = known[0] if known else at
            if end < oldest:
                add(end, oldest - 1, PagedOut(), "too old to be weighed")
            if known:
                add(oldest, at - 1, PagedOut(), "worth less for its tokens", max(scores[x] for x in known))
            if at in self.pinned:
                add(at, at, Verbatim(), "system" if self.pages[at].role == "system" else "pinned")
            elif at in chosen:
                form = chosen[at]
                add(at, at, form.form or Verbatim(), form.rule, form.score)
            end = at + 1
        return tuple(entries)
