"""What a window always says, whatever else stands in it: requests, rules, the plan, where things stand.

A pager that promises makes one :class:`Promise` from its settings and asks it at each compaction for a :class:`Brief`: the
quotes that must stand of pages that are paged out, and the notes behind the last digest. A pager whose plans only keep
newest pages lets :meth:`Promise.keep` do the rest; one that makes digests of its own puts the brief's quotes among them.

Everything follows from the log alone. What is quoted is verbatim, behind its page's id, with the page that answered it;
the newest request, where it is open, stands as the message that it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from weakref import WeakKeyDictionary

from attrs import define, evolve, field, frozen, validators

from lamina.kit.statements import HEAD, constraints, corrects, gist, shortened
from lamina.kit.working import State
from lamina.model import Page, Text
from lamina.paging import keep_newest, plan_tokens, position
from lamina.protocols import Digest, Entry, Excerpt, Note, PagedOut, Plan, PlanRequest, Shortened, Verbatim

SESSIONS = 64
"""Sessions whose state is held at once; others are read anew, as far as the reach goes."""
REACH_TOKENS, REACH, REACH_PAGES = 48_000, 6, 400
"""Of a session that comes all at once, so many of the newest tokens, or budgets of them, are read for plan and state; in no
more pages than that."""
LONG = 400
"""Tokens from which on what a person said is shortened to its beginning, own sentences and end; the newest only beyond its
whole share."""
LABEL = 8
"""Tokens of a quote's own line, about."""
ANSWER = 40
"""Tokens of an answer that is quoted."""
SETTLED = 3
"""Newest pages that may still change: what they say is taken in anew each time."""
LOOKED = 100
"""Older messages of the user that are looked through for constraints at one compaction; they are remembered."""
ROUNDS = 3
"""So often a plan is made anew for what the brief takes from it."""
NOTHING: Mapping[str, float] = dict.fromkeys(
    ("said_share", "rules_share", "plan_share", "state_share", "answers_share"), 0.0
)
"""Settings of a pager that promises nothing."""
UNDER_WAY = "the request that is open"


def _share(default: float, most: float) -> float:
    return field(default=default, validator=[validators.ge(0), validators.le(1)], metadata={"tune": (0.0, most)})


@frozen
class PromiseSettings:
    """Shares are of the window's budget, and upper bounds: what is not there costs nothing. 0 promises nothing."""

    said_share: float = _share(0.2, 0.4)
    """What people wrote stands up to this share: the newest request, the first, then the newest."""
    rules_share: float = _share(0.1, 0.2)
    """Instructions files of the project, and constraints in older messages, up to this share beside it."""
    plan_share: float = _share(0.1, 0.2)
    """Open items of the agent's own plan."""
    state_share: float = _share(0.04, 0.15)
    """Files, commands, errors and dead ends with their latest state."""
    answers_share: float = _share(0.01, 0.15)
    """What was answered to a request, and what a correction corrects."""

    @property
    def promises(self) -> bool:
        """Whether anything is promised."""
        return any((self.said_share, self.rules_share, self.plan_share, self.state_share, self.answers_share))


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


@frozen(eq=False)
class _Words:
    """What a person wrote on a page."""

    said: str
    rules: str
    tokens: int
    """Of ``said``."""
    rules_tokens: int


_NONE = _Words("", "", 0, 0)


@define
class _Followed:
    """What is known of one session."""

    state: State = field(factory=State)
    done: int = 0
    last: Page | None = None
    """The last page that ``state`` has taken in."""
    constraints: dict[int, str] = field(factory=dict)
    """By page id."""


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
        standing = {id for entry in entries if not _is_out(entry) for id in (entry.first, entry.last)}
        spans = [(e.first, e.last) for e in entries if not _is_out(e)]

        def stands(page: int) -> bool:
            return page in standing or any(first <= page <= last for first, last in spans)

        for entry in entries:
            if not _is_out(entry):
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
        last = max((n for n, entry in enumerate(out) if _is_out(entry)), default=None)
        notes = self.unshown(out[last].last + 1, stands) if last is not None else ()
        if last is not None and notes:
            held = out[last].rendition
            excerpts = held.excerpts if isinstance(held, Digest) else ()
            out[last] = evolve(out[last], rendition=Digest(excerpts, notes=notes))
        return tuple(out)

    def _as_past(self, entries: Sequence[Entry]) -> Iterator[Entry]:
        pages = self.request.pages
        spans = [_positions(pages, entry) for entry in entries if not _is_out(entry)]

        def stands(at: int) -> bool:
            return any(begin <= at < end for begin, end in spans)

        for entry in entries:
            begin, end = _positions(pages, entry)
            gone = [at for at in sorted(self.answered) if begin <= at < end and self.reads_open(at, stands)]
            if _is_out(entry) or not gone or not isinstance(entry.rendition, Verbatim):
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


class Promise:
    """What a pager promises, for all its sessions.

    Args:
        settings: How much of what.
    """

    def __init__(self, settings: PromiseSettings) -> None:
        self._settings = settings
        self._sessions: dict[str, _Followed] = {}
        self._words: WeakKeyDictionary[Page, _Words] = WeakKeyDictionary()

    async def keep(self, request: PlanRequest, plan: Callable[[PlanRequest], Awaitable[Plan]]) -> Plan:
        """A plan that leaves room for the brief, with the brief in it.

        Args:
            request: What was asked.
            plan: Makes a plan that keeps or pages out; asked again for smaller budgets, some times at most.
        """
        if not request.pages or not self._settings.promises:
            return await plan(request)
        made = await keep_newest(request)  # the cheapest of plans says about what will be out
        brief, newest = self.brief(request), request.pages[-1].id
        for _ in range(ROUNDS):
            # What the brief adds to these entries; where less stands, it adds a little more.
            added = plan_tokens(request, brief.woven(made.entries)) - plan_tokens(request, made.entries)
            made = await plan(evolve(request, budget=max(1, request.budget - added)))
            woven = brief.woven(made.entries)
            if plan_tokens(request, woven) <= request.budget and _stands(made, newest):
                return Plan(woven)
        return await self._squeezed(request, brief, plan)

    async def _squeezed(
        self, request: PlanRequest, brief: Brief, plan: Callable[[PlanRequest], Awaitable[Plan]]
    ) -> Plan:
        """The plan with as much of the brief as fits, where hardly anything does."""
        while brief.tokens > LABEL and (brief.quotes or brief.notes):
            made = await plan(evolve(request, budget=max(1, request.budget - brief.tokens)))
            woven = brief.woven(made.entries)
            if plan_tokens(request, woven) <= request.budget and _stands(made, request.pages[-1].id):
                return Plan(woven)
            brief = brief.less()
        return await plan(request)

    def brief(self, request: PlanRequest) -> Brief:
        """What this window must say, as far as system, pinned and newest pages leave room for it.

        Reads the user's messages from the newest back until their share is full, and what is new for plan and state.
        """
        settings, budget = self._settings, request.budget
        followed = self._followed(request.session)
        said = self._said(request)
        quotes, standing = self._requests(request, said, int(settings.said_share * budget))
        answered = self._answered(request, [at for at, _ in said])
        quotes = {at: _labelled(quote, answered.get(at), request.pages) for at, quote in quotes.items()}
        rules = self._rules(request, followed, said, quotes, int(settings.rules_share * budget))
        quotes |= {at: quote for at, quote in rules.items() if at not in quotes}
        answers = self._answers(request, quotes, answered, int(settings.answers_share * budget))
        if said and said[0][0] in answered:
            standing = None
        notes = _Notes(request.count)
        if settings.said_share:
            notes.requests(request, [at for at, _ in said], answered)
        state = self._state(request, followed)
        notes.plan(state, int(settings.plan_share * budget))
        notes.state(state, int(settings.state_share * budget))
        brief = Brief(
            request, quotes | answers, tuple(notes.lines), tuple(notes.pages), tuple(notes.tokens), standing, answered
        )
        newest = next(iter(quotes.values()), None)
        return brief.within(_room(request, min(newest.tokens, HEAD + LABEL) if newest else 0))

    # ------------------------------------------------------------- what people said

    def _said(self, request: PlanRequest) -> list[tuple[int, _Words]]:
        """Positions of pages on which a person wrote something, newest first, until their share is full; and the first."""
        left = self._settings.said_share * request.budget
        out: list[tuple[int, _Words]] = []
        for at, words in self._spoken(request, reversed(request.asked)):
            if words.said:
                left -= min(words.tokens, LONG)
                if left < 0 and out:
                    break
                out.append((at, words))
        first = next((one for one in self._spoken(request, islice(request.asked, 64)) if one[1].said), None)
        if first is not None and out and first[0] < out[-1][0]:
            out.append(first)
        return out

    def _spoken(self, request: PlanRequest, asked: Iterable[int]) -> Iterator[tuple[int, _Words]]:
        for id in asked:
            at, page = _found(request.pages, id)
            yield at, self._words_of(request, page)

    def _words_of(self, request: PlanRequest, page: Page) -> _Words:
        words = self._words.get(page)
        if words is None:
            found = request.passages(page)
            said = "\n".join(passage.text for passage in found if not passage.rules)
            rules = "\n".join(passage.text for passage in found if passage.rules)
            counts = request.count((said, rules)) if found else (0, 0)
            words = self._words[page] = _Words(said, rules, counts[0], counts[1]) if found else _NONE
        return words

    def _requests(
        self, request: PlanRequest, said: Sequence[tuple[int, _Words]], share: int
    ) -> tuple[dict[int, Quote], int | None]:
        """Quotes of what people said, the newest first, then the first; and where the newest can stand as a message."""
        if not said or not share:
            return {}, None
        newest = said[0][0]
        order = [said[0], *said[-1:], *said[1:-1]] if len(said) > 1 else list(said)
        quotes = {at: self._quote(request, at, words, share if at == newest else LONG) for at, words in order}
        return quotes, newest if request.pages[newest].tokens <= max(share, 1) else None

    def _quote(self, request: PlanRequest, at: int, words: _Words, most: int) -> Quote:
        page = request.pages[at]
        if words.tokens <= most:
            return Quote(at, Excerpt(page.id, words.said, "user", True, "said"), words.tokens + LABEL)
        text = shortened(words.said, most, request.count)
        return Quote(at, Excerpt(page.id, text, "user", True, "said, shortened"), most + LABEL, whole=False)

    def _rules(
        self,
        request: PlanRequest,
        followed: _Followed,
        said: Sequence[tuple[int, _Words]],
        quotes: Mapping[int, Quote],
        share: int,
    ) -> dict[int, Quote]:
        """The project's rules, and constraints of messages that the share of what was said does not reach."""
        out: dict[int, Quote] = {}
        if not share:
            return out
        seen: set[str] = set()
        for at, words in self._spoken(request, islice(reversed(request.asked), 32)):
            if words.rules and words.rules not in seen and at not in quotes:
                seen.add(words.rules)
                text = words.rules if words.rules_tokens <= share else shortened(words.rules, share, request.count)
                tokens = min(words.rules_tokens, share) + LABEL
                out[at] = Quote(at, Excerpt(request.pages[at].id, text, "rules of the project", True, "rules"), tokens)
                share -= tokens
                if share <= 0:
                    return out
        oldest = said[-2][0] if len(said) > 1 else 0
        behind = (id for id in reversed(request.asked) if id < request.pages[oldest].id)
        for at, text in self._constraints(request, followed, islice(behind, LOOKED + len(followed.constraints))):
            if at not in quotes and at not in out:
                tokens = request.count((text,))[0] + LABEL
                if tokens > share:
                    break
                share -= tokens
                out[at] = Quote(
                    at, Excerpt(request.pages[at].id, text, "user", True, "constraint"), tokens, whole=False
                )
        return out

    def _constraints(self, request: PlanRequest, followed: _Followed, ids: Iterable[int]) -> Iterator[tuple[int, str]]:
        for id in ids:
            if id not in followed.constraints:
                _, page = _found(request.pages, id)
                followed.constraints[id] = "\n".join(constraints(self._words_of(request, page).said))
            if followed.constraints[id]:
                yield _found(request.pages, id)[0], followed.constraints[id]

    # ------------------------------------------------------------- what came of it

    def _answered(self, request: PlanRequest, said: Sequence[int]) -> dict[int, int]:
        """Position of a request to that of the page that ended the turn: the agent's words without a call."""
        out: dict[int, int] = {}
        end = len(request.pages)
        for at in said:
            for back in range(end - 1, max(at, end - 5), -1):
                page = request.pages[back]
                if page.role == "assistant" and len(page.messages) == 1 and not page.messages[0].calls:
                    out[at] = back
                    break
            end = at
        return out

    def _answers(
        self, request: PlanRequest, quotes: Mapping[int, Quote], answered: Mapping[int, int], share: int
    ) -> dict[int, Quote]:
        """What corrections correct, then answers, the newest first."""
        pages = request.pages
        corrected = [
            at - 1 for at in quotes if at and pages[at - 1].role == "assistant" and corrects(quotes[at].excerpt.text)
        ]
        out: dict[int, Quote] = {}
        for at, why in [*((at, "corrected") for at in corrected), *((at, "answer") for at in answered.values())]:
            text = "\n".join(p.text for p in pages[at].messages[0].parts if isinstance(p, Text)).strip()
            if at in out or not text or share < LABEL:
                continue
            text = gist(text, min(ANSWER, share - LABEL), request.count)
            tokens = request.count((text,))[0] + LABEL
            if text and tokens <= share:
                share -= tokens
                out[at] = Quote(at, Excerpt(pages[at].id, text, "assistant", True, why), tokens, whole=False)
        return out

    # ------------------------------------------------------------- plan and state

    def _followed(self, session: str) -> _Followed:
        followed = self._sessions.pop(session, None) or _Followed()
        self._sessions[session] = followed  # the most recently used one is last
        if len(self._sessions) > SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return followed

    def _state(self, request: PlanRequest, followed: _Followed) -> State:
        """Where things stand after the last page."""
        pages = request.pages
        last = followed.last
        if followed.done > len(pages) or (last is not None and pages[followed.done - 1].messages is not last.messages):
            followed.state, followed.done = State(), 0
        settled = max(followed.done, len(pages) - SETTLED)
        new, left = list[Page](), max(REACH_TOKENS, REACH * request.budget)
        for at in range(settled - 1, max(followed.done, settled - REACH_PAGES) - 1, -1):
            if left <= 0:
                break
            new.append(pages[at])
            left -= new[-1].tokens
        for page in reversed(new):
            followed.state.take(page)
        if settled > followed.done:
            followed.done, followed.last = settled, pages[settled - 1]
        state = followed.state.copy()
        for at in range(settled, len(pages)):
            state.take(pages[at])
        return state


class _Notes:
    """Notes in the making, with the pages that show the same."""

    def __init__(self, count: Callable[[Sequence[str]], Sequence[int]]) -> None:
        self._count = count
        self.lines: list[Note] = []
        self.pages: list[int] = []
        self.tokens: list[int] = []

    def _add(self, text: str, why: str, page: int, tokens: int | None = None) -> None:
        self.lines.append(Note(text, why))
        self.pages.append(page)
        self.tokens.append(self._count((text,))[0] + 1 if tokens is None else tokens)

    def requests(self, request: PlanRequest, said: Sequence[int], answered: Mapping[int, int]) -> None:
        """Which request is open."""
        if not said:
            return
        ids = [request.pages[at].id for at in said]
        if said[0] in answered:
            text = f"no request is open: the last, {ids[0]}, was answered in {request.pages[answered[said[0]]].id}"
        else:
            before = []
            for at, id in zip(said[1:], ids[1:], strict=True):
                if at in answered:
                    break
                before.append(str(id))
            text = f"open: what the user asked in {ids[0]}" + (f" (and in {', '.join(before[:8])})" if before else "")
        self._add(text, "request", ids[0])

    def plan(self, state: State, share: int) -> None:
        """The plan's open items."""
        plan = state.plan
        if plan is None or not share:
            return
        done = sum(item.status == "done" for item in plan.items)
        if not plan.open:
            self._add(f"plan of {plan.page}: all {len(plan.items)} items done", "plan", plan.page)
            return
        lines = [f"- [{'in progress' if item.status == 'doing' else ' '}] {item.text}" for item in plan.open]
        counts = [n + 1 for n in self._count(lines)]
        kept, tokens = 0, 16
        while kept < len(lines) and tokens + counts[kept] <= share:
            tokens += counts[kept]
            kept += 1
        more = f", {len(lines) - kept} more open" if kept < len(lines) else ""
        head = f"plan of {plan.page} ({done} of {len(plan.items)} done{more}):"
        self._add("\n".join([head, *lines[:kept]]), "plan", plan.page, tokens)

    def state(self, state: State, share: int) -> None:
        """Commands, errors, files and dead ends, each kind's latest first, as far as they fit."""
        made: list[tuple[str, str, int]] = []
        for command, ran in reversed(state.ran.items()):
            how = "failed" if ran.failed else "ran"
            made.append(
                (f"{how} in {ran.page}: {command}" + (f" → {ran.says}" if ran.says else ""), "command", ran.page)
            )
        tried = [
            (
                f"tried in vain in {failed.page}: {failed.call}" + (f" → {failed.says}" if failed.says else ""),
                "dead end",
                failed.page,
            )
            for failed in reversed(state.failed.values())
            if not any(ran.page == failed.page for ran in state.ran.values())
        ]
        files = [(_file_line(path, file), "file", file.page) for path, file in reversed(state.files.items())]
        changed = [
            line for line, (_, file) in zip(files, reversed(state.files.items()), strict=True) if file.did != "read"
        ]
        read = [line for line in files if line not in changed]
        lines = [*made[:3], *changed[:8], *tried[:6], *read[:4], *made[3:6], *changed[8:16]]
        for (text, why, page), tokens in zip(lines, self._count([line for line, _, _ in lines]), strict=True):
            if tokens + 1 <= share:
                share -= tokens + 1
                self._add(text, why, page, tokens + 1)


def _file_line(path: str, file: object) -> str:
    from lamina.kit.working import File

    assert isinstance(file, File)
    whole = (
        f"; whole in {file.whole}" + (", changed since" if file.changed_since else "")
        if file.whole and file.whole != file.page
        else ""
    )
    return f"{file.did} in {file.page}: {path}{whole}"


def merged(quotes: Sequence[Excerpt], others: Sequence[Excerpt]) -> tuple[Excerpt, ...]:
    """Quotes and other excerpts in log order, the quote of a page before its other excerpts."""
    return tuple(sorted([*quotes, *others], key=lambda excerpt: excerpt.page))


def _labelled(quote: Quote, answer: int | None, pages: Sequence[Page]) -> Quote:
    if answer is None:
        return quote
    return evolve(quote, excerpt=evolve(quote.excerpt, label=f"user, answered in {pages[answer].id}"))


def _cut(quote: Quote, left: int, request: PlanRequest) -> Quote:
    if left < 2 * LABEL:
        return quote
    text = shortened(quote.excerpt.text, left - LABEL, request.count)
    tokens = request.count((text,))[0] + LABEL
    return evolve(quote, excerpt=evolve(quote.excerpt, text=text, why="said, shortened"), tokens=tokens, whole=False)


def _room(request: PlanRequest, least: int) -> int:
    """Tokens that system, pinned and newest pages leave, but a tenth at least.

    Args:
        request: What was asked.
        least: Where the newest page leaves a tenth, so many at least, which it gives up.
    """
    pages, must = request.pages, set(request.pinned)
    pinned = sum(_found(pages, id)[1].tokens for id in must)
    left = request.budget - pinned - 3 * request.stub_tokens
    form = next((e.rendition for e in reversed(request.entries) if e.first == pages[-1].id), None)
    newest = form.tokens if isinstance(form, Shortened) else 0 if pages[-1].id in must else pages[-1].tokens
    least = min(least, left // 2) if left - newest >= left // 10 else 0
    return max(left - newest, least, left // 10, 0)


def _found(pages: Sequence[Page], id: int) -> tuple[int, Page]:
    """A page that is there, and its position; ids begin at 1 and nearly always stand without gaps."""
    if 0 < id <= len(pages) and (page := pages[id - 1]).id == id:
        return id - 1, page
    at = position(pages, id)
    assert at is not None
    return at, pages[at]


def _positions(pages: Sequence[Page], entry: Entry) -> tuple[int, int]:
    return _found(pages, entry.first)[0], _found(pages, entry.last)[0] + 1


def _is_out(entry: Entry) -> bool:
    return isinstance(entry.rendition, PagedOut | Digest)


def _stands(plan: Plan, page: int) -> bool:
    return any(not _is_out(entry) and entry.first <= page <= entry.last for entry in plan.entries)
