"""Excerpts of talk by budgeted maximum coverage: words and word trigrams are covered, lazy greedy by gain per token.

A unit (a word, a trigram) is worth the summed chances of the messages where it stands; excerpts are taken by uncovered
worth per token until the room is full, and the tenth of them that is missed least is given back once.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from lamina_pager_coverage._talk import Index, needed, rarity, telling

WORDS = 1.2
"""Worth of covering words, where covering trigrams is worth 1; times the root of the share that has room: where little
fits, whole statements come first."""
COMMON = 0.2
"""A word that stands in a larger share of the messages is not worth covering by itself."""
GAP = " … "
SHORT = 4
"""Words; a shorter excerpt is no line of its own."""
WIDE = 2
"""Messages that are looked at closely: the likeliest, of so many times the room."""
LAZY = 0.9
"""How near to the best the next excerpt may be."""
MISSES = 200
"""Excerpts that do not fit, one after the other, until the rest is not looked at."""
REVISE = 0.1
"""Share of the excerpts, the least useful ones, that is given back once."""


def weigh(
    index: Index, chances: Mapping[int, float], near: Iterable[int], rare: Sequence[float], share: float
) -> list[float]:
    """By unit: its weight, which is the summed worth of the excerpts where it stands.

    A page's worth is shared among its units, so that a long page is worth no more than a short one.
    """
    weight = [0.0] * (len(index.ids) + len(index.trigrams))
    words = WORDS * math.sqrt(share)
    common = max(2.0, COMMON * len(index.pages))
    silent = {u for u, places in enumerate(index.places) if len(places) > common}
    for at, chance in chances.items():
        worth = index.pages[at].content - silent
        word = words * chance / max(1, len(worth))
        for u in worth:
            weight[u] += word
    for at in near:
        page = index.pages[at]
        gram = chances[at] / max(1, len(page.grams))
        for k in page.elements:
            e = index.elements[k]
            per_gram = gram * telling(e, rare)
            for u in page.grams[e.low : e.high]:  # with those that reach into the next excerpt
                weight[u] += per_gram
    return weight


class Cover:
    """Budgeted maximum coverage over excerpts: lazy greedy by gain per token, and one revision."""

    def __init__(self, index: Index, weight: list[float], room: float) -> None:
        self.pages, self.elements, self.weight, self.room = index.pages, index.elements, weight, room
        self.open = weight.copy()  # the same, but 0 for what is covered
        self.times: defaultdict[int, int] = defaultdict(int)  # how many taken excerpts cover a unit
        self.taken: dict[int, None] = {}  # in the order of taking
        self.begun: dict[int, int] = {}  # page: how many of its excerpts are taken

    def units(self, k: int) -> Collection[int]:
        """Its words and trigrams; where a neighbour is taken, also the trigrams across their border."""
        e = self.elements[k]
        before, after = k - 1 in self.taken and e.low > 0, k + 1 in self.taken
        if not before and not after:
            return e.units
        grams = self.pages[e.page].grams
        return {
            *e.units,
            *(grams[max(0, e.low - 2) : e.low] if before else ()),
            *(grams[max(0, e.high - 2) : e.high] if after else ()),
        }

    def cost(self, k: int) -> int:
        """Tokens that it adds, its page's label included if it is the first there."""
        e = self.elements[k]
        if self.begun.get(e.page, 0) == (k in self.taken):
            return e.cost + self.pages[e.page].label_cost
        inside = self.pages[e.page].elements
        return max(
            1, e.cost + 1 - (k > inside.start and k - 1 in self.taken) - (k + 1 < inside.stop and k + 1 in self.taken)
        )

    def gain(self, k: int) -> float:
        """What the window would gain by this excerpt, per token. A new label counts half: more of its page may follow."""
        e = self.elements[k]
        if e.page in self.begun:
            return sum(map(self.open.__getitem__, self.units(k))) / self.cost(k)
        return sum(map(self.open.__getitem__, e.units)) / (e.cost + 0.5 * self.pages[e.page].label_cost)

    def loss(self, k: int) -> float:
        """What it would lose without this taken one, per token."""
        return sum(self.weight[u] for u in self.units(k) if self.times[u] == 1) / self.cost(k)

    def fill(self, heap: list[tuple[float, int]]) -> list[tuple[float, int]]:
        """Take from a heap of (-bound of the gain, excerpt) what fits; return what was left, with its last known bounds."""
        elements, taken, begun = self.elements, self.taken, self.begun
        left: list[tuple[float, int]] = []
        missed = 0
        while heap and missed < MISSES:
            bound, k = heap[0]
            e = elements[k]
            if k in taken:
                heapq.heappop(heap)
            elif self.cost(k) > self.room or (e.high - e.low < SHORT and e.page not in begun):
                left.append(heapq.heappop(heap))
                missed += self.room < 2 * elements[k].cost
            elif (g := self.gain(k)) < -bound * LAZY:
                heapq.heapreplace(heap, (-g, k))
            else:
                heapq.heappop(heap)
                if g <= 0:
                    continue
                missed = 0
                self.take(k)
                for near in (k - 1, k + 1):  # their gain may have grown
                    if near in self.pages[e.page].elements and near not in taken:
                        heapq.heappush(heap, (-self.gain(near), near))
        return left + heap

    def take(self, k: int) -> None:
        """Put it into the window."""
        page = self.elements[k].page
        self.room -= self.cost(k)
        for u in self.units(k):
            self.times[u] += 1
            self.open[u] = 0.0
        self.taken[k] = None
        self.begun[page] = self.begun.get(page, 0) + 1

    def drop(self, k: int) -> None:
        """Take it out again."""
        page = self.elements[k].page
        self.room += self.cost(k)
        for u in self.units(k):
            self.times[u] -= 1
            if not self.times[u]:
                self.open[u] = self.weight[u]
        del self.taken[k]
        self.begun[page] -= 1
        if not self.begun[page]:
            del self.begun[page]


def choose(index: Index, room: float, first: int, last: int, shown: Iterable[int] = ()) -> list[int]:
    """Excerpts of pages[first:last] for `room` tokens, best first; O(what these pages and those behind them hold).

    Units of the excerpts that are shown already, and of the pages from `last` on, are covered.
    """
    pages = index.pages
    rare = rarity(index)
    chances = dict(zip(range(first, last), needed(pages[first:last], rare), strict=True))
    near: list[int] = []
    cost = 0
    for i in sorted(range(first, last), key=lambda i: (-chances[i] / (pages[i].cost + 1), i)):
        if cost > WIDE * room:
            break
        near.append(i)
        cost += pages[i].cost
    for i in (*near, *range(last, len(pages))):
        index.detail(pages[i])
    candidates = [k for i in sorted(near) for k in pages[i].elements]
    share = min(1.0, room / max(1, sum(p.cost for p in pages[first:last])))
    weight = weigh(index, chances, near, rare, share)
    for page in pages[last:]:
        for u in (*page.content, *page.grams):
            weight[u] = 0.0
    for k in shown:
        for u in index.elements[k].units:
            weight[u] = 0.0
    cover = Cover(index, weight, room)
    heap = [(-cover.gain(k), k) for k in candidates]
    heapq.heapify(heap)
    left = cover.fill(heap)
    worst = sorted((cover.loss(k), k) for k in cover.taken)[: math.ceil(REVISE * len(cover.taken))]
    for _, k in worst:
        cover.drop(k)
    if worst:
        heap = [(b, k) for b, k in left if -b > worst[0][0]] + [(-cover.gain(k), k) for _, k in worst]
        heapq.heapify(heap)
        cover.fill(heap)
    return list(cover.taken)


def lines(index: Index, chosen: Iterable[int]) -> list[tuple[int, str, str]]:
    """(page id, mark of who spoke, text) of what was chosen, in log order, one for each message, gaps marked."""
    out: list[tuple[int, str, str]] = []
    page = end = before = -1
    for k in sorted(chosen):
        e = index.elements[k]
        said = index.pages[e.page]
        piece = said.text[e.start : e.end]
        if e.page != page:
            out.append((said.id, said.mark, piece))
        else:
            gap = said.text[end : e.start] if k == before + 1 else GAP
            out[-1] = (said.id, said.mark, out[-1][2] + gap + piece)
        page, end, before = e.page, e.end, k
    return out
