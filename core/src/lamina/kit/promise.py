"""What a window always says, whatever else stands in it: requests, rules, the plan, where things stand.

A pager that promises makes one :class:`Promise` from its settings and asks it at each compaction for a :class:`Brief`: the
quotes that must stand of pages that are paged out, and the notes behind the last digest. A pager whose plans only keep
newest pages lets :meth:`Promise.keep` do the rest; one that makes digests of its own puts the brief's quotes among them.

Everything follows from the log alone. What is quoted is verbatim, behind its page's id, with the page that answered it;
the newest request, where it is open, stands as the message that it is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from weakref import WeakKeyDictionary

from attrs import define, evolve, field, frozen, validators

from lamina.kit._notes import Notes
from lamina.kit.brief import LABEL, Brief, Quote, found, is_out
from lamina.kit.paging import keep_newest, plan_tokens
from lamina.kit.statements import HEAD, constraints, corrects, gist, shortened
from lamina.kit.working import Did, State, read
from lamina.model import Page, Text
from lamina.protocols import Excerpt, Plan, PlanRequest, Shortened

SESSIONS = 64
"""Sessions whose state is held at once; others are read anew, as far as the reach goes."""
REACH_TOKENS, REACH, REACH_PAGES = 48_000, 6, 250
"""Of a session that comes all at once, so many of the newest tokens, or budgets of them, are read for plan and state; in no
more pages than that."""
LONG = 400
"""Tokens from which on what a person said is shortened to its beginning, own sentences and end; the newest only beyond its
whole share."""
ANSWER = 40
"""Tokens of an answer that is quoted."""
SETTLED = 3
"""Newest pages that may still change: what they say is taken in anew each time."""
LOOKED = 100
"""Older messages of the user that are looked through for constraints at one compaction; they are remembered."""
NEXT = 32
"""Messages in the user's role that are looked through for the next one that a person wrote."""
ROUNDS = 3
"""So often a plan is made anew for what the brief takes from it."""
NOTHING: Mapping[str, float] = dict.fromkeys(
    ("said_share", "rules_share", "plan_share", "state_share", "answers_share"), 0.0
)
"""Settings of a pager that promises nothing."""


def _share(default: float) -> float:
    # Not to be tuned: a search for names that come back would give up what was asked for.
    return field(default=default, validator=[validators.ge(0), validators.le(1)], metadata={"tune": None})


@frozen
class PromiseSettings:
    """Shares are of the window's budget, and upper bounds: what is not there costs nothing. 0 promises nothing."""

    said_share: float = _share(0.2)
    """What people wrote stands up to this share: the newest request, the first, then the newest."""
    rules_share: float = _share(0.1)
    """Instructions files of the project, and constraints in older messages, up to this share beside it."""
    plan_share: float = _share(0.1)
    """Open items of the agent's own plan."""
    state_share: float = _share(0.03)
    """Files, commands, errors and dead ends with their latest state."""
    answers_share: float = _share(0.01)
    """What was answered to a request, and what a correction corrects."""

    @property
    def promises(self) -> bool:
        """Whether anything is promised."""
        return any((self.said_share, self.rules_share, self.plan_share, self.state_share, self.answers_share))


@frozen(eq=False)
class _Words:
    """What a person wrote on a page."""

    said: str
    rules: str
    tokens: int
    """Of ``said``."""
    rules_tokens: int
    shortened: dict[int, str] = field(factory=dict)
    """``said`` in so many tokens, once it was asked for."""


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


class Promise:
    """What a pager promises, for all its sessions.

    Args:
        settings: How much of what.
    """

    def __init__(self, settings: PromiseSettings) -> None:
        self._settings = settings
        self._sessions: dict[str, _Followed] = {}
        self._words: WeakKeyDictionary[Page, _Words] = WeakKeyDictionary()
        self._gists: WeakKeyDictionary[Page, dict[int, tuple[str, int]]] = WeakKeyDictionary()
        """Answers in so many tokens, with their tokens."""
        self._did: WeakKeyDictionary[Page, Did] = WeakKeyDictionary()
        """Of pages that were prepared."""

    def prepare(self, page: Page) -> None:
        """Read a page as it comes, so that the next brief need not; nothing depends on it but when time is spent."""
        if self._settings.plan_share or self._settings.state_share:
            self._did[page] = read(page)

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
        notes = Notes(request.count)
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

    def is_said(self, request: PlanRequest, page: Page) -> bool:
        """Whether a person wrote something on the page."""
        return bool(self._words_of(request, page).said)

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
            at, page = found(request.pages, id)
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
        if most not in words.shortened:
            words.shortened[most] = shortened(words.said, most, request.count)
        text = words.shortened[most]
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
        oldest = request.pages[said[-2][0] if len(said) > 1 else 0].id
        behind = (id for id in reversed(request.asked) if id < oldest)
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
                _, page = found(request.pages, id)
                followed.constraints[id] = "\n".join(constraints(self._words_of(request, page).said))
            if followed.constraints[id]:
                yield found(request.pages, id)[0], followed.constraints[id]

    # ------------------------------------------------------------- what came of it

    def _answered(self, request: PlanRequest, said: Sequence[int]) -> dict[int, int]:
        """Position of a request to that of the page that ended the turn: the agent's words without a call."""
        out: dict[int, int] = {}
        end = len(request.pages)
        for number, at in enumerate(said):
            if number and number == len(said) - 1:
                end = self._next(request, at)  # between the first and the newest some may not be among these
            for back in range(end - 1, max(at, end - 5), -1):
                page = request.pages[back]
                if page.role == "assistant" and len(page.messages) == 1 and not page.messages[0].calls:
                    out[at] = back
                    break
            end = at
        return out

    def _next(self, request: PlanRequest, at: int) -> int:
        """Position of the next page on which a person wrote something; the end if none of the next ones is."""
        behind = bisect_right(request.asked, request.pages[at].id)
        spoken = self._spoken(request, islice(request.asked, behind, behind + NEXT))
        return next((place for place, words in spoken if words.said), len(request.pages))

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
            if at in out or share < LABEL:
                continue
            text, tokens = self._gist(request, pages[at], min(ANSWER, share - LABEL))
            if text and tokens <= share:
                share -= tokens
                out[at] = Quote(at, Excerpt(pages[at].id, text, "assistant", True, why), tokens, whole=False)
        return out

    def _gist(self, request: PlanRequest, page: Page, most: int) -> tuple[str, int]:
        """What decides something in the agent's words, in so many tokens, and its tokens as a quote."""
        known = self._gists.setdefault(page, {})
        if most not in known:
            text = "\n".join(part.text for part in page.messages[0].parts if isinstance(part, Text)).strip()
            text = gist(text, most, request.count)
            known[most] = (text, request.count((text,))[0] + LABEL if text else 0)
        return known[most]

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
            followed.state.take(page, self._did.pop(page, None))
        if settled > followed.done:
            followed.done, followed.last = settled, pages[settled - 1]
        state = followed.state.copy()
        for at in range(settled, len(pages)):
            state.take(pages[at], self._did.get(pages[at]))
        return state


def _labelled(quote: Quote, answer: int | None, pages: Sequence[Page]) -> Quote:
    if answer is None:
        return quote
    return evolve(quote, excerpt=evolve(quote.excerpt, label=f"user, answered in {pages[answer].id}"))


def _room(request: PlanRequest, least: int) -> int:
    """Tokens that system, pinned and newest pages leave, but a tenth at least.

    Args:
        request: What was asked.
        least: Where the newest page leaves a tenth, so many at least, which it gives up.
    """
    pages, must = request.pages, set(request.pinned)
    pinned = sum(found(pages, id)[1].tokens for id in must)
    left = request.budget - pinned - 3 * request.stub_tokens
    form = next((e.rendition for e in reversed(request.entries) if e.first == pages[-1].id), None)
    newest = form.tokens if isinstance(form, Shortened) else 0 if pages[-1].id in must else pages[-1].tokens
    least = min(least, left // 2) if left - newest >= left // 10 else 0
    return max(left - newest, least, left // 10, 0)


def _stands(plan: Plan, page: int) -> bool:
    return any(not is_out(entry) and entry.first <= page <= entry.last for entry in plan.entries)
