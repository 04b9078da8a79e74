"""One plan in the making, and what it may keep of the last one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from lamina.kit.brief import Brief
from lamina.protocols import Note, PlanRequest, Shortened
from lamina_pager_coverage._evidence import Element
from lamina_pager_coverage._session import Item, Session

PRESENT = ("request", "plan")
"""Notes that say what is, where the others say what happened."""
TEXT = 200
"""Letters from which on what a person wrote is whole text, like a page that stands, and no loose line."""


@dataclass(slots=True)
class Frame:
    """One plan in the making."""

    request: PlanRequest
    session: Session
    brief: Brief
    room: int
    """Of the budget, what pages that must stand leave."""
    must: frozenset[int]
    """Positions that stand verbatim whatever is chosen: system and pinned pages, and the open request."""
    fitted: dict[int, Shortened] = field(default_factory=dict)
    """Position to a form that was asked for now, because the page is too large for the budget."""
    fitted_sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Tokens of pages whose form is of this plan alone; see :attr:`Session.sizes`."""
    start: int = 0
    """The first position of the tail of newest pages."""
    fill: bool = False
    """Whether the window is to be filled, rather than to leave room and to cost little."""
    used: int = 0
    solid: int = 0
    value: dict[str, float] = field(default_factory=dict)
    """Worth of the names that may be covered."""
    candidates: dict[int, list[str]] = field(default_factory=dict)
    """Element to the names that it may stand for."""

    def promised(self, begin: int, end: int) -> int:
        """Tokens of the quotes of these positions, and of the notes."""
        quotes = sum(q.tokens for at, q in self.brief.quotes.items() if begin <= at < end and at not in self.must)
        return quotes + sum(self.brief.note_tokens)

    def texts(self, begin: int, end: int) -> int:
        """Tokens of the quotes among these that are whole text."""
        quotes = ((at, q) for at, q in self.brief.quotes.items() if begin <= at < end and at not in self.must)
        return sum(q.tokens for _, q in quotes if q.is_owed and len(q.excerpt.text) >= TEXT)

    def loose(self, begin: int, end: int) -> int:
        """Tokens of what is promised there in short lines; they never dominate a window, as excerpts do not."""
        return self.promised(begin, end) - self.texts(begin, end)

    def form(self, at: int) -> Shortened | None:
        """The form of the page in this plan; ``None`` for verbatim."""
        if at in self.must:
            return None
        return self.fitted.get(at) or self.session.forms.get(self.request.pages[at].id)

    def page_tokens(self, at: int) -> tuple[int, int]:
        """Of the page in its form: all its tokens, and those of its texts."""
        sizes = self.fitted_sizes if at in self.must or at in self.fitted else self.session.sizes
        found = sizes.get(at)
        if found is None:
            page, form = self.request.pages[at], self.form(at)
            whole = page.tokens if form is None else form.tokens
            frames = 4 * sum(1 + len(message.calls) for message in page.messages)
            found = sizes[at] = (whole, max(0, whole - frames))
        return found

    def quoted(self, element: Element) -> bool:
        """Whether a quote shows the element already."""
        quote = self.brief.quotes.get(element.page)
        return quote is not None and (quote.whole or element.text in quote.excerpt.text)

    def stays(self, item: Item) -> bool:
        """Whether what stands may stay as it is: it says what it must, and nothing that is no longer so."""
        if item.end > self.start:
            return False
        if item.page is not None:
            return item.forced == (item.page in self.must)
        if any(item.first <= at < item.end for at in self.must):
            return False
        # A file's or a command's state of then is still true of then; a request or a plan would read as open.
        if any(note.why in PRESENT and note not in self.brief.notes for note in item.notes):
            return False
        owed = (q.excerpt for at, q in self.brief.quotes.items() if item.first <= at < item.end and q.is_owed)
        return all(excerpt in item.excerpts for excerpt in owed)

    def note(self, items: list[Item], whole: Collection[int], kept: Collection[Item]) -> None:
        """Put the notes behind the last digest, but for those that pages or earlier digests show.

        They stand in a digest of their own, of its last page: what changes with each compaction is at the end, so that the
        excerpts before it can stay as they are, and cached.

        Args:
            items: What is new before the tail, in order.
            whole: Positions among them of pages that stand whole.
            kept: What stands before them.
        """
        pages = self.request.pages
        at = next((n for n in range(len(items) - 1, -1, -1) if items[n].page is None), None)
        if at is None:
            return
        item = items[at]
        start = pages[self.start].id if self.start < len(pages) else pages[-1].id + 1
        places = {*whole, *(one.page for one in kept if one.page is not None)}
        standing = {pages[at].id for at in places}
        told = {note for one in kept for note in one.notes}
        unshown = self.brief.unshown(pages[item.end - 1].id + 1, lambda page: page >= start or page in standing)
        notes = tuple(note for note in unshown if note not in told)
        if notes:
            items[at : at + 1] = self._apart(item, notes)

    def _apart(self, item: Item, notes: tuple[Note, ...]) -> list[Item]:
        last, elements = item.end - 1, self.session.evidence.elements
        if item.first == last:
            item.notes = notes
            return [item]
        own = [x for x in item.elements if elements[x].page == last]
        page = self.request.pages[last].id
        excerpts = tuple(excerpt for excerpt in item.excerpts if excerpt.page == page)
        behind = Item(last, item.end, own, None, 0, 0, excerpts, notes, unexplained=bool(own))
        item.end = last
        item.elements = [x for x in item.elements if elements[x].page < last]
        item.excerpts = tuple(excerpt for excerpt in item.excerpts if excerpt.page < page)
        return [item, behind]
