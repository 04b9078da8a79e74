"""The coverage pager: append until the budget is full, then decide anew what stands before the newest pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from attrs import evolve

from lamina.kit.brief import UNDER_WAY, merged
from lamina.kit.paging import keep_newest, plan_tokens, position, shorten_to
from lamina.kit.promise import NOTHING, Promise, PromiseSettings
from lamina.protocols import (
    AdmitRequest,
    Digest,
    Entry,
    PagedOut,
    Plan,
    PlanRequest,
    Pressure,
    Shortened,
    Verbatim,
)
from lamina_pager_coverage._choose import STUB, Choice, Chooser, Scene, Shown
from lamina_pager_coverage._evidence import STATEMENT, texts_of, worth
from lamina_pager_coverage._excerpts import excerpts_of, whys
from lamina_pager_coverage._frame import Frame
from lamina_pager_coverage._session import Item, Session
from lamina_pager_coverage._settings import CoverageSettings
from lamina_pager_coverage._text import identifiers

REFERENCE = CoverageSettings().costs()[1]
"""What a new token costs at the prices for which ``price`` is stated."""
LARGE = 48
"""Tokens from which on a lossless shorter form is worth asking for when a page enters."""
WIDE = 1.5
"""Candidates of so many times the room are looked at closely."""
NAME = 8
"""Tokens of the budget for each name that is examined: many more than excerpts could show."""
PROSE = 400
"""Tokens up to which a message without calls and results is left as it is."""
SESSIONS = 64
"""Sessions whose evidence is held at once; of others it is gathered anew at their next compaction."""


def fits(request: PlanRequest, plan: Plan) -> bool:
    """Whether the plan's window is within the budget, and the newest page stands in it.

    Where the budget hardly holds the pins and a stub, shares of what they leave mean nothing.
    """
    newest = plan.entries[-1].rendition
    return isinstance(newest, Verbatim | Shortened) and plan_tokens(request, plan.entries) <= request.budget


def _best(rated: Sequence[tuple[float, float, int]], price: float, most_tokens: float) -> list[int]:
    """Of (tokens, gain, which) those whose gain pays their tokens; of more than so many tokens the best per token."""
    paying = [one for one in rated if one[1] >= price * one[0]]
    if sum(tokens for tokens, _, _ in paying) > most_tokens:
        paying.sort(key=lambda one: (-one[1] / max(one[0], 1), one[2]))
        for at, (tokens, _, _) in enumerate(paying):
            most_tokens -= tokens
            if most_tokens < 0:
                del paying[at + 1 :]
                break
    return sorted(which for _, _, which in paying)


class CoveragePager:
    """Plans by coverage; see the package's README for the method and what was measured."""

    def __init__(self, settings: CoverageSettings) -> None:
        self._settings = settings
        self._promise = Promise(settings)
        # In talk half of all words are the user's: quoting the newest of them would leave no room to choose.
        talk = {"said_share": settings.talk_said_share, "rules_share": settings.talk_said_share}
        self._talk_promise = Promise(PromiseSettings(**{**NOTHING, **talk}))
        self._sessions: dict[str, Session] = {}

    def _session(self, id: str) -> Session:
        session = self._sessions.pop(id, None) or Session(self._settings.statement)
        self._sessions[id] = session  # the most recently used one is last
        if len(self._sessions) > SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return session

    # ------------------------------------------------------------- between compactions

    def due(self, request: Pressure) -> bool:
        """Never before the window is full: until then every page stands as it was said."""
        session = self._sessions.get(request.session)
        if session is not None:
            session.windows += 1
        else:
            self._session(request.session).windows += 1
        return False

    def large(self, budget: int) -> int | None:
        """Every page but the smallest is looked at as it enters: a lossless shorter form costs nothing then."""
        return LARGE

    async def admit(self, request: AdmitRequest) -> Shortened | None:
        """A lossless form that saves a twentieth or more; of a page too large for the budget, the most that fits."""
        page = request.page
        session = self._sessions.get(request.session)
        if session is not None and not session.is_talk:
            session.evidence.prepare(page, request.count)
            self._promise.prepare(page)
        limit = max(1, int(self._settings.entry_share * request.budget))
        if page.tokens <= min(limit, PROSE) and len(page.messages) == 1 and not page.messages[0].calls:
            return None  # a person's or a model's own words: hardly ever data that has a shorter form
        offers = await request.offer([page], [limit])
        lossless = min((o for o in offers if o.lossless), key=lambda o: o.tokens, default=None)
        if lossless is not None and lossless.tokens <= min(limit, self._settings.lossless_share * page.tokens):
            return lossless
        if page.tokens <= limit:
            return None
        fitting = [o for o in offers if o.tokens <= limit]
        return max(fitting, key=lambda o: (o.tokens, o.covers), default=None)

    # ------------------------------------------------------------- a compaction

    async def plan(self, request: PlanRequest) -> Plan:
        """Newest pages whole, older ones whole or in digests by what they cover; everything else paged out."""
        session = self._session(request.session)
        standing = {entry.first: entry.rendition for entry in request.entries if isinstance(entry.rendition, Shortened)}
        # Who asks for one window of a finished session wants it full; who asks at every step wants room to grow.
        first_time = not session.windows and session.planned in (0, len(request.pages))
        session.planned = len(request.pages)
        if not request.pages:
            return Plan(())
        session.follow(request.pages, standing, self._settings, request.budget)
        frame = await self._frame(request, session, first_time)
        if session.is_talk:
            plan = Plan(
                tuple(session.talk.entries(request, frame.must, frame.form, self._settings, first_time, frame.brief))
            )
        else:
            self._cut_tail(frame)
            session.items = await self._front(frame) if frame.start else []
            session.let_go(request.pages, frame.start)
            plan = Plan(tuple(self._entries(frame)))
        if fits(request, plan):
            return plan
        session.items = []
        return await self._promise.keep(request, keep_newest)

    async def _frame(self, request: PlanRequest, session: Session, first_time: bool) -> Frame:
        pages = request.pages
        brief = (self._talk_promise if session.is_talk else self._promise).brief(request)
        must = frozenset(at for at in (position(pages, page) for page in request.pinned) if at is not None)
        if brief.standing is not None and not (
            session.is_talk and brief.standing + self._settings.talk_pages >= len(pages)
        ):
            must |= {brief.standing}
        room = request.budget - sum(pages[at].tokens for at in must) - request.stub_tokens
        frame = Frame(request, session, brief, room, must)
        frame.fill = first_time
        last = len(pages) - 1
        limit = room - request.stub_tokens - frame.promised(0, last)
        if last not in must and frame.page_tokens(last)[0] > limit:
            form = await shorten_to(request, pages[last], limit)
            if form is not None:
                frame.fitted[last] = form
        return frame

    def _cut_tail(self, frame: Frame) -> None:
        """Set where the tail of newest pages starts; the newest page is always in it, if it fits at all."""
        settings, g = self._settings, len(frame.request.pages) - 1
        used, solid = (0, 0) if g in frame.must else frame.page_tokens(g)
        if used > frame.room:
            g, used, solid = g + 1, 0, 0
        while g:
            # The page before the newest is what the newest answers: it may take more.
            share = settings.second_share if g == len(frame.request.pages) - 1 else settings.tail_share
            tokens, text = (0, 0) if g - 1 in frame.must else frame.page_tokens(g - 1)
            if used + tokens > share * frame.room:
                # Notes and short quotes are loose: beside many of them more must stand whole.
                free = (1 - settings.growth_share) * frame.room - frame.promised(0, g)
                if frame.loose(0, g) <= settings.loose_ratio * solid or used + tokens > free:
                    break
            g, used, solid = g - 1, used + tokens, solid + text
        frame.start, frame.used, frame.solid = g, used, solid

    async def _front(self, frame: Frame) -> list[Item]:
        """What stands before the tail: some first items of the last compaction, if keeping them pays, and new ones."""
        settings, room = self._settings, frame.room - frame.used
        wanted = min(settings.front_share * frame.room, room - settings.growth_share * frame.room)
        limit = room if frame.fill else max(int(wanted), min(room, 4 * STUB))
        frame.value, frame.candidates = value, candidates = self._value(frame)
        cached, new = settings.costs()
        # A token is read at every turn, and it brings the next compaction nearer: by its share of the room, which a long
        # system message leaves small.
        share = (1 / frame.request.budget + 1 / max(1, frame.room)) / 2
        price = 0.0 if frame.fill else settings.price * share * new / REFERENCE
        spared = max(0.0, 1 - cached / new) if new else 0.0
        lines, whole = self._worthwhile(frame, value, candidates, price, WIDE * limit)
        await self._apply_scores(frame, value, lines, whole)
        seen = frame.session.evidence
        beside = {x: seen.beside(x) for x in lines if seen.elements[x].is_clause}
        best_net, best = float("-inf"), None
        for kept in self._options(frame, limit, len(lines)):
            shown = self._shown(frame, kept, value, candidates)
            if kept and (shown.tokens > limit or shown.loose > settings.loose_ratio * (frame.solid + shown.solid)):
                continue
            scene = self._scene(frame, kept, lines, beside, whole, value)
            found = self._fill(frame, kept, shown, scene, limit, price)
            if found is None:
                continue
            items, gain, tokens = found
            net = shown.gain + gain - price * (tokens + shown.tokens * (1 - spared))
            if net > best_net:
                best_net, best = net, [*kept, *items]
        chosen = best if best is not None else self._render(frame, [], Choice())
        self._explain(frame, chosen)
        return chosen

    def _options(self, frame: Frame, limit: int, lines: int) -> Iterable[list[Item]]:
        """Beginnings of what stands now that could stay as they are: keeping them keeps the cached prefix."""
        if frame.fill:
            return [[]]  # nothing was sent before, so nothing is cached
        standing = list(takewhile(frame.stays, frame.session.items))
        sizes, tokens = [0], sum(item.tokens for item in standing)
        for at in range(standing[-1].end if standing else 0, frame.start):
            if tokens > limit:
                break
            standing.append(self._item(frame, at))
            tokens += standing[-1].tokens
        tokens = 0
        for n, item in enumerate(standing, 1):
            tokens += item.tokens
            if tokens <= limit:
                sizes.append(n)
        # Each length costs one choice: fewer are compared where there is more to choose from.
        most = max(2, min(self._settings.options, self._settings.work // (lines + len(standing) + 1)))
        if len(sizes) > most:
            sizes = sorted({sizes[round(q * (len(sizes) - 1) / (most - 1))] for q in range(most)})
        return [standing[:n] for n in sizes]

    def _value(self, frame: Frame) -> tuple[dict[str, float], dict[int, list[str]]]:
        """Worth per name that the tail does not show, and for each element the names that it may stand for."""
        evidence, request = frame.session.evidence, frame.request
        resident = self._resident(frame)
        best = [(worth(known, evidence.now), name) for name, known in evidence.known.items() if name not in resident]
        most = max(self._settings.live, request.budget // NAME)
        if len(best) > most:
            best.sort(reverse=True)  # faster than a heap, because nearly all are kept
            evidence.drop(name for _, name in best[most:])
            del best[most:]
        asked = set(identifiers(request.query)) if request.query else set()
        value: dict[str, float] = {}
        candidates: dict[int, list[str]] = {}
        known, elements, faults = evidence.known, evidence.elements, request.faults
        start, must, quotes = frame.start, frame.must, frame.brief.quotes
        for likely, name in best:
            if name.startswith(STATEMENT) and not self._is_said(frame, elements[known[name].places[0]].page):
                continue  # a line of what a harness put into the user's message
            value[name] = 1.0 if name in asked else likely
            for x in known[name].places:
                page = elements[x].page
                if page >= start or page in must or (page in quotes and frame.quoted(elements[x])):
                    continue
                if x in candidates:
                    candidates[x].append(name)
                else:
                    candidates[x] = [name]
                if faults and (times := faults.get(request.pages[page].id, 0)):
                    value[name] = min(1.0, value[name] * (1 + times))
        return value, candidates

    def _is_said(self, frame: Frame, at: int) -> bool:
        """Whether a person wrote something on the page, if it is one that may be quoted."""
        pages = frame.request.pages
        return at >= len(pages) or self._promise.is_said(frame.request, pages[at])

    async def _apply_scores(
        self,
        frame: Frame,
        value: dict[str, float],
        lines: Mapping[int, Sequence[str]],
        whole: Mapping[int, Sequence[str]],
    ) -> None:
        """Let the scorer's opinion of the pages that mention a name change its worth; the best of them counts."""
        elements, share = frame.session.evidence.elements, self._settings.score_share
        mentions = [*((elements[x].page, names) for x, names in lines.items()), *whole.items()]
        if not share or not mentions:
            return
        at = sorted({page for page, _ in mentions})
        scores = dict(zip(at, await frame.request.score([frame.request.pages[i] for i in at]), strict=True))
        best: dict[str, float] = {}
        for page, names in mentions:
            score = scores[page]
            for name in names:
                known = best.get(name, 0.0)
                best[name] = score if score > known else known
        for name, score in best.items():
            value[name] *= 1 + share * (2 * min(1.0, score) - 1)

    def _resident(self, frame: Frame) -> set[str]:
        """Names that stand in the tail or in pages that must stand."""
        evidence = frame.session.evidence
        shown: set[str] = set()
        for at in sorted({*range(frame.start, len(frame.request.pages)), *frame.must}):
            form = frame.form(at)
            page = frame.request.pages[at]
            if page.role == "system":
                shown.update(identifiers(page.text))
            elif evidence.pages[at] is not None and (form is None or form.lossless):
                for x in range(*evidence.spans[at]):
                    shown.update(evidence.elements[x].names)
            else:
                for text in texts_of(page, form):
                    shown.update(identifiers(text))
        for quote in frame.brief.quotes.values():
            if quote.is_owed:
                shown.update(identifiers(quote.excerpt.text))
        return shown

    def _shown(
        self, frame: Frame, kept: list[Item], value: Mapping[str, float], candidates: Mapping[int, Sequence[str]]
    ) -> Shown:
        elements = frame.session.evidence.elements
        # A note names a thing; what stands around it where it was said is still worth showing.
        noted = (name for note in frame.brief.notes for name in identifiers(note.text))
        out = Shown(named={name for name in noted if name in value})
        named: set[str] = set()
        for item in kept:
            out.tokens += item.tokens
            out.solid += item.solid
            out.loose += item.tokens - item.texts if item.page is None else 0
            for x in item.elements:
                named.update(elements[x].names)
                if x in candidates:
                    out.named.update(candidates[x])
                    if item.page is not None or not elements[x].encoded:
                        out.surrounded.update(candidates[x])
        out.named |= named & value.keys()
        # fsum is exact, so that the order of a set never decides.
        surrounded = math.fsum(value[name] for name in out.surrounded)
        out.gain = math.fsum(value[name] for name in out.named) + self._settings.surroundings * surrounded
        return out

    def _worthwhile(
        self,
        frame: Frame,
        value: Mapping[str, float],
        candidates: Mapping[int, Sequence[str]],
        price: float,
        most_tokens: float,
    ) -> tuple[dict[int, Sequence[str]], dict[int, tuple[str, ...]]]:
        """Lines and pages that could be worth their price: gains only fall while choosing, so the rest never will be.

        Of more than ``most_tokens`` of either, those that are worth the most per token.
        """
        elements = frame.session.evidence.elements
        by_page: dict[int, dict[str, None]] = {}
        most = (1 + self._settings.surroundings) * (1 + self._settings.score_share)
        rated, owed = [], {at for at, quote in frame.brief.quotes.items() if quote.is_owed}
        for x, names in candidates.items():
            e = elements[x]
            likely = value[names[0]] if len(names) == 1 else sum(map(value.__getitem__, names))
            rated.append((e.tokens, most * likely, x))
            page = e.page
            if page in owed:
                continue  # a request of the past stands as a quote, so that it does not read as open
            if page not in by_page:
                by_page[page] = dict.fromkeys(names)
            elif len(names) == 1:
                by_page[page][names[0]] = None
            else:
                by_page[page].update(dict.fromkeys(names))
        lines = {x: candidates[x] for x in _best(rated, price, most_tokens)}
        frame.session.evidence.look_closely([elements[x] for x in lines], frame.request.count)
        pages = [
            (float(frame.page_tokens(at)[0]), most * sum(map(value.__getitem__, names)), at)
            for at, names in by_page.items()
        ]
        whole = {at: tuple(by_page[at]) for at in _best(pages, price, most_tokens)}
        return lines, whole

    def _scene(
        self,
        frame: Frame,
        kept: list[Item],
        lines: Mapping[int, Sequence[str]],
        beside: Mapping[int, Sequence[int]],
        whole: Mapping[int, tuple[str, ...]],
        value: Mapping[str, float],
    ) -> Scene:
        """What there is to choose from behind the kept items."""
        evidence = frame.session.evidence
        begin = kept[-1].end if kept else 0
        first = evidence.spans[begin][0] if begin < len(evidence.spans) else len(evidence.elements)
        free = {x: names for x, names in lines.items() if x >= first}
        pages = {evidence.elements[x].page for x in free}
        return Scene(
            elements=evidence.elements,
            beside=beside,
            spans=evidence.spans,
            candidates=free,
            page_names={at: names for at, names in whole.items() if at >= begin},
            value=value,
            page_tokens={at: frame.page_tokens(at) for at in {*pages, *whole}},
            label_tokens={at: 3 + len(evidence.label(at)) // 3 for at in pages},
            label_names={at: evidence.identifiers(evidence.label(at)) for at in pages},
            tokens={x: evidence.elements[x].counted or 1 for x in free},
        )

    def _fill(
        self, frame: Frame, kept: list[Item], shown: Shown, scene: Scene, limit: int, price: float
    ) -> tuple[list[Item], float, int] | None:
        """Items for what the kept ones leave of the limit, with their gain and tokens; ``None`` if nothing fits."""
        settings = self._settings
        begin = kept[-1].end if kept else 0
        promised = frame.promised(begin, frame.start)
        shown.loose += frame.loose(begin, frame.start)
        chooser = Chooser(scene, shown, frame.solid, settings.surroundings, settings.loose_ratio)
        choice = chooser.run(limit - shown.tokens - promised, price)
        while True:
            items = self._render(frame, kept, choice)
            tokens = sum(item.tokens for item in items)
            over: float = tokens + shown.tokens - limit
            if over <= 0:
                return items, choice.gain, tokens
            if not choice.steps:
                return None
            while over > 0 and choice.steps:
                step = choice.undo()
                if step[0] < 0:
                    over -= frame.page_tokens(-1 - step[0])[0]
                else:
                    over -= sum(map(chooser.tokens, step))

    def _render(self, frame: Frame, kept: Sequence[Item], choice: Choice) -> list[Item]:
        """The items for the positions from the kept ones to the tail, with exact tokens."""
        evidence, begin = frame.session.evidence, kept[-1].end if kept else 0
        whole = choice.pages | {at for at in frame.must if begin <= at < frame.start}
        order = sorted(x for x in choice.elements if evidence.elements[x].page not in whole)
        out: list[Item] = []
        at = 0
        for page in [*sorted(whole), frame.start]:
            if page > begin:
                run = []
                while at < len(order) and evidence.elements[order[at]].page < page:
                    run.append(order[at])
                    at += 1
                quotes = frame.brief.between(begin, page)
                excerpts = merged(quotes, list(excerpts_of(evidence, run)))
                out.append(Item(begin, page, run, None, frame.request.stub_tokens, 0, excerpts, unexplained=bool(run)))
            if page < frame.start:
                out.append(self._item(frame, page))
            begin = page + 1
        frame.note(out, whole, kept)
        pages = frame.request.pages
        for item in out:
            if item.excerpts or item.notes:
                first, last = pages[item.first].id, pages[item.end - 1].id
                item.tokens = frame.request.digest_tokens(first, last, item.excerpts, item.notes)
                item.texts = min(item.tokens, frame.texts(item.first, item.end))
        return out

    def _item(self, frame: Frame, at: int) -> Item:
        # What must stand was taken from the room already.
        tokens, solid = (0, 0) if at in frame.must else frame.page_tokens(at)
        elements = list(range(*frame.session.evidence.spans[at]))
        return Item(at, at + 1, elements, at, tokens, solid, forced=at in frame.must)

    def _explain(self, frame: Frame, items: Iterable[Item]) -> None:
        """Say in the excerpts that were chosen what they cover; most of those that were rendered were not."""
        for item in items:
            if item.unexplained:
                reasons = whys(frame.session.evidence, item.elements, frame.value, frame.candidates)
                item.excerpts = tuple(
                    evolve(e, why=reasons[e.page]) if e.block and not e.why else e for e in item.excerpts
                )
                item.unexplained = False

    def _entries(self, frame: Frame) -> Iterable[Entry]:
        pages = frame.request.pages
        for item in frame.session.items:
            first, last = pages[item.first].id, pages[item.end - 1].id
            if item.page is not None:
                yield self._whole(frame, item.page, "covers what is used again")
            elif item.excerpts or item.notes:
                digest = Digest(item.excerpts, notes=item.notes)
                yield Entry(first, last, digest, "excerpts that cover what is used again")
            else:
                yield Entry(first, last, PagedOut(), "covers nothing worth its tokens")
        for at in range(frame.start, len(pages)):
            yield self._whole(frame, at, "newest")

    def _whole(self, frame: Frame, at: int, rule: str) -> Entry:
        page = frame.request.pages[at]
        if at in frame.must:
            why = UNDER_WAY if at == frame.brief.standing else "system" if page.role == "system" else "pinned"
            return Entry(page.id, page.id, Verbatim(), why)
        form = frame.form(at)
        return Entry(page.id, page.id, Verbatim() if form is None else form, rule)
