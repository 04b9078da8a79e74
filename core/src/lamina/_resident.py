"""A session's pages as a sequence of which only those that are used are held; the rest is read from the log again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import overload
from weakref import WeakValueDictionary

from lamina.model import Page

MOST_TOKENS = 1_000_000
"""Tokens of the pages that are held at most, besides those that somebody else holds: about 5 MB of text."""
LEAST = 16
"""So many pages are held however large they are."""

Load = Callable[[int], Page]
"""Reads the page at a position from the log, at once."""


class Resident(Sequence[Page]):
    """All pages of a session, by position.

    A page that somebody holds is the same object each time it is asked for: strategies keep by page what they found.

    Args:
        load: Reads what is not held; ``None`` where the log cannot be read at once, and everything is held.
    """

    def __init__(self, load: Load | None = None) -> None:
        self._load = load
        self._held: list[Page | None] = []
        self._order: deque[int] = deque()
        """Positions of what is held, in the order in which it came to be."""
        self._tokens = 0
        self._elsewhere: WeakValueDictionary[int, Page] = WeakValueDictionary()
        """What others may still hold, by position."""
        # The synchronous face gives the sequence to threads other than the loop's.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    @overload
    def __getitem__(self, index: int) -> Page: ...
    @overload
    def __getitem__(self, index: slice) -> list[Page]: ...
    def __getitem__(self, index: int | slice) -> Page | list[Page]:
        if isinstance(index, slice):
            found = self._held[index]
            return found if None not in found else [self[i] for i in range(*index.indices(len(self._held)))]  # type: ignore[return-value]
        page = self._held[index]
        return page if page is not None else self._read(index if index >= 0 else len(self._held) + index)

    def __iter__(self) -> Iterator[Page]:
        for at in range(len(self._held)):
            yield self[at]

    def append(self, page: Page) -> None:
        """Add a new page."""
        with self._lock:
            self._held.append(None)
            self._hold(len(self._held) - 1, page)

    def extend(self, n: int) -> None:
        """Add so many pages that are in the log and not held."""
        with self._lock:
            self._held += [None] * n

    def __setitem__(self, position: int, page: Page) -> None:
        with self._lock:
            old = self._held[position]
            if old is None:
                self._hold(position, page)
            else:
                self._held[position] = page
                self._tokens += page.tokens - old.tokens

    def _read(self, position: int) -> Page:
        assert self._load is not None
        with self._lock:
            page = self._held[position]
            if page is None:
                page = self._elsewhere.get(position) or self._load(position)
                self._hold(position, page)
            return page

    def _hold(self, position: int, page: Page) -> None:
        self._held[position] = page
        if self._load is None:
            return
        if self._elsewhere:
            self._elsewhere.pop(position, None)
        self._order.append(position)
        self._tokens += page.tokens
        while self._tokens > MOST_TOKENS and len(self._order) > LEAST:
            self._let_go(self._order.popleft())

    def _let_go(self, position: int) -> None:
        page = self._held[position]
        assert page is not None
        self._tokens -= page.tokens
        self._held[position] = None
        self._elsewhere[position] = page
