"""The knapsack pager: append until the window is full, then keep what is worth the most for its tokens."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

from attrs import evolve, frozen

from lamina.kit.paging import keep_newest, position, shorten_to
from lamina.kit.promise import Promise
from lamina.protocols import AdmitRequest, Plan, PlanRequest, Pressure, Shortened
from lamina_pager_knapsack import KnapsackSettings
from lamina_pager_knapsack._hulls import Option, choose
from lamina_pager_knapsack._standing import Form, Standing

LARGE = 48
"""Tokens from which on a shorter form is worth asking for."""
ROUNDS = 2
"""So often a choice is made again with the stubs that the last one left."""
MOST_PLUGGED = 4
"""Pages of a gap that may stand for the price of its stub."""


@frozen
class _Weighed:
    """What a plan chooses from: the older pages, their scores, and the forms in which they could stand."""

    scores: Mapping[int, float]
    """Positions to scores."""
    forms: Mapping[int, Sequence[Form]]
    """Positions, newest first, to forms; each has tokens and worth."""
    whole: bool
    """Whether everything is among them that stands now."""
    missed: int = 0
    """How many of them faulted and do not stand now."""


@frozen
class _Try:
    """One way to fill the window."""

    chosen: Mapping[int, Form]
    worth: float
    kept: int = 0
    """Tokens of the standing prefix that it leaves as it is."""


class KnapsackPager:
    """Plans by the configured scorer; keeps nothing between plans, so that the same request gets the same plan."""

    def __init__(self, settings: KnapsackSettings) -> None:
        self._settings = settings
        self._promise = Promise(settings)

    # ------------------------------------------------------------- between compactions

    def due(self, request: Pressure) -> bool:
        """Plan when the window is over the high mark."""
        return request.tokens > self._settings.high * request.budget

    def large(self, budget: int) -> int | None:
        """Every page but the smallest, for its lossless forms; where they are off, a page over its share."""
        if self._settings.lossless_share:
            return LARGE
        return max(1, int(self._settings.entry_share * budget)) if self._settings.entry_share else None

    async def admit(self, request: AdmitRequest) -> Shortened | None:
        """A lossless form that saves enough; of a page too large for the budget, the offer that keeps the most."""
        settings, page = self._settings, request.page
        limit = max(1, int((settings.entry_share or 1.0) * request.budget))
        offers = [o for o in await request.offer([page], [limit]) if o.tokens < page.tokens]
        lossless = min((o for o in offers if o.lossless), key=lambda o: o.tokens, default=None)
        if lossless is not None and lossless.tokens <= min(limit, settings.lossless_share * page.tokens):
            return lossless
        if page.tokens <= limit or not settings.entry_share:
            return None
        within = [o for o in offers if o.tokens <= limit]
        if within:
            return max(within, key=lambda o: (o.tokens, o.covers))
        return min(offers, key=lambda o: (o.tokens, -o.covers), default=None)

    # ------------------------------------------------------------- a compaction

    async def plan(self, request: PlanRequest) -> Plan:
        """Newest pages whole, what is promised, and of older ones what is worth the most, up to the low mark."""
        return await self._promise.keep(request, self._most)

    async def _most(self, request: PlanRequest) -> Plan:
        """Newest pages whole; of older ones what is worth the most for its tokens, up to the low mark.

        Reads the pages that stand, ``candidates`` older ones, and a few for each pin and entry.
        """
        if not request.pages:
            return Plan(())
        standing = Standing(request)
        mark = standing.pinned_tokens + int(self._settings.low * max(0, request.budget - standing.pinned_tokens))
        tail = await self._tail(request, standing, mark)
        if tail is None:
            return await keep_newest(request)
        best = _Try(tail, 0.0)
        weighed = _Weighed({}, {}, whole=False)
        if standing.window(tail) < mark:
            weighed = await self._weigh(request, standing, min(tail, default=len(request.pages)))
            weighed = await self._shortened(request, standing, tail, weighed, mark)
            best = self._best(standing, tail, weighed, mark)
        chosen = self._extended(standing, best.chosen, tail, mark)
        if standing.window(chosen) > request.budget:
            return await keep_newest(request)  # pins and stubs leave no room for shares
        return Plan(standing.entries(chosen, weighed.scores))

    async def _tail(self, request: PlanRequest, standing: Standing, mark: int) -> dict[int, Form] | None:
        """The newest pages, which stand whatever they are worth; ``None`` where not even the newest fits."""
        newest = len(request.pages) - 1
        tail: dict[int, Form] = {}
        beside = standing.window({newest: Form(0, "")})
        if newest not in standing.pinned:
            form = standing.form(newest)
            whole = Form(standing.tokens(newest), "newest", form)
            # Below the high mark first, or the next turn would compact again.
            for limit in (int(self._settings.high * request.budget), request.budget):
                if whole.tokens + beside <= limit:
                    tail[newest] = whole
                elif cut := await shorten_to(request, request.pages[newest], limit - beside):
                    tail[newest] = Form(cut.tokens, "newest, too large for the budget", cut)
                if tail:
                    break
            else:
                return None
        # More pages before the newest make no more stubs.
        room = min(self._settings.tail_share * (mark - standing.pinned_tokens), mark - beside)
        used = sum(form.tokens for form in tail.values())
        for at in range(newest - 1, -1, -1):
            if at in standing.pinned:
                continue
            used += standing.tokens(at)
            if used > room or not standing.stands(at):
                break
            tail[at] = Form(standing.tokens(at), "newest", standing.form(at))
        return tail

    async def _weigh(self, request: PlanRequest, standing: Standing, before: int) -> _Weighed:
        """Score what could stand before the tail, and ask for shorter forms of the best."""
        most = self._settings.candidates
        stood = list(islice(standing.standing(before), most + 1))
        whole = len(stood) <= most
        wanted = dict.fromkeys(stood[:most])
        faulted = heapq.nlargest(most, request.faults.items(), key=lambda item: (item[1], item[0]))
        for id, _ in faulted:
            found = position(request.pages, id)
            if found is not None and found < before and found not in standing.pinned and len(wanted) < most:
                wanted[found] = None
        for at in standing.paged_out(before):
            if len(wanted) >= most:
                break
            wanted[at] = None
        order = sorted(wanted)
        pages = [request.pages[at] for at in order]
        given = await request.score(pages)
        scores = {at: max(0.0, float(score)) for at, score in zip(order, given, strict=True)}
        forms: dict[int, list[Form]] = {}
        for at, page in zip(reversed(order), reversed(pages), strict=True):
            form, score = standing.form(at), scores[at]
            covers = 1.0 if form is None else _shown(form, page.tokens)
            rule = "worth its tokens" if form is None else "worth its tokens as it stands"
            tokens = page.tokens if form is None else form.tokens
            forms[at] = [Form(tokens, rule, form, self._worth(score, page.tokens) * covers, score)]
        missed = sum(
            page.id in request.faults and not standing.stands(at) for at, page in zip(order, pages, strict=True)
        )
        return _Weighed(scores, forms, whole, missed)

    def _worth(self, score: float, tokens: int) -> float:
        return score * math.pow(max(1, tokens), self._settings.size)

    async def _shortened(
        self, request: PlanRequest, standing: Standing, tail: Mapping[int, Form], weighed: _Weighed, mark: int
    ) -> _Weighed:
        """Shorter forms of the best of the pages for which there is no room otherwise."""
        stand = self._filled(standing, tail, weighed, mark, {}).chosen
        scores, pages = weighed.scores, request.pages
        out = [
            at
            for at, score in scores.items()
            if score and at not in stand and standing.form(at) is None and pages[at].tokens >= LARGE
        ]
        best = sorted(heapq.nlargest(self._settings.offered, out, key=lambda at: (scores[at], at)))
        places = {pages[at].id: at for at in best}
        found: dict[tuple[int, int], Form] = {}
        for share in self._settings.targets if best else ():
            targets = [max(1, int(share * pages[at].tokens)) for at in best]
            for offer in await request.offer([pages[at] for at in best], targets):
                at = places.get(offer.page, -1)
                if at < 0 or offer.tokens >= pages[at].tokens:
                    continue
                worth = self._worth(scores[at], pages[at].tokens) * _shown(offer, pages[at].tokens)
                form = Form(offer.tokens, "worth its tokens, shortened", offer, worth, scores[at])
                found.setdefault((at, offer.tokens), form)
        forms = {at: list(whole) for at, whole in weighed.forms.items()}
        for (at, _), form in found.items():
            forms[at].append(form)
        return evolve(weighed, forms=forms)

    # ------------------------------------------------------------- the choice

    def _best(self, standing: Standing, tail: Mapping[int, Form], weighed: _Weighed, mark: int) -> _Try:
        """The best of several choices, each of which leaves another length of the standing prefix as it is."""
        tries = [self._filled(standing, tail, weighed, mark, {})]
        if not tries[0].worth:
            return tries[0]  # nobody says what is worth keeping
        prefixes = self._prefixes(standing, tail, weighed, mark)
        tries += [self._filled(standing, tail, weighed, mark, kept) for kept in prefixes]
        # What faulted and does not stand says that what stands is not what is needed.
        discount = self._settings.discount / (1 + weighed.missed)
        cached = discount * max(t.worth for t in tries) / (mark - standing.window(tail))
        return max(tries, key=lambda t: t.worth + cached * t.kept)

    def _prefixes(
        self, standing: Standing, tail: Mapping[int, Form], weighed: _Weighed, mark: int
    ) -> Iterable[dict[int, Form]]:
        """Beginnings of what stands now that could stay as they are, some lengths of them."""
        most = self._settings.prefixes - 1
        if not weighed.whole or not most:
            return
        rule = "kept as it stands: its prefix stays cached"
        items = [(at, evolve(weighed.forms[at][0], rule=rule)) for at in sorted(weighed.forms) if standing.stands(at)]

        def over(length: int) -> bool:
            return standing.window({**dict(items[:length]), **tail}) > mark

        longest = bisect_left(range(len(items) + 1), True, lo=1, key=over) - 1
        for length in sorted({(i + 1) * longest // most for i in range(most)}):
            if length and not over(length):  # one page more may save a stub, so each is asked
                yield dict(items[:length])

    def _filled(
        self, standing: Standing, tail: Mapping[int, Form], weighed: _Weighed, mark: int, kept: Mapping[int, Form]
    ) -> _Try:
        """The choice for what a kept prefix leaves of the room."""
        begin = max(kept, default=-1) + 1
        fixed = {**tail, **kept}
        best = _try(fixed, {}, kept)
        free = {at: forms for at, forms in weighed.forms.items() if at >= begin and at not in fixed}
        room = capacity = mark - standing.window(fixed)
        beside = {*standing.pinned, *fixed, *free}
        for _ in range(ROUNDS):
            # What a choice costs in stubs is known once it is made: the next one is told.
            chosen = _chosen(free, capacity, beside, standing.stub)
            _plug(standing, fixed, chosen, weighed, begin)
            over = standing.window({**fixed, **chosen}) - mark
            if over > 0:
                capacity = max(0, min(capacity, room) - over)
                _trim(standing, fixed, chosen, mark)
            best = max(best, _try(fixed, chosen, kept), key=lambda t: t.worth)
            if over <= 0:
                break
            beside = {*standing.pinned, *fixed, *chosen}
        return best

    def _extended(
        self, standing: Standing, chosen: Mapping[int, Form], tail: Mapping[int, Form], mark: int
    ) -> dict[int, Form]:
        """What is left of the room goes to the newest pages that do not stand yet."""
        out, left = dict(chosen), mark - standing.window(chosen)
        for at in range(min(tail, default=len(standing.pages)) - 1, -1, -1):
            if at in out or at in standing.pinned:
                continue
            closed = at == 0 or at - 1 in out or at - 1 in standing.pinned
            left -= standing.tokens(at) - closed * standing.stub
            if left < 0:
                break
            out[at] = Form(standing.tokens(at), "newest that fits", standing.form(at))
        return out


def _shown(form: Shortened, tokens: int) -> float:
    """The share of a page's worth that a form shows; by its length where its compressor does not say."""
    if form.lossless:
        return 1.0
    return min(1.0, form.covers) if form.covers > 0 else min(1.0, form.tokens / max(1, tokens))


def _try(fixed: Mapping[int, Form], chosen: Mapping[int, Form], kept: Mapping[int, Form]) -> _Try:
    everything = {**fixed, **chosen}
    return _Try(everything, math.fsum(f.worth for f in everything.values()), sum(f.tokens for f in kept.values()))


def _chosen(free: Mapping[int, Sequence[Form]], capacity: int, beside: Collection[int], stub: int) -> dict[int, Form]:
    """The knapsack's choice. A page pays half a stub for each neighbour that does not stand."""
    groups = []
    for at, forms in free.items():
        gaps = (at and at - 1 not in beside) + (at + 1 not in beside)
        groups.append([Option(form.tokens + gaps * stub // 2, form.worth) for form in forms])
    choice = choose(groups, max(0, capacity))
    return {
        at: forms[option] for (at, forms), option in zip(free.items(), choice.chosen, strict=True) if option is not None
    }


def _trim(standing: Standing, fixed: Mapping[int, Form], chosen: dict[int, Form], mark: int) -> None:
    """Take out what is worth the least for its tokens, until the rest fits."""
    order = sorted(chosen, key=lambda at: (chosen[at].worth / max(1, chosen[at].tokens), at))
    for at in order:
        if standing.window({**fixed, **chosen}) <= mark:
            return
        del chosen[at]


def _plug(
    standing: Standing, fixed: Mapping[int, Form], chosen: dict[int, Form], weighed: _Weighed, begin: int
) -> None:
    """Let pages stand that cost no more than the stub in their place."""
    for first, end in standing.gaps({**fixed, **chosen}):
        if first < begin or end - first > MOST_PLUGGED:
            continue
        run = range(first, end)
        if sum(standing.tokens(at) for at in run) <= standing.stub:
            for at in run:
                known = weighed.forms.get(at)
                form = Form(standing.tokens(at), "costs no more than a stub", standing.form(at))
                chosen[at] = form if known is None else evolve(known[0], rule=form.rule)
