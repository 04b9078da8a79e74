"""The validity gate: what a plan must be, before its window is let out.

The gate is the only place where a pager's plan becomes a window. It checks that every page of the request stands
in exactly one entry, in order; that pinned and system pages stand verbatim; that shortened pages keep their calls,
ids and results (they cannot but: a compressor replaces texts only); that digests speak of their own pages; and
that the whole fits the budget by the configured counter.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence

from attrs import evolve

from lamina._counting import CheckedCounter
from lamina._pages import Pages, Prefix, part_counts, shortened_tokens
from lamina.errors import ContractError
from lamina.model import Page
from lamina.protocols import Digest, Entry, PagedOut, Plan, Shortened, Verbatim
from lamina.rendering import OPENING, digest_text, notice, shorten, stub_text, unsound
from lamina.window import Slot


class Gate:
    """Turns plans into slots, or says what is wrong with them."""

    def __init__(self, count: CheckedCounter) -> None:
        self._count = count
        self.known: dict[int, Shortened] = {}
        """Offers that were found sound and counted already, by identity, during one plan."""
        self._noticed: dict[str, int] = {}
        """Tokens of lamina's own messages, of this plan and of what stands: a pager asks about a digest before it plans it."""
        self.frame = count.info.message_tokens
        self.stub_tokens = self.notice_tokens(stub_text(9_999_999, 9_999_999)) + 2
        self.opening = Slot((), (notice(OPENING),), self.notice_tokens(OPENING))

    def notice_tokens(self, text: str) -> int:
        """Tokens of a message of lamina's own."""
        tokens = self._noticed.get(text)
        if tokens is None:
            tokens = self._noticed[text] = self.frame + self._count((text,))[0]
        return tokens

    def forget(self, standing: Iterable[Slot]) -> None:
        """Let go of what was counted for one plan, but for what stands: the next plan may keep that."""
        self.known.clear()
        self._noticed = {slot.messages[0].text: slot.tokens for slot in standing if slot.page is None}

    # ---------------------------------------------------------------- slots

    def verbatim(self, page: Page, rule: str, score: float | None = None) -> Slot:
        """The page as it is."""
        return Slot((Entry(page.id, page.id, Verbatim(), rule, score),), page.messages, page.tokens, page)

    def shortened(self, page: Page, form: Shortened, rule: str, score: float | None = None) -> Slot:
        """The page in a sound shorter form."""
        # What a plugin says of tokens is not believed: only what this gate counted itself.
        if id(form) not in self.known:
            form = evolve(form, tokens=self.tokens(page, form))
        entry = Entry(page.id, page.id, form, rule, score)
        return Slot((entry,), shorten(page, form.texts), form.tokens, page)

    def stub(self, entries: Sequence[Entry]) -> Slot:
        """One line for adjacent runs of paged-out pages."""
        text = stub_text(entries[0].first, entries[-1].last)
        return Slot(tuple(entries), (notice(text),), self.notice_tokens(text))

    def digest(self, entry: Entry, form: Digest) -> Slot:
        """One message for a run of pages."""
        text = digest_text(entry.first, entry.last, form.excerpts, form.notes)
        tokens = self.notice_tokens(text)
        held = Entry(entry.first, entry.last, Digest(form.excerpts, tokens, form.notes), entry.rule, entry.score)
        return Slot((held,), (notice(text),), tokens)

    def tokens(self, page: Page, form: Shortened) -> int:
        """Tokens of the page in this form: only what was replaced is counted."""
        new: dict[tuple[int, int], str] = {place: text for place, text in form.texts.items() if text is not None}
        total = 0
        for at, message in enumerate(shorten(page, form.texts)):
            counts: list[int] = []
            kept = [i for i in range(len(page.messages[at].parts)) if form.texts.get((at, i), "") is not None]
            for part, index in zip(message.parts, kept, strict=True):
                if (at, index) in new:
                    counts += part_counts((part,), self._count)
                else:
                    counts.append(page.part_tokens[at][index])
            total += shortened_tokens(page, at, message, counts)
        return total

    # ---------------------------------------------------------------- plans

    def arrange(self, plan: Plan, pages: Pages, n: int, pager: str) -> list[Slot]:
        """The plan's window, piece by piece; work is proportional to the window.

        Raises:
            ContractError: What is wrong with the plan, naming the pager.
        """
        slots = self.restored(plan, pages, n, pager)
        self._check_pins(plan, pages, n, pager)
        return slots

    def restored(self, plan: Plan, pages: Pages, n: int, pager: str) -> list[Slot]:
        """The window of a plan that stands in the log, where pages may have been pinned since.

        Raises:
            ContractError: What is wrong with it.
        """
        self._check_order(plan, pages, n, pager)
        slots: list[Slot] = []
        out: list[Entry] = []
        view = Prefix(pages.all, n)
        for entry in plan.entries:
            if isinstance(entry.rendition, PagedOut):
                out.append(entry)
                continue
            if out:
                slots.append(self.stub(out))
                out = []
            slots += self._slots(entry, pages, view, pager)
        if out:
            slots.append(self.stub(out))
        return self.opened(slots)

    def opened(self, slots: list[Slot]) -> list[Slot]:
        """The slots, with an opening line where neither the user nor lamina speaks first."""
        for at, slot in enumerate(slots):
            role = slot.messages[0].role
            if role != "system":
                return slots if role == "user" else [*slots[:at], self.opening, *slots[at:]]
        return slots

    def check_budget(self, slots: Sequence[Slot], budget: int, pager: str) -> None:
        """Refuse a window that does not fit.

        Raises:
            ContractError: Naming the pager and both numbers.
        """
        tokens = sum(slot.tokens for slot in slots)
        if tokens > budget:
            raise ContractError(pager, f"planned a window of {tokens} tokens for a budget of {budget}")

    def _check_order(self, plan: Plan, pages: Pages, n: int, pager: str) -> None:
        at = 0
        for entry in plan.entries:
            if at >= n or pages.ids[at] != entry.first:
                expected = f"page {pages.ids[at]}" if at < n else "the end"
                raise ContractError(
                    pager, f"planned page {entry.first} where {expected} comes; order and pages must stay"
                )
            last = bisect.bisect_left(pages.ids, entry.last, at, n)
            if last >= n or pages.ids[last] != entry.last:
                raise ContractError(pager, f"planned the run {entry.first}–{entry.last}, which does not end at a page")
            if entry.score is not None and not math.isfinite(entry.score):
                raise ContractError(pager, f"gave page {entry.first} the score {entry.score}")
            at = last + 1
        if at != n:
            raise ContractError(pager, f"left out page {pages.ids[at]}")

    def _check_pins(self, plan: Plan, pages: Pages, n: int, pager: str) -> None:
        last = pages.ids[n - 1] if n else 0
        firsts = [entry.first for entry in plan.entries]
        for page in pages.must:
            if page > last:
                break
            entry = plan.entries[bisect.bisect_right(firsts, page) - 1]
            if not isinstance(entry.rendition, Verbatim):
                raise ContractError(pager, f"dropped or shortened page {page}, which is pinned or a system message")

    def _slots(self, entry: Entry, pages: Pages, view: Sequence[Page], pager: str) -> list[Slot]:
        first = bisect.bisect_left(pages.ids, entry.first)
        match entry.rendition:
            case Verbatim():
                last = bisect.bisect_left(pages.ids, entry.last)
                return [self.verbatim(view[i], entry.rule, entry.score) for i in range(first, last + 1)]
            case Shortened() as form:
                if entry.first != entry.last:
                    raise ContractError(pager, f"shortened the run {entry.first}–{entry.last} as one page")
                wrong = None if id(form) in self.known else unsound(view[first], form)
                if wrong:
                    raise ContractError(pager, f"planned a rendition of page {entry.first} that {wrong}")
                return [self.shortened(view[first], form, entry.rule, entry.score)]
            case Digest() as form:
                ids = [excerpt.page for excerpt in form.excerpts]
                if ids != sorted(ids) or (ids and not entry.first <= ids[0] <= ids[-1] <= entry.last):
                    raise ContractError(
                        pager, f"planned a digest of pages {entry.first}–{entry.last} with excerpts out of order"
                    )
                return [self.digest(entry, form)]
            case other:
                raise ContractError(pager, f"planned {other!r}, which is no rendition")
