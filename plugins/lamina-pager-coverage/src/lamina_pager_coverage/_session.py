"""What the coverage pager knows of one session, as it grows."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lamina.model import Page
from lamina.protocols import Excerpt, Note, Shortened
from lamina_pager_coverage._evidence import Evidence
from lamina_pager_coverage._settings import CoverageSettings
from lamina_pager_coverage._talk_plan import Talk, newest
from lamina_pager_coverage._text import identifiers

TALK = 0.1
"""A session with a smaller share of tokens in calls and results may be talk, and covered by words and sentences."""
NAMED = 0.004
"""It is, if it names fewer different things per token; numbers and times are no names. Recorded dialogues have 0.0002 at
most; agents that call their tools in plain text have 0.01 and more, as sessions with tools have (0.009 and more)."""
SAMPLE = 64
"""Pages whose names are counted for that, the newest of those that are new."""
_WORDY = re.compile(r"[^\W\d_]{2}")
REACH = 6
"""Budgets of the newest tokens that are examined of a session that comes all at once, at least."""
RESULTS = 0.5
"""Of what is examined of such a session, the newer part in which results are read as well: of older ones, what was made of
them was said since. Reading them all keeps no more of what is needed later (see docs/benchmarks.md)."""


@dataclass(slots=True)
class Item:
    """One piece of what stands before the newest pages: a page whole, or a digest (or a stub) of a run."""

    first: int
    end: int
    """Positions: ``[first, end)``."""
    elements: list[int]
    page: int | None
    """Position, of a page that stands whole."""
    tokens: int
    solid: int
    excerpts: tuple[Excerpt, ...] = ()
    notes: tuple[Note, ...] = ()
    forced: bool = False
    """Whether it stood whatever it was worth, so that its tokens were taken from the room."""
    texts: int = 0
    """Of the tokens, those of quotes that are whole text."""
    unexplained: bool = False
    """Whether its excerpts do not say yet why they stand."""


class Session:
    """What the pager knows of one session."""

    def __init__(self, statement: float) -> None:
        self.evidence = Evidence(statement)
        self.talk = Talk()
        self.forms: dict[int, Shortened] = {}
        """Page id to the form in which it entered."""
        self.sizes: dict[int, tuple[int, int]] = {}
        """Position to the tokens of its page in its form: all, and those of its texts."""
        self.items: list[Item] = []
        self.windows = 0
        """Windows asked for that did not take a compaction."""
        self.planned = 0
        """Pages of the last plan."""
        self.tokens = self.tool_tokens = 0
        """Of the pages looked at, and of those with calls."""
        self.names = self.sampled = 0
        """Different names in samples of pages, and their tokens."""
        self._looked = 0
        self._newest: list[Page] = []

    @property
    def is_talk(self) -> bool:
        """Whether hardly anything was said in calls and results, and hardly anything named."""
        return self.tool_tokens < TALK * self.tokens and self.names <= NAMED * self.sampled

    def follow(
        self, pages: Sequence[Page], forms: Mapping[int, Shortened], settings: CoverageSettings, budget: int
    ) -> None:
        """Take in what is new; begin anew where the session went back or a known page changed."""
        known = pages[max(0, self._looked - len(self._newest)) : self._looked]
        if self._looked > len(pages) or any(map(_differ, self._newest[:-1], known)):
            self.evidence, self.talk, self.items = Evidence(settings.statement), Talk(), []
            self.sizes.clear()
            self.tokens = self.tool_tokens = self.names = self.sampled = self._looked = 0
        elif known and _differ(self._newest[-1], known[-1]):
            self._take_back(self._newest[-1])
        reach = max(settings.reach_tokens, REACH * budget)
        new = newest(pages, self._looked, reach)
        self.tokens += sum(page.tokens for page in new)
        self.tool_tokens += sum(page.tokens for page in new if len(page.messages) > 1)
        if self.tool_tokens < TALK * self.tokens:
            said = [page for page in new[-SAMPLE:] if page.role != "system"]
            self.names += len({name for page in said for name in identifiers(page.text) if _WORDY.search(name)})
            self.sampled += sum(page.tokens for page in said)
        self._looked, self._newest = len(pages), list(pages[max(0, len(pages) - 3) :])
        for id, form in forms.items():
            if self.forms.get(id) is not form:
                self.forms[id] = form
                self.sizes.pop(bisect_left(pages, id, key=_id), None)
        if not self.is_talk:
            self._gather(pages, reach)

    def let_go(self, pages: Sequence[Page], start: int) -> None:
        """Forget the pages before ``start`` that nothing can be quoted from and of which nothing stands."""
        elements = self.evidence.elements
        standing = [elements[x].page for item in self.items for x in item.elements]
        standing += [item.page for item in self.items if item.page is not None]
        for at in self.evidence.let_go(standing, start):
            self.sizes.pop(at, None)
            self.forms.pop(pages[at].id, None)

    def _take_back(self, page: Page) -> None:
        """Forget the newest page that was looked at: another took its place, mostly itself with a result."""
        self._looked -= 1
        self.tokens -= page.tokens
        if len(page.messages) > 1:
            self.tool_tokens -= page.tokens
        self.talk = Talk()
        if len(self.evidence.pages) > self._looked:
            self.evidence.take_back()
        if self.items and self.items[-1].end > self._looked:
            self.items = []
        self.sizes.pop(self._looked, None)
        self.forms.pop(page.id, None)

    def _gather(self, pages: Sequence[Page], reach: float) -> None:
        done, read = len(self.evidence.pages), RESULTS * reach
        new = newest(pages, done, reach)
        left = sum(page.tokens for page in new)
        self.evidence.skip(len(pages) - done - len(new))
        for page in new:
            left -= page.tokens
            form, is_last = self.forms.get(page.id), page is new[-1]
            self.evidence.add(page, form, results=left < read, may_change=is_last)
        self.evidence.taken_in()


def _id(page: Page) -> int:
    return page.id


def _differ(known: Page, page: Page) -> bool:
    return known.messages is not page.messages
