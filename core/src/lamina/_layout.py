"""What stands in one session's window: the layout that the log says, and the pages that came since.

A layout never scans the session: it costs the pages that stand in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lamina._pages import Pages
from lamina._records import Admitted, Compacted
from lamina.gate import Gate
from lamina.protocols import Entry, Plan, Shortened, Verbatim
from lamina.rendering import unsound
from lamina.window import Slot

NEW = "new since the last compaction"


class Layout:
    """The slots of a window, in order.

    Args:
        pages: What they are of; a view that grows.
        gate: Makes slots.
    """

    def __init__(self, pages: Pages, gate: Gate) -> None:
        self.gate = gate
        self.slots: list[Slot] = []
        self.tokens = 0
        self.results = 0
        """Tool results that stand in it, in whatever form their page has."""
        self.covered = 0
        """So many pages (by position) stand in it."""
        self.stale = False
        """Whether something happened (a pin) that makes the next window a compaction."""
        self.budget: int | None = None
        """Of the last compaction."""
        self._pages = pages
        self._grown: set[int] = set()
        """Positions of covered pages that changed since they were laid out."""
        self._at: dict[int, int] = {}
        """Page id to the slot that holds just this page."""
        self._spoken = False
        """Whether anything but system messages stands in it."""
        self._made: tuple[Compacted | Admitted, list[Slot]] | None = None

    # ------------------------------------------------------------- what the log says

    def made(self, record: Compacted | Admitted, slots: list[Slot]) -> None:
        """Remember the slots of a record that is about to be written, so that they are not made again."""
        self._made = record, slots

    def restore(self, record: Compacted | Admitted) -> None:
        """Take over what the log says about renditions."""
        made, self._made = self._made, None
        ready = made[1] if made is not None and made[0] is record else None
        if isinstance(record, Admitted):
            self._admit(record.entry, ready)
            return
        self.budget = record.budget
        n = 0
        if record.entries:
            position = self._pages.position(record.entries[-1].last)
            n = 0 if position is None else position + 1
        self._install(ready or self.gate.restored(Plan(record.entries), self._pages, n, "log"), n)

    def _admit(self, entry: Entry, ready: list[Slot] | None) -> None:
        position = self._pages.position(entry.first)
        if position is None or not isinstance(entry.rendition, Shortened):
            return
        if position < self.covered:  # another process wrote it; here the page was laid out as it is
            self._cut(position)
        if position < self.covered:
            return
        for at in range(self.covered, position):
            self.append(self.gate.verbatim(self._pages.all[at], NEW))
        page = self._pages.all[position]
        if ready and ready[0].page is page:
            self.append(ready[0])
        elif unsound(page, entry.rendition) is None:
            self.append(self.gate.shortened(page, entry.rendition, entry.rule))

    def _cut(self, position: int) -> None:
        """Take away what was laid out from this position on; nothing where a compaction covers it."""
        at, stale = self._at.get(self._pages.ids[position]), self.stale
        if at is not None:
            self._install(self.slots[:at], position)
            self.stale = stale

    def _install(self, slots: Iterable[Slot], n: int) -> None:
        self.slots, self.tokens, self.results, self._at, self._spoken = [], 0, 0, {}, False
        for slot in slots:
            self._push(slot)
        self.covered, self.stale = n, False

    # ------------------------------------------------------------- what came since

    def changed(self, positions: Sequence[int]) -> None:
        """Pages at these positions changed, or are new."""
        self._grown.update([position for position in positions if position < self.covered])

    def refresh(self) -> None:
        """Lay out anew the pages that changed since they were laid out."""
        for position in sorted(self._grown):
            if position >= self.covered:
                continue
            page = self._pages.all[position]
            at = self._at.get(page.id)
            if at is None:
                continue  # paged out, or in a digest: the stub stands for the grown page as well
            old = self.slots[at]
            entry = old.entries[0]
            form = entry.rendition
            if isinstance(form, Shortened) and unsound(page, form) is None:
                new = self.gate.shortened(page, form, entry.rule, entry.score)
            else:
                new = self.gate.verbatim(page, entry.rule, entry.score)
            self.slots[at] = new
            self.tokens += new.tokens - old.tokens
        self._grown.clear()

    def append(self, slot: Slot) -> None:
        """Lay out the next page."""
        if not self._spoken and slot.messages[0].role not in ("system", "user"):
            self._push(self.gate.opening)
        self._push(slot)
        self.covered += 1

    def pass_over(self, first: int, budget: int) -> None:
        """Lay nothing out of what the compaction that is now sure to come would take away again."""
        tokens = self._pages.sums[first] - self._pages.sums[self.covered] if first > self.covered else 0
        if first > self.covered and self.tokens + tokens > budget:
            self.covered, self.stale = first, True
            self.tokens += tokens

    def _push(self, slot: Slot) -> None:
        if slot.page is not None:
            self._at[slot.page.id] = len(self.slots)
            self.results += len(slot.page.messages) - 1
        self._spoken = self._spoken or slot.messages[0].role != "system"
        self.slots.append(slot)
        self.tokens += slot.tokens

    # ------------------------------------------------------------- what stands

    @property
    def standing(self) -> int:
        """Pages that stand in it, not counting stubs and digests."""
        return len(self._at)

    def resident(self, page: int) -> bool:
        """Whether the page stands verbatim (or has not been laid out yet)."""
        if page not in self._at:
            position = self._pages.position(page)
            return position is not None and position >= self.covered
        return isinstance(self.slots[self._at[page]].entries[0].rendition, Verbatim)
