"""Choosing what stands before the newest pages: single lines, lines with their neighbours, or pages whole.

Budgeted maximum coverage: the worth of a set is the summed worth of the names that it shows, and of the names that it
shows with their surroundings. That is monotone and submodular, so lazy greedy by gain per token finds in one pass what
plain greedy would.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lamina_pager_coverage._evidence import Element

LINE, WIDE, PAGE = 0, 1, 2
"""An element alone; a clause with the clauses beside it; a page whole."""
STUB = 14
"""Tokens of a digest's first line and frame, about."""
GAP = 2
"""Tokens of the mark where something is left out between two excerpts of a page."""
FINE = 1e-9
"""What gains no more gains nothing."""
_PAGE_GAP = 8
"""A page that stands whole ends a digest and begins another."""


@dataclass(slots=True)
class Choice:
    """What stands of old pages: single elements, and pages whole; ``steps`` in the order taken."""

    elements: set[int] = field(default_factory=set)
    pages: set[int] = field(default_factory=set)
    steps: list[tuple[int, ...]] = field(default_factory=list)
    """Elements taken together; a page is ``(-1 - page,)``."""
    gain: float = 0.0

    def undo(self) -> tuple[int, ...]:
        """Take the last step back."""
        step = self.steps.pop()
        if step[0] < 0:
            self.pages.discard(-1 - step[0])
        else:
            self.elements.difference_update(step)
        return step


@dataclass(slots=True)
class Shown:
    """What the window shows already, besides what is being chosen."""

    named: set[str] = field(default_factory=set)
    surrounded: set[str] = field(default_factory=set)
    gain: float = 0.0
    tokens: int = 0
    loose: int = 0
    """Tokens in digests."""
    solid: int = 0
    """Tokens of texts that stand whole."""


@dataclass(slots=True)
class Scene:
    """What there is to choose from."""

    elements: Sequence[Element]
    beside: Mapping[int, Sequence[int]]
    """Element to the clauses beside it, for those that are clauses."""
    spans: Sequence[tuple[int, int]]
    candidates: Mapping[int, Sequence[str]]
    """Element to the names for which it is one of the latest mentions; only those worth their price."""
    page_names: Mapping[int, tuple[str, ...]]
    """The same of pages that may stand whole."""
    value: Mapping[str, float]
    """Worth per name; names shown elsewhere are absent."""
    page_tokens: Mapping[int, tuple[int, int]]
    """Of a page in its form: all its tokens, and those of its texts."""
    label_tokens: Mapping[int, int]
    label_names: Mapping[int, tuple[str, ...]]
    tokens: Mapping[int, int]
    """Of the candidates, as they were counted; of others what was estimated must do."""


class Chooser:
    """One run of the greedy choice.

    Args:
        scene: What there is to choose from.
        shown: What stands already.
        solid: Tokens of the texts that stand whole behind the choice.
        surroundings: Worth of a name's surroundings relative to its own.
        loose_ratio: Tokens in digests per token that stands whole, at most.
    """

    def __init__(self, scene: Scene, shown: Shown, solid: int, surroundings: float, loose_ratio: float) -> None:
        self.choice = Choice()
        self._scene, self._ratio = scene, loose_ratio
        # Candidates are rated some thousand times: what that needs is one step away.
        self._elements, self._candidates, self._tokens = scene.elements, scene.candidates, scene.tokens
        self._chosen, self._whole = self.choice.elements, self.choice.pages
        # What a name, and its surroundings, are still worth: nothing once they are shown.
        self._named = {**scene.value, **dict.fromkeys(shown.named, 0.0)}
        self._around = {name: surroundings * worth for name, worth in scene.value.items()}
        self._around.update(dict.fromkeys(shown.surrounded, 0.0))
        self._solid, self._loose = solid + shown.solid, STUB + shown.loose
        self._opened: set[int] = set()
        self._heap: list[tuple[float, int, int]] = []
        """(-gain per token when it was last rated, kind, which)."""
        self._waiting: list[tuple[float, int, int]] = []
        """Excerpts must not dominate the window: these wait for a page that stands whole."""
        self._blocked = True
        """Whether not even the best of them could be taken."""

    def run(self, room: float, price: float) -> Choice:
        """Take the best per token until the room is full or the next is worth less than ``price`` per token."""
        self._rate_all()
        left = room - STUB
        while left > _PAGE_GAP and (best := self._best(left)) is not None:
            kind, x, gain, cost = best
            if gain / cost < price:
                break
            if kind == PAGE:
                self._take_page(x, gain)
                self._blocked = False
            elif self._loose + cost > self._ratio * self._solid:
                rated = (-gain / cost, kind, x)
                heapq.heappush(self._waiting, rated)
                self._blocked = self._blocked or self._waiting[0] == rated
                continue
            else:
                self._take(kind, x, gain, cost)
            left -= cost
        return self.choice

    def _rate_all(self) -> None:
        """Put everything that gains something into the heap, while nothing is taken yet."""
        scene, heap = self._scene, self._heap
        elements, beside, named, around = self._elements, scene.beside, self._named, self._around
        tokens, labels = self._tokens, scene.label_tokens
        for x, names in self._candidates.items():
            e = elements[x]
            if len(names) != 1 or e.head >= 0:
                gain, cost = self._rate_line(LINE, x)
            else:  # nearly all: rated here, because there are thousands
                name = names[0]
                gain = named[name] if e.encoded or x in beside else named[name] + around[name]
                cost = tokens[x] + labels[e.page]
            if gain > FINE:
                heap.append((-gain / cost, LINE, x))
        clauses = beside.keys() & self._candidates.keys()
        for kind, xs in ((WIDE, clauses), (PAGE, scene.page_names)):
            for x in xs:
                gain, cost = self._rate(kind, x)
                if gain > FINE:
                    heap.append((-gain / cost, kind, x))
        heapq.heapify(heap)

    def _best(self, left: float) -> tuple[int, int, float, float] | None:
        """What gains the most per token of all that costs at most so many: kind, which, gain and cost."""
        heap, waiting, named, around = self._heap, self._waiting, self._named, self._around
        pop, rate, candidates = heapq.heappop, self._rate_line, self._candidates
        while True:
            nearest = heap
            if waiting and not self._blocked and not (heap and heap[0] < waiting[0]):
                nearest = waiting
            if not nearest:
                return None
            _, kind, x = pop(nearest)
            if kind == PAGE:
                gain, cost = self._rate_page(x)
            else:
                names = candidates[x]
                if len(names) == 1 and not named[names[0]] and not around[names[0]]:
                    continue  # as nearly half of them by then
                gain, cost = rate(kind, x)
            if gain <= FINE or cost > left:
                continue
            if nearest and -gain / cost > nearest[0][0] + 1e-12:
                heapq.heappush(nearest, (-gain / cost, kind, x))
            else:
                return kind, x, gain, cost

    def tokens(self, x: int) -> float:
        """Of an element."""
        return self._scene.tokens.get(x, self._scene.elements[x].tokens)

    def _adjacent(self, x: int) -> int:
        """How many of the lines beside it are taken: next to one it needs no new gap, between two it closes one."""
        chosen, elements = self._chosen, self._elements
        number = elements[x].text_number
        before = x - 1 in chosen and elements[x - 1].text_number == number
        return before + (x + 1 in chosen and elements[x + 1].text_number == number)

    def _members(self, kind: int, x: int) -> list[int]:
        elements, chosen = self._elements, self._chosen
        got = [x, *self._scene.beside[x]] if kind == WIDE else [x]
        if elements[x].head >= 0:
            got.append(elements[x].head)
        return [y for y in got if y not in chosen]

    def _complete(self, kind: int, x: int) -> bool:
        return (kind == WIDE or x not in self._scene.beside) and not self._elements[x].encoded

    def _rate(self, kind: int, x: int) -> tuple[float, float]:
        """Gain and cost of taking it now."""
        return self._rate_page(x) if kind == PAGE else self._rate_line(kind, x)

    def _rate_line(self, kind: int, x: int) -> tuple[float, float]:
        # A line of a page that stands whole gains nothing, because all its names are shown.
        names, e, chosen = self._candidates[x], self._elements[x], self._chosen
        complete = (kind == WIDE or x not in self._scene.beside) and not e.encoded
        if len(names) == 1:  # without lists and sums where there is one of something, which is nearly always
            name = names[0]
            gain = self._named[name] + self._around[name] if complete else self._named[name]
        else:
            gain = sum(map(self._named.__getitem__, names))
            if complete:
                gain += sum(map(self._around.__getitem__, names))
        if gain <= FINE:
            return 0.0, 1
        if kind == LINE and e.head < 0 and x not in chosen:
            cost: float = self._tokens[x]
        else:
            cost = sum(map(self.tokens, self._members(kind, x)))
        if e.page not in self._opened:
            cost += self._scene.label_tokens[e.page]
        elif x - 1 in chosen or x + 1 in chosen:
            cost += GAP * (1 - self._adjacent(x))
        else:
            cost += GAP
        return gain, cost if cost > 1 else 1

    def _rate_page(self, at: int) -> tuple[float, float]:
        scene, choice = self._scene, self.choice
        if at in choice.pages:
            return 0.0, 1
        shows, chosen = scene.page_names[at], choice.elements
        paid = sum(self.tokens(y) for y in range(*scene.spans[at]) if y in chosen) if at in self._opened else 0.0
        gain = sum(map(self._named.__getitem__, shows)) + sum(map(self._around.__getitem__, shows))
        return gain, max(scene.page_tokens[at][0] + _PAGE_GAP - paid, 1)

    def _take_page(self, page: int, gain: float) -> None:
        scene, choice = self._scene, self.choice
        choice.gain += gain
        choice.pages.add(page)
        choice.steps.append((-1 - page,))
        self._solid += scene.page_tokens[page][1]
        for y in range(*scene.spans[page]):
            self._show(scene.elements[y].names)
        self._show(scene.page_names[page])
        self._around.update(dict.fromkeys(scene.page_names[page], 0.0))

    def _show(self, names: Iterable[str]) -> None:
        named = self._named
        for name in names:
            named[name] = 0.0

    def _take(self, kind: int, x: int, gain: float, cost: float) -> None:
        scene, choice, candidates, named = self._scene, self.choice, self._candidates, self._named
        self._loose += int(cost)
        choice.gain += gain
        step = tuple(self._members(kind, x))
        choice.elements.update(step)
        if step:
            choice.steps.append(step)
        page = self._elements[x].page
        if page not in self._opened:
            self._opened.add(page)
            self._show(scene.label_names[page])
        for y in step:
            self._show(self._elements[y].names)
        complete = self._complete(kind, x)
        for name in candidates[x]:
            named[name] = 0.0
            if complete:
                self._around[name] = 0.0
        for y in (x - 1, x + 1):  # cheaper now: it needs no mark of a gap
            if y in candidates and y not in self._chosen:
                gained, needs = self._rate_line(LINE, y)
                if gained > FINE:
                    heapq.heappush(self._heap, (-gained / needs, LINE, y))
