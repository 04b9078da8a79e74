"""What one window must say: quotes of pages that are paged out, and notes; and how they get into a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from attrs import define, evolve, frozen

from lamina.kit.paging import position
from lamina.kit.statements import shortened
from lamina.model import Page
from lamina.protocols import Digest, Entry, Excerpt, Note, PagedOut, PlanRequest, Verbatim

LABEL = 8
"""Tokens of a quote's own line, about."""
UNDER_WAY = "the request that is open"
"""The rule of an open request that stands as the message that it is."""


@frozen
class Quote:
    """What must stand of one page that is paged out."""

    at: int
    """Position of the page."""
    excerpt: Excerpt
    tokens: int
    """With its own line, about."""
    whole: bool = True
    """Whether it is all that a person wrote there."""

    @property
    def is_owed(self) -> bool:
        """Whether it must stand; an answer stands where there is room for it when a digest is made."""
        return self.excerpt.why not in ("answer", "corrected")


@define
class Brief:
    """What one window must say. Positions are of the request's pages."""

    request: PlanRequest
    quotes: dict[int, Quote]
    """By position, the most important one first."""
    notes: tuple[Note, ...]
    """The most important one first."""
    note_pages: tuple[int, ...]
    """By note, the page that shows the same where it stands."""
    note_tokens: tuple[int, ...]
    standing: int | None
    """Where the open request is, if it is to stand as the message that it is."""
    answered: Mapping[int, int]
    """Position of a request to that of the page that ended its turn."""

    @property
    def tokens(self) -> int:
        """What all of it costs at most, about: where a page stands, its quote costs nothing."""
        own = 0 if self.standing is None else self.request.pages[self.standing].tokens + self.request.stub_tokens
        quoted = sum(quote.tokens for at, quote in self.quotes.items() if at != self.standing)
        return own + quoted + sum(self.note_tokens) + (LABEL if self.notes else 0)

    def within(self, tokens: int) -> Brief:
        """As much of it as fits, the most important first."""
        if self.tokens <= tokens:
            return self
        left = tokens
        standing = self.standing
        if standing is not None:
            left -= self.request.pages[standing].tokens + self.request.stub_tokens
            if left < 0:
                standing, left = None, tokens
        quotes: dict[int, Quote] = {}
        newest = next(iter(self.quotes), None)
        for at, quote in self.quotes.items():
            if at == standing:
                quotes[at] = quote
                continue
            if at == newest and quote.tokens > left:
                quote = _cut(quote, left, self.request)
            if quote.tokens <= left:
                quotes[at] = quote
                left -= quote.tokens
        kept: list[int] = []
        for number, cost in enumerate(self.note_tokens):
            if cost + LABEL * (not kept) <= left:
                left -= cost + LABEL * (not kept)
                kept.append(number)
        return evolve(
            self,
            quotes=quotes,
            standing=standing,
            notes=tuple(self.notes[n] for n in kept),
            note_pages=tuple(self.note_pages[n] for n in kept),
            note_tokens=tuple(self.note_tokens[n] for n in kept),
        )

    def less(self) -> Brief:
        """The same without about a quarter of it, the least important."""
        return self.within(self.tokens - max(16, self.tokens // 4))

    def between(self, begin: int, end: int, apart: Iterable[int] = ()) -> list[Excerpt]:
        """The quotes of ``pages[begin:end]`` but for some positions, in log order."""
        left_out = frozenset(apart)
        found = sorted(at for at in self.quotes if begin <= at < end and at not in left_out)
        return [self.quotes[at].excerpt for at in found]

    def unshown(self, after: int, stands: Callable[[int], bool]) -> tuple[Note, ...]:
        """The notes that pages which stand do not show already.

        Args:
            after: Id of the first page behind the notes: an open request that stands there speaks for itself.
            stands: Asked for page ids.
        """
        told = [
            page >= after if note.why == "request" else stands(page)
            for note, page in zip(self.notes, self.note_pages, strict=True)
        ]
        return tuple(note for note, is_told in zip(self.notes, told, strict=True) if not is_told)

    def reads_open(self, at: int, stands: Callable[[int], bool]) -> bool:
        """Whether a request that was answered would read as if it were open: it stands, what came of it does not.

        Args:
            at: Position of a page that stands as the message that it is.
            stands: Asked for positions.
        """
        answer = self.answered.get(at)
        return answer is not None and at in self.quotes and not (stands(at + 1) and stands(answer))

    def woven(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """The entries, with the quotes of what they page out, and the notes in the last run that is paged out.

        A request that would read as open although it was answered is paged out, and quoted.
        """
        pages, out = self.request.pages, list[Entry]()
        entries = list(self._as_past(entries))
        standing = {id for entry in entries if not is_out(entry) for id in (entry.first, entry.last)}
        spans = [(e.first, e.last) for e in entries if not is_out(e)]

        def stands(page: int) -> bool:
            return page in standing or any(first <= page <= last for first, last in spans)

        for entry in entries:
            if not is_out(entry):
                out.append(entry)
                continue
            begin, end = _positions(pages, entry)
            if self.standing is not None and begin <= self.standing < end:
                out += self._run(entry, begin, self.standing)
                request = pages[self.standing].id
                out.append(Entry(request, request, Verbatim(), UNDER_WAY))
                out += self._run(entry, self.standing + 1, end)
            else:
                out += self._run(entry, begin, end)
        last = max((n for n, entry in enumerate(out) if is_out(entry)), default=None)
        notes = self.unshown(out[last].last + 1, stands) if last is not None else ()
        if last is not None and notes:
            held = out[last].rendition
            excerpts = held.excerpts if isinstance(held, Digest) else ()
            out[last] = evolve(out[last], rendition=Digest(excerpts, notes=notes))
        return tuple(out)

    def _as_past(self, entries: Sequence[Entry]) -> Iterator[Entry]:
        pages = self.request.pages
        spans = [_positions(pages, entry) for entry in entries if not is_out(entry)]

        def stands(at: int) -> bool:
            return any(begin <= at < end for begin, end in spans)

        for entry in entries:
            begin, end = _positions(pages, entry)
            gone = [at for at in sorted(self.answered) if begin <= at < end and self.reads_open(at, stands)]
            if is_out(entry) or not gone or not isinstance(entry.rendition, Verbatim):
                yield entry
                continue
            for at in gone:
                if pages[at].pinned:
                    continue
                if begin < at:
                    yield evolve(entry, first=pages[begin].id, last=pages[at - 1].id)
                yield Entry(pages[at].id, pages[at].id, PagedOut(), "answered: stands as a quote")
                begin = at + 1
            if begin < end:
                yield evolve(entry, first=pages[begin].id)

    def _run(self, entry: Entry, begin: int, end: int) -> Iterator[Entry]:
        if begin >= end:
            return
        pages = self.request.pages
        first, last = pages[begin].id, pages[end - 1].id
        known = entry.rendition.excerpts if isinstance(entry.rendition, Digest) else ()
        excerpts = merged(self.between(begin, end), [e for e in known if first <= e.page <= last])
        yield evolve(entry, first=first, last=last, rendition=Digest(excerpts) if excerpts else PagedOut())


def merged(quotes: Sequence[Excerpt], others: Sequence[Excerpt]) -> tuple[Excerpt, ...]:
    """Quotes and other excerpts in log order, the quote of a page before its other excerpts."""
    return tuple(sorted([*quotes, *others], key=lambda excerpt: excerpt.page))


def _cut(quote: Quote, left: int, request: PlanRequest) -> Quote:
    if left < 2 * LABEL:
        return quote
    text = shortened(quote.excerpt.text, left - LABEL, request.count)
    tokens = request.count((text,))[0] + LABEL
    return evolve(quote, excerpt=evolve(quote.excerpt, text=text, why="said, shortened"), tokens=tokens, whole=False)


def found(pages: Sequence[Page], id: int) -> tuple[int, Page]:
    """A page that is there, and its position."""
    at = position(pages, id)
    assert at is not None
    return at, pages[at]


def _positions(pages: Sequence[Page], entry: Entry) -> tuple[int, int]:
    return found(pages, entry.first)[0], found(pages, entry.last)[0] + 1


def is_out(entry: Entry) -> bool:
    """Whether the entry's pages do not stand as the messages that they are."""
    return isinstance(entry.rendition, PagedOut | Digest)
