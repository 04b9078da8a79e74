"""Excerpts of talk by budgeted maximum coverage: words and word trigrams are covered, lazy greedy by gain per token.

A unit (a word, a trigram) is worth the summed chances of the messages where it stands; excerpts are taken by uncovered
worth per token until the room is full, and those of them that are missed least are given back once.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from lamina_pager_coverage._talk import INSIDE, Element, Index, needed, rarity, telling

WORDS = 1.2
"""Worth of covering words, where covering trigrams is worth 1; times the root of the share that has room: where little
fits, whole statements come first."""
COMMON = 0.2
"""A word that stands in a larger share of the messages is not worth covering by itself."""
GAP = " … "
SHORT = 4
"""Words; a shorter excerpt is no line of its own."""
WIDER, WIDE = 2500, 2.5
"""Messages that are looked at closely: the likeliest, of so many tokens more than the room, or so many times the room if
that is less."""
LAZY = 0.9
"""How near to the best the next excerpt may be."""
MISSES = 200
"""Excerpts that do not fit, one after the other, until the rest is not looked at."""
REVISE = 0.15
"""Share of the excerpts, the least useful ones, that is given back once."""


def weigh(index: Index, chances: Mapping[int, float], share: float) -> list[float]:
    """By word: its weight, which is the summed worth of the messages where it stands.

    A page's worth is shared among its words, so that a long page is worth no more than a short one.
    """
    weight = [0.0] * len(index.ids)
    words = WORDS * math.sqrt(share)
    common = max(2.0, COMMON * len(index.pages))
    silent = index.stops.union([word for word, pages in index.spread.items() if pages > common])
    for at, chance in chances.items():
        worth = index.pages[at].distinct - silent
        word = words * chance / max(1, len(worth))
        for u in worth:
            weight[u] += word
    return weight


@dataclass(slots=True)
class Candidate:
    """An excerpt that may be taken."""

    page: int
    """Position in the index."""
    element: Element
    alone: int
    """Tokens with its page's label, which the first of a page adds."""
    size: float
    """The same where more of its page may follow: then the label counts half."""
    units: tuple[int, ...]
    """What it covers that others may cover too: its words that are worth it by themselves, and some trigrams."""
    own: float
    """The weight of those of its trigrams that nothing else holds."""


def candidates(
    index: Index,
    chances: Mapping[int, float],
    near: Sequence[int],
    rare: Sequence[float],
    covered: set[int],
    weight: dict[int, float],
) -> dict[int, Candidate]:
    """By number: the excerpts of the messages ``near``; the weights of their trigrams are added to those of the words."""
    times = Counter(chain.from_iterable(index.pages[at].grams for at in near))
    elsewhere = covered.union([gram for gram, n in times.items() if n > 1])
    out: dict[int, Candidate] = {}
    for at in near:
        page = index.pages[at]
        grams = page.grams
        for k, e in enumerate(page.elements, at << INSIDE):
            words = dict.fromkeys(page.words[e.low : e.high])
            gram = chances[at] / max(1, len(grams)) * telling(e, words, rare)
            inner = max(e.low, e.high - 2)  # those behind it reach into the next excerpt
            inside = grams[e.low : inner]
            known = list(filter(elsewhere.__contains__, inside))
            shared = [u for u in known if u not in covered]
            for u in (*shared, *grams[inner : e.high]):
                weight[u] = 0.0 if u in covered else weight.get(u, 0.0) + gram
            units = (*[u for u in words if weight[u]], *dict.fromkeys(shared))
            own = gram * (len(inside) - len(known))
            label = page.label_cost + page.text[e.end - 1].isalnum()  # a line feed, if it is no part of a full stop
            out[k] = Candidate(at, e, e.cost + label, e.cost + 0.5 * label, units, own)
    return out


class Cover:
    """Budgeted maximum coverage over excerpts: lazy greedy by gain per token, and one revision."""

    def __init__(
        self, index: Index, candidates: Mapping[int, Candidate], weight: dict[int, float], room: float
    ) -> None:
        self.pages, self.candidates, self.weight, self.room = index.pages, candidates, weight, room
        self.open = weight.copy()  # the same, but 0 for what is covered
        self._open = self.open.__getitem__
        self.times: defaultdict[int, int] = defaultdict(int)  # how many taken excerpts cover a unit
        self.taken: dict[int, None] = {}  # in the order of taking
        self.begun: dict[int, int] = {}  # page: how many of its excerpts are taken

    def units(self, k: int) -> Collection[int]:
        """Its words and trigrams; where a neighbour is taken, also the trigrams across their border."""
        c = self.candidates[k]
        e = c.element
        before, after = k - 1 in self.taken and e.low > 0, k + 1 in self.taken
        if not before and not after:
            return c.units
        grams = self.pages[c.page].grams
        return {
            *c.units,
            *(grams[max(0, e.low - 2) : e.low] if before else ()),
            *(grams[max(0, e.high - 2) : e.high] if after else ()),
        }

    def cost(self, k: int) -> int:
        """Tokens that it adds, its page's label included if it is the first there."""
        c = self.candidates[k]
        if self.begun.get(c.page, 0) == (k in self.taken):
            return c.alone
        # A neighbour needs no mark of a gap; numbers of other messages are far from these.
        return max(1, c.element.cost + 1 - (k - 1 in self.taken) - (k + 1 in self.taken))

    def gain(self, k: int) -> float:
        """What the window would gain by this excerpt, per token."""
        c = self.candidates[k]
        if c.page in self.begun:
            return (c.own + sum(map(self._open, self.units(k)))) / self.cost(k)
        return (c.own + sum(map(self._open, c.units))) / c.size

    def loss(self, k: int) -> float:
        """What it would lose without this taken one, per token."""
        own = self.candidates[k].own
        return (own + sum(self.weight[u] for u in self.units(k) if self.times[u] == 1)) / self.cost(k)

    def fill(self, heap: list[tuple[float, int]]) -> list[tuple[float, int]]:
        """Take from a heap of (-bound of the gain, excerpt) what fits; return what was left, with its last known bounds."""
        candidates, taken, begun = self.candidates, self.taken, self.begun
        left: list[tuple[float, int]] = []
        missed = 0
        while heap and missed < MISSES:
            bound, k = heap[0]
            c = candidates[k]
            if k in taken:
                heapq.heappop(heap)
            elif (c.alone > self.room and self.cost(k) > self.room) or (
                c.element.high - c.element.low < SHORT and c.page not in begun
            ):
                left.append(heapq.heappop(heap))
                missed += self.room < 2 * c.element.cost
            elif (g := self.gain(k)) < -bound * LAZY:
                heapq.heapreplace(heap, (-g, k))
            else:
                heapq.heappop(heap)
                if g <= 0:
                    continue
                missed = 0
                self.take(k)
                for near in (k - 1, k + 1):  # their gain may have grown
                    if near in candidates and near not in taken:
                        heapq.heappush(heap, (-self.gain(near), near))
        return left + heap

    def take(self, k: int) -> None:
        """Put it into the window."""
        page = self.candidates[k].page
        self.room -= self.cost(k)
        for u in self.units(k):
            self.times[u] += 1
            self.open[u] = 0.0
        self.taken[k] = None
        self.begun[page] = self.begun.get(page, 0) + 1

    def drop(self, k: int) -> None:
        """Take it out again."""
        page = self.candidates[k].page
        self.room += self.cost(k)
        for u in self.units(k):
            self.times[u] -= 1
            if not self.times[u]:
                self.open[u] = self.weight[u]
        del self.taken[k]
        self.begun[page] -= 1
        if not self.begun[page]:
            del self.begun[page]


def choose(
    index: Index,
    room: float,
    first: int,
    last: int,
    count: Callable[[Sequence[str]], Sequence[int]],
    shown: Iterable[int] = (),
) -> list[int]:
    """Excerpts of pages[first:last] for `room` tokens, best first; O(what these pages and those behind them hold).

    Units of the excerpts that are shown already, and of the pages from `last` on, are covered.
    """
    pages = index.pages
    rare = rarity(index)
    chances = dict(zip(range(first, last), needed(pages[first:last], rare), strict=True))
    near = _near(index, chances, min(room + WIDER, WIDE * room))
    index.detail((pages[i] for i in near), count)
    share = min(1.0, room / max(1, sum(p.cost for p in pages[first:last])))
    weight = dict(enumerate(weigh(index, chances, share)))
    covered = _covered(index, last, shown)
    weight.update(dict.fromkeys(covered, 0.0))
    found = candidates(index, chances, near, rare, covered, weight)
    cover = Cover(index, found, weight, room)
    heap = [(-cover.gain(k), k) for k in found]
    heapq.heapify(heap)
    left = cover.fill(heap)
    worst = sorted((cover.loss(k), k) for k in cover.taken)[: math.ceil(REVISE * len(cover.taken))]
    for _, k in worst:
        cover.drop(k)
    if worst:
        better = [(b, k) for b, k in left if -b > worst[0][0]] + [(-cover.gain(k), k) for _, k in worst]
        left = [(b, k) for b, k in left if -b <= worst[0][0]]
        heapq.heapify(better)
        left += cover.fill(better)
    heapq.heapify(left)
    cover.fill(left)
    return list(cover.taken)


def _near(index: Index, chances: Mapping[int, float], tokens: float) -> list[int]:
    """Of the messages, the likeliest of so many tokens, in order."""
    near: list[int] = []
    for i in sorted(chances, key=lambda i: (-chances[i] / (index.pages[i].cost + 1), i)):
        if tokens < 0:
            break
        near.append(i)
        tokens -= index.pages[i].cost
    return sorted(near)


def _covered(index: Index, last: int, shown: Iterable[int]) -> set[int]:
    """Units of the pages from `last` on, and of these excerpts."""
    covered = {unit for page in index.pages[last:] for unit in (*page.distinct, *page.grams)}
    for k in shown:
        page, e = index.pages[k >> INSIDE], index.element(k)
        covered.update(page.words[e.low : e.high], page.grams[e.low : max(e.low, e.high - 2)])
    return covered


def lines(index: Index, chosen: Iterable[int]) -> list[tuple[int, str, str]]:
    """(page id, mark of who spoke, text) of what was chosen, in log order, one for each message, gaps marked."""
    out: list[tuple[int, str, str]] = []
    page = end = before = -1
    for k in sorted(chosen):
        e, at = index.element(k), k >> INSIDE
        said = index.pages[at]
        piece = said.text[e.start : e.end]
        if at != page:
            out.append((said.id, said.mark, piece))
        else:
            gap = said.text[end : e.start] if k == before + 1 else GAP
            out[-1] = (said.id, said.mark, out[-1][2] + gap + piece)
        page, end, before = at, e.end, k
    return out
