"""What a session has said about each identifier, extended page by page as the log grows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from lamina.model import Message, Page, Reasoning, Text, ToolCall, ToolResult
from lamina.protocols import Shortened
from lamina_pager_coverage._text import argument_text, cut, identifiers

PLACES = 3
"""How many of an identifier's latest mentions may stand for it."""
STATEMENTS = 12
"""Lines of a user message, from its beginning, that count as statements."""
STATEMENT = "statement "
"""Begins the key of a line of the user's; it cannot occur in a text, because identifiers hold no spaces."""
HELD = 256
"""Pages that are held at least before any are let go."""
_SHAPE = 40
"""Characters of a single call's arguments that stand in its page's label as they were given: the next call looks alike."""
_SUBJECT = 40
"""Characters of a call's first argument in its page's label."""


@dataclass(slots=True)
class Element:
    """A line, or a clause of a long line, of one text of a page."""

    page: int
    """Position in :attr:`Evidence.pages`."""
    text_number: int
    """Texts of the session are numbered: elements of different texts are never neighbours."""
    line: int
    clause: int
    text: str
    names: tuple[str, ...]
    tokens: float
    """Estimated from its share of its part's characters: nothing is counted twice."""
    encoded: bool = False
    """Whether the text is a lossless rendition, so that its lines are no surroundings of what was said."""
    head: int = -1
    """The element that heads its table, or -1."""
    is_clause: bool = False
    """Whether there are other clauses of its line."""
    counted: int | None = None
    """Tokens, its line's end included, as they were counted, which is done for those that are looked at closely. It is not
    ``tokens``, so that the same request is planned alike again."""


_GONE = Element(sys.maxsize, -1, 0, 0, "", (), 0.0)
"""Stands for the elements of pages that were let go: of no page, beside nothing."""


@dataclass(slots=True)
class Known:
    """What the session has said about one identifier (or one line of the user's)."""

    occurrences: int = 0
    last: int = 0
    calls: int = 0
    replies: int = 0
    only_results: bool = True
    strength: float = 0.0
    """The odds that it is used again, but for how long ago it was mentioned; see :func:`worth`."""
    statement: float = 0.0
    places: list[int] = field(default_factory=list)


def worth(known: Known, now: int) -> float:
    """How likely it is to be used again before the next compaction, in (0, 1).

    A logistic model of the mentions in calls and in replies, the messages since the last one, the lines that hold it,
    whether anyone but tools has mentioned it, and how many identifiers its last message held. The coefficients were
    fitted on recorded sessions and rounded; fitted on coding sessions they rank as well on customer service, and the
    reverse.
    """
    age = 1 + now - known.last
    if known.statement:
        return float(known.statement / age**0.3)
    odds = known.strength * age**-0.6
    return float(odds / (1 + odds))


def _strength(known: Known, crowd: int) -> float:
    """What of the odds does not change until it is mentioned again, where its last message held ``crowd`` identifiers."""
    mentions = (1 + known.calls) * (1 + known.replies)
    strength = mentions**0.6 * known.occurrences**0.25 * (1 + crowd) ** -0.4
    return float(strength * 0.4 if known.only_results else strength)


@dataclass(slots=True)
class _Read:
    """A text that was read: its elements, whose places in the session are not known yet, and what they name."""

    tokens: int
    elements: list[Element]
    last: dict[str, int]
    """Name to the last element that holds it, by number."""
    lines: dict[str, int]
    """Name to how many hold it."""


@dataclass(slots=True)
class _Source:
    """One text of a message, as excerpts are taken from it."""

    text: str
    tokens: int
    in_call: bool
    encoded: bool = False


class Evidence:
    """The evidence of one session."""

    def __init__(self, statement: float) -> None:
        self.pages: list[Page | None] = []
        """By position; ``None`` for pages that were too far back to be looked at, or let go since."""
        self.held: list[int] = []
        """Positions of the others."""
        self.spans: list[tuple[int, int]] = []
        """Elements of each page."""
        self.elements: list[Element] = []
        self.known: dict[str, Known] = {}
        self.now = 0
        """Messages so far."""
        self._statement = statement
        self._texts = 0
        self._cache: dict[str, tuple[str, ...]] = {}
        self._labels: dict[int, str] = {}
        self._enough = HELD
        self._before: dict[str, Known | None] | None = None
        """What was known of the names on the last page, while it may still change."""
        self._read: dict[str, _Read] = {}
        """Texts that were read as they came, until the compaction that takes them in."""
        self._ahead = False
        """Whether lines that name something are counted as they come."""
        self._since = self._named = 0
        """The first page that came since the last compaction, and the elements since then that name something."""

    def prepare(self, page: Page, count: Callable[[Sequence[str]], Sequence[int]]) -> None:
        """Read a page as it comes, so that the compaction which takes it in need not.

        Its lines are counted too, if a quarter of them is looked at so closely anyway, as in large windows.
        """
        for at, message in enumerate(page.messages):
            for index, part in enumerate(message.parts):
                source = _source(page, at, index, part, None)
                if source is not None:
                    read = self._read[source.text] = self._cut(source)
                    if self._ahead:
                        self.count([e for e in read.elements if e.names], count)

    def count(self, elements: Iterable[Element], count: Callable[[Sequence[str]], Sequence[int]]) -> None:
        """Count those that were not counted yet."""
        new = [e for e in elements if e.counted is None]
        for e, tokens in zip(new, count([e.text for e in new]), strict=True):
            e.counted = tokens + 1

    def look_closely(self, elements: Sequence[Element], count: Callable[[Sequence[str]], Sequence[int]]) -> None:
        """Count all that may be chosen; if these are much of what came, what comes next is counted as it comes."""
        self.count(elements, count)
        self._ahead = 4 * sum(e.page >= self._since for e in elements) > self._named
        self._since, self._named = len(self.pages), 0

    def taken_in(self) -> None:
        """Let go of what was prepared: it was taken in, or stands in another form."""
        self._read.clear()

    def skip(self, n: int) -> None:
        """Leave ``n`` pages unexamined: they can only be paged out."""
        self.pages += [None] * n
        self.spans += [(0, 0)] * n

    def add(self, page: Page, form: Shortened | None, *, results: bool = True, may_change: bool = False) -> None:
        """Take in the next page.

        Args:
            page: The page.
            form: In which it entered the window; ``None`` for verbatim.
            results: Whether to read its results too.
            may_change: Whether it might have to be taken back.
        """
        begin, position = len(self.elements), len(self.pages)
        self._before = {} if may_change else None
        self.pages.append(page)
        self.held.append(position)
        for at, message in enumerate(page.messages):
            sources = [
                source
                for index, part in enumerate(message.parts)
                if (results or not isinstance(part, ToolResult))
                and (source := _source(page, at, index, part, form)) is not None
            ]
            if at == 0:
                self._labels[position] = subject(message, next((s.text for s in sources if s.in_call), ""))
            if message.role != "system":
                self._observe(position, message.role, sources)
            self.now += 1
        self.spans.append((begin, len(self.elements)))

    def take_back(self) -> None:
        """Forget the last page, which was added as one that may change."""
        page, (begin, _) = self.pages.pop(), self.spans.pop()
        assert page is not None
        assert self._before is not None
        del self.elements[begin:]
        self.held.pop()
        self._labels.pop(len(self.pages), None)
        self.now -= len(page.messages)
        for name, known in self._before.items():
            if known is None:
                self.known.pop(name, None)
            elif name in self.known:
                self.known[name] = known
        self._before = None

    def drop(self, names: Iterable[str]) -> None:
        """Forget names that are worth too little; if they are named again, they are new."""
        for name in names:
            del self.known[name]

    def let_go(self, standing: Iterable[int], start: int) -> list[int]:
        """Forget what pages before ``start`` say if no name that is known stands there, but for some.

        Args:
            standing: Positions of pages of which something stands in the window.
            start: Position.

        Returns:
            The positions of the pages that are forgotten now; mostly none, because that is done each time that the pages
            held have doubled.
        """
        if len(self.held) < self._enough:
            return []
        needed = {self.elements[x].page for known in self.known.values() for x in known.places}
        last = len(self.pages) - 1  # it may have to be taken back
        needed.update(standing, range(min(start, last), len(self.pages)))
        gone = [at for at in self.held if at not in needed]
        for at in gone:
            begin, end = self.spans[at]
            self.elements[begin:end] = [_GONE] * (end - begin)
            self.spans[at] = (begin, begin)
            self.pages[at] = None
            self._labels.pop(at, None)
        self.held = [at for at in self.held if at in needed]
        self._enough = max(HELD, 2 * len(self.held))
        return gone

    def label(self, at: int) -> str:
        """What the page is, for its excerpts; see :func:`subject`."""
        return self._labels.get(at, "")

    def _observe(self, position: int, role: str, sources: list[_Source]) -> None:
        begin = len(self.elements)
        in_text: set[str] = set()
        in_call: set[str] = set()
        place: dict[str, int] = {}
        lines: dict[str, int] = {}
        for source in sources:
            read = None if source.encoded else self._read.pop(source.text, None)
            if read is None or read.tokens != source.tokens:
                read = self._cut(source)
            self._put(position, read)
            (in_call if source.in_call else in_text).update(read.last)
            if lines:
                for name, n in read.lines.items():
                    lines[name] = lines.get(name, 0) + n
            else:
                lines = read.lines
            first = len(self.elements) - len(read.elements)
            place.update([(name, first + x) for name, x in read.last.items()])
        crowd, before, now, known_names = len(place), self._before, self.now, self.known
        for name, x in place.items():
            known = known_names.get(name)
            if before is not None and name not in before:
                before[name] = copy(known)
            if known is None:
                known = known_names[name] = Known(places=[x])
            else:
                known.places = [*known.places[1 - PLACES :], x]
            known.occurrences += lines[name]
            known.last = now
            if role != "tool":
                known.only_results = False
                known.calls += name in in_call
                known.replies += role == "assistant" and name in in_text
            known.strength = _strength(known, crowd)
        if role == "user" and self._statement:
            for x in range(begin, min(len(self.elements), begin + STATEMENTS)):
                key = f"{STATEMENT}{x}"
                if self._before is not None:
                    self._before[key] = None
                self.known[key] = Known(last=self.now, statement=self._statement, places=[x])

    def _put(self, position: int, read: _Read) -> None:
        """Give the elements of a text their place."""
        self._texts += 1
        number, begin = self._texts, len(self.elements)
        for e in read.elements:
            e.page, e.text_number = position, number
            if e.head >= 0:
                e.head += begin
            if e.names:
                self._named += 1
        self.elements += read.elements

    def _cut(self, source: _Source) -> _Read:
        encoded, rate = source.encoded, source.tokens / max(1, len(source.text))
        elements: list[Element] = []
        last: dict[str, int] = {}
        lines: dict[str, int] = {}
        head = -1
        for x, (line, clause, piece) in enumerate(cut(source.text)):
            is_row = encoded and "|" in piece
            if not is_row:
                head = -1
            names = self.identifiers(piece)
            e = Element(-1, -1, line, clause, piece, names, len(piece) * rate + 1, encoded, head)
            if clause:
                e.is_clause = elements[-1].is_clause = True
            elements.append(e)
            if is_row and head < 0:
                head = x
            for name in names:
                last[name] = x
                lines[name] = lines.get(name, 0) + 1
        return _Read(source.tokens, elements, last, lines)

    def beside(self, x: int) -> list[int]:
        """The clauses before and after an element that is one."""
        elements, e = self.elements, self.elements[x]
        return [
            y
            for y in (x - 1, x + 1)
            if 0 <= y < len(elements) and elements[y].text_number == e.text_number and elements[y].line == e.line
        ]

    def identifiers(self, piece: str) -> tuple[str, ...]:
        """Those in a line, a clause or a label."""
        # Lines repeat (files are read again, logs say the same): remembered, but not without bound.
        found = self._cache.get(piece)
        if found is None:
            if len(self._cache) >= 8192:
                self._cache.clear()
            found = self._cache[piece] = identifiers(piece)
        return found


def _source(page: Page, at: int, index: int, part: object, form: Shortened | None) -> _Source | None:
    tokens = page.part_tokens[at][index] if page.part_tokens else 0
    given = form.texts.get((at, index)) if form is not None else None
    match part:
        case ToolCall(arguments=arguments):
            return _Source(argument_text(arguments), tokens, True)
        case Text(text) | ToolResult(text=text):
            if given is not None and form is not None and form.lossless and _encodes_anew(text, given):
                return _Source(given, round(tokens * len(given) / max(1, len(text))), False, encoded=True)
            return _Source(text, tokens, False)
        case Reasoning():
            return None
        case _:
            return None


def _encodes_anew(text: str, given: str) -> bool:
    """Whether a form has lines of its own, rather than those of the text with other blanks: then it is cut itself."""
    original = {line.strip() for line in text.split("\n")}
    lines = [line.strip() for line in given.split("\n")]
    return 10 * sum(line in original for line in lines) < 9 * len(lines)


def subject(head: Message, arguments: str) -> str:
    """What a page is: who speaks, or the calls' names and the first argument of a single one (of a path its last part)."""
    calls = head.calls
    if not calls:
        return head.role
    names = ",".join(dict.fromkeys(call.name for call in calls))
    if len(calls) == 1 and 2 < len(calls[0].arguments) <= _SHAPE:
        return f"{names} {calls[0].arguments}"
    first = arguments.split("\n", 1)[0].rsplit("/", 1)[-1].strip()
    return f"{names} {first}" if len(calls) == 1 and 0 < len(first) <= _SUBJECT else names


def texts_of(page: Page, form: Shortened | None) -> list[str]:
    """Everything that a page shows in a form, for the names that it makes resident."""
    replaced: Mapping[tuple[int, int], str | None] = form.texts if form is not None else {}
    out = []
    for at, message in enumerate(page.messages):
        for index, part in enumerate(message.parts):
            given = replaced.get((at, index))
            match part:
                case ToolCall(arguments=arguments):
                    out.append(argument_text(given if given is not None else arguments))
                case Text(text) | ToolResult(text=text):
                    out.append(given if given is not None else text)
                case _:
                    pass
    return out
