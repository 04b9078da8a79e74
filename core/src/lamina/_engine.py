"""The window engine: lets the window grow at its end, and has it compacted when that is due.

One engine belongs to one session. It never scans the session: between compactions a window costs the new pages
only, and a compaction costs what its pager looks at.
"""

from __future__ import annotations

import bisect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import evolve, frozen

from lamina._counting import CheckedCounter
from lamina._pages import Lazily, Pages, Prefix
from lamina._records import Admitted, Compacted
from lamina.errors import BudgetError, ContractError, LaminaError, PluginError
from lamina.gate import Gate
from lamina.model import Page
from lamina.protocols import (
    AdmitRequest,
    Compressor,
    CompressRequest,
    Entry,
    Excerpt,
    Format,
    Note,
    PagedOut,
    Pager,
    Passage,
    Plan,
    PlanRequest,
    Pressure,
    Scorer,
    ScoreRequest,
    Shortened,
    Verbatim,
    everything,
)
from lamina.rendering import digest_text, unsound
from lamina.window import Slot

Save = Callable[[Compacted | Admitted, int], Awaitable[bool]]
"""Writes a record to the log; false where the epoch passed meanwhile, and the plan is void."""

NEW = "new since the last compaction"


ADMITTED = 1
"""Budgets' worth of the newest pages that are asked about one by one when they come all at once. Asking about four made no
difference beyond noise to the retention of first windows (-0.012 to 0.005 over five settings)."""


@frozen
class Parts:
    """The configured parts that an engine works with."""

    pager: tuple[str, Pager]
    scorer: tuple[str, Scorer] | None
    compressors: tuple[tuple[str, Compressor], ...]
    count: CheckedCounter
    clock: Callable[[], float]
    formats: Mapping[str, Format]
    strict: bool = False


class Engine:
    """The current layout of one session's window."""

    def __init__(
        self, session: str, parts: Parts, pages: Pages, faults: dict[int, int], save: Save, format: Callable[[], str]
    ) -> None:
        self.gate = Gate(parts.count)
        self.epoch = 0
        """Grows when plans that are being made become void: after a pin, a rollback, a reload."""
        self.repairs: list[str] = []
        self._session, self._parts, self._save, self._named = session, parts, save, format
        self.reset(pages, faults)

    def reset(self, pages: Pages, faults: dict[int, int]) -> None:
        """Start anew over these pages, with an empty layout."""
        self.pages, self.faults = pages, faults
        self.epoch += 1
        self.slots: list[Slot] = []
        self.tokens = 0
        self.covered = 0
        """So many pages (by position) stand in the layout."""
        self.dirty: set[int] = set()
        """Positions of covered pages that changed since."""
        self.stale = False
        """Whether something happened (a pin) that makes the next window a compaction."""
        self.budget: int | None = None
        """Of the last compaction."""
        self._at: dict[int, int] = {}
        """Page id to the slot that holds just this page."""
        self._results = 0
        self._spoken = False
        """Whether anything but system messages stands in the layout."""

    # ------------------------------------------------------------- replaying the log

    def restore(self, record: Compacted | Admitted) -> None:
        """Take over what the log says about renditions."""
        match record:
            case Compacted(entries, budget, _):
                self.budget = budget
                n = 0
                if entries:
                    position = self.pages.position(entries[-1].last)
                    n = 0 if position is None else position + 1
                self._install(self.gate.arrange(Plan(entries), self.pages, n, "log"), n)
            case Admitted(entry):
                position = self.pages.position(entry.first)
                if position is not None and isinstance(entry.rendition, Shortened):
                    for at in range(self.covered, position):
                        self._append(self.gate.verbatim(self.pages.all[at], NEW))
                    page = self.pages.all[position]
                    if unsound(page, entry.rendition) is None:
                        self._append(self.gate.shortened(page, entry.rendition, entry.rule))

    # ------------------------------------------------------------- one window

    async def advance(self, budget: int, query: str | None, reserve: int = 0) -> bool:
        """Bring the layout up to date for this budget; true if that took a compaction.

        Args:
            budget: Tokens that the layout may have.
            query: What the window is wanted for.
            reserve: Tokens that a compaction leaves for the tail, where what must stay lets it.

        Raises:
            BudgetError: Not even pinned and system pages fit.
            ContractError: A plugin broke its contract, and the configuration is strict.
        """
        self.repairs = []
        self._refresh()
        await self._grow(budget, query)
        changed = self.budget is not None and self.budget != budget
        if not (self.tokens > budget or self.stale or changed or self._due(budget)):
            return False
        await self._compact(budget, query, reserve)
        while self.tokens > budget:  # so much was added while the pager planned
            await self._compact(budget, query, reserve)
        return True

    def resident(self, page: int) -> bool:
        """Whether the page stands verbatim in the layout (or has not been laid out yet)."""
        if page not in self._at:
            position = self.pages.position(page)
            return position is not None and position >= self.covered
        return isinstance(self.slots[self._at[page]].entries[0].rendition, Verbatim)

    def _refresh(self) -> None:
        for position in sorted(self.dirty):
            if position >= self.covered:
                continue
            page = self.pages.all[position]
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
        self.dirty.clear()

    async def _grow(self, budget: int, query: str | None) -> None:
        large = self._guard(lambda: self._parts.pager[1].large(budget))
        first = self._first_to_admit(budget)
        self._pass_over(first, budget)
        while self.covered < len(self.pages.all):
            page = self.pages.all[self.covered]
            slot = None
            asked = self.covered >= first and isinstance(large, int) and page.tokens > large
            if asked and not page.pinned and page.role != "system":
                at, epoch = self.covered, self.epoch
                slot = await self._admit(page, budget, query)
                if self.epoch != epoch or self.pages.all[at] is not page:
                    continue  # the session changed meanwhile: look again
            self._append(slot or self.gate.verbatim(page, NEW))

    def _pass_over(self, first: int, budget: int) -> None:
        """Lay nothing out of what the compaction that is now sure to come would take away again."""
        tokens = self.pages.sums[first] - self.pages.sums[self.covered]
        if first > self.covered and self.tokens + tokens > budget:
            self.covered, self.stale = first, True
            self.tokens += tokens

    def _first_to_admit(self, budget: int) -> int:
        """The position from which on pages are shown to the pager as they enter.

        Of a session that comes all at once, what lies many budgets back goes out at the compaction that follows.
        """
        at, tokens = len(self.pages.all), 0
        while at > self.covered and tokens <= ADMITTED * budget:
            at -= 1
            tokens += self.pages.all[at].tokens
        return at

    async def _admit(self, page: Page, budget: int, query: str | None) -> Slot | None:
        name, pager = self._parts.pager
        request = AdmitRequest(
            session=self._session, page=page, budget=budget, tokens=self.tokens,
            offer=self._offer, count=self._parts.count, query=query,
        )  # fmt: skip
        epoch = self.epoch
        self.gate.known.clear()
        try:
            form = await pager.admit(request)
            if form is None:
                return None
            if id(form) not in self.gate.known:
                wrong = unsound(page, form)
                if wrong:
                    raise ContractError(name, f"admitted page {page.id} in a form that {wrong}")
            slot = self.gate.shortened(page, form, "shortened as it entered")
            if slot.tokens > page.tokens:
                raise ContractError(name, f"admitted page {page.id} in a form larger than itself")
        except Exception as error:  # noqa: BLE001 - the plugin boundary
            self._complain(name, error)
            return None
        finally:
            self.gate.known.clear()
        return slot if await self._save(Admitted(slot.entries[0]), epoch) else None

    def _append(self, slot: Slot) -> None:
        if not self._spoken and slot.messages[0].role not in ("system", "user"):
            self._push(self.gate.opening)
        self._push(slot)
        self.covered += 1

    def _push(self, slot: Slot) -> None:
        if slot.page is not None:
            self._at[slot.page.id] = len(self.slots)
            self._results += len(slot.page.messages) - 1
        self._spoken = self._spoken or slot.messages[0].role != "system"
        self.slots.append(slot)
        self.tokens += slot.tokens

    def _install(self, slots: Iterable[Slot], n: int) -> None:
        self.slots, self.tokens, self._results, self._at, self._spoken = [], 0, 0, {}, False
        for slot in slots:
            self._push(slot)
        self.covered, self.stale = n, False

    def _due(self, budget: int) -> bool:
        pressure = Pressure(
            session=self._session, tokens=self.tokens, budget=budget, pages=len(self._at), results=self._results
        )
        return bool(self._guard(lambda: self._parts.pager[1].due(pressure)))

    def _guard(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Exception as error:  # noqa: BLE001 - the plugin boundary
            self._complain(self._parts.pager[0], error)
            return None

    # ------------------------------------------------------------- a compaction

    async def _compact(self, whole: int, query: str | None, reserve: int) -> None:
        name, pager = self._parts.pager
        while True:
            n, epoch = len(self.pages.all), self.epoch
            needed = self._check_budget(whole, n)
            budget = whole - reserve if needed <= whole - reserve else whole
            # The pager cannot know of the line before a window that would open with the model's words.
            opening = self._opening_tokens(n)
            request = self._request(budget - opening if needed <= budget - opening else budget, query, n)
            self.gate.forget(self.slots)
            try:
                plan = await pager.plan(request)
                slots = self.gate.arrange(plan, self.pages, n, name)
                self.gate.check_budget(slots, budget, name)
            except Exception as error:
                if isinstance(error, LaminaError) and not isinstance(error, PluginError):
                    raise
                self._complain(name, error)
                slots = self.gate.arrange(self._fallback(budget, n, needed), self.pages, n, "lamina")
                self.gate.check_budget(slots, budget, "lamina")
            finally:
                self.gate.forget(self.slots)
            if self.epoch != epoch:
                continue
            entries = tuple(entry for slot in slots for entry in slot.entries)
            if await self._save(Compacted(entries, whole, name), epoch):
                break
        self._install(slots, n)
        self.budget = whole
        self._refresh()
        await self._grow(whole, query)

    def _opening_tokens(self, n: int) -> int:
        """Tokens of the line that stands before a window whose first message would be neither system nor user."""
        for at in range(n):
            if self.pages.all[at].role != "system":
                return 0 if self.pages.all[at].role == "user" else self.gate.opening.tokens
        return 0

    def _check_budget(self, budget: int, n: int) -> int:
        """Tokens of what must stand: system and pinned pages, a stub for each gap between them, the opening line."""
        last = self.pages.ids[n - 1] if n else 0
        must = [p for p in self.pages.must if p <= last]
        tokens = before = 0
        spoken = False
        for page in must:
            position = self.pages.position(page)
            assert position is not None
            if position > before:
                tokens, spoken = tokens + self.gate.stub_tokens, True
            role = self.pages.all[position].role
            if not spoken and role not in ("system", "user"):
                tokens += self.gate.opening.tokens
            spoken = spoken or role != "system"
            tokens += self.pages.all[position].tokens
            before = position + 1
        needed = tokens + (before < n) * self.gate.stub_tokens
        if needed > budget:
            raise BudgetError(budget, needed, f"the {len(must)} pinned and system pages" if must else "even a stub")
        return needed

    def _request(self, budget: int, query: str | None, n: int) -> PlanRequest:
        def digest_tokens(first: int, last: int, excerpts: Sequence[Excerpt], notes: Sequence[Note] = ()) -> int:
            return self.gate.notice_tokens(digest_text(first, last, excerpts, notes))

        last = self.pages.ids[n - 1] if n else 0
        now = self._parts.clock()

        async def score(pages: Sequence[Page]) -> Sequence[float]:
            return await self._score(pages, Prefix(self.pages.all, n), query, now)

        return PlanRequest(
            session=self._session,
            pages=Prefix(self.pages.all, n),
            entries=[entry for slot in self.slots for entry in slot.entries if entry.rule != NEW],
            budget=budget,
            offer=self._offer,
            score=score,
            count=self._parts.count,
            stub_tokens=self.gate.stub_tokens,
            digest_tokens=digest_tokens,
            pinned=[p for p in self.pages.must if p <= last],
            query=query,
            faults=self.faults,
            now_s=now,
            asked=Prefix(self.pages.asked, bisect.bisect_right(self.pages.asked, last)),
            passages=self._passages,
        )

    def _format(self) -> tuple[str, Format | None]:
        """Name and format that the session came in."""
        name = self._named()
        return name, self._parts.formats.get(name)

    def _passages(self, page: Page) -> Sequence[Passage]:
        """What a person wrote on the page, as the session's format tells it."""
        if page.role != "user":
            return ()
        name, form = self._format()
        if form is None:
            return everything(page)
        try:
            return form.passages(page.messages[0])
        except Exception as error:  # noqa: BLE001 - the plugin boundary
            self._complain(name, error)
            return everything(page)

    def _fallback(self, budget: int, n: int, needed: int) -> Plan:
        """Where a pager failed: what must stay, the newest pages that fit, stubs for the rest."""
        rule = "the gate's fallback: the pager's plan was refused"
        room = budget - needed - self.gate.opening.tokens
        start = n
        must = set(self.pages.must)
        while start and (self.pages.ids[start - 1] in must or self.pages.all[start - 1].tokens <= room):
            start -= 1
            if self.pages.ids[start] not in must:
                room -= self.pages.all[start].tokens
        entries: list[Entry] = []
        at = 0
        for position in [p for p in (self.pages.position(m) for m in self.pages.must) if p is not None and p < start]:
            if at < position:
                entries.append(Entry(self.pages.ids[at], self.pages.ids[position - 1], PagedOut(), rule))
            entries.append(Entry(self.pages.ids[position], self.pages.ids[position], Verbatim(), "pinned"))
            at = position + 1
        if at < start:
            entries.append(Entry(self.pages.ids[at], self.pages.ids[start - 1], PagedOut(), rule))
        if start < n:
            entries.append(Entry(self.pages.ids[start], self.pages.ids[n - 1], Verbatim(), rule))
        return Plan(tuple(entries))

    # ------------------------------------------------------------- what a pager may ask for

    async def _offer(self, pages: Sequence[Page], targets: Sequence[int]) -> Sequence[Shortened]:
        if not pages:
            return ()
        by_id = {page.id: page for page in pages}
        request = CompressRequest(
            pages=pages, resident=Lazily(partial(self._resident_beside, frozenset(by_id), len(self.slots))), targets=targets, count=self._parts.count,
            session=self._session,
        )  # fmt: skip
        out: list[Shortened] = []
        for name, compressor in self._parts.compressors:
            try:
                offers = list(await compressor.compress(request))
            except Exception as error:  # noqa: BLE001 - the plugin boundary
                self._complain(name, error)
                continue
            for offer in offers:
                sound = self._sound(name, by_id, offer)
                if sound is not None:
                    self.gate.known[id(sound)] = sound
                    out.append(sound)
        return out

    def _resident_beside(self, asked: frozenset[int], n: int) -> list[Page]:
        return [slot.page for slot in self.slots[:n] if slot.page is not None and slot.page.id not in asked]

    def _sound(self, name: str, pages: dict[int, Page], offer: Any) -> Shortened | None:
        if not isinstance(offer, Shortened) or offer.page not in pages:
            self._complain(
                name, ContractError(name, f"offered {getattr(offer, 'page', offer)!r}, which was not asked for")
            )
            return None
        page = pages[offer.page]
        wrong = unsound(page, offer)
        if wrong:
            self._complain(name, ContractError(name, f"made an offer that {wrong}"))
            return None
        by = f"{name}/{offer.compressor}" if isinstance(offer.compressor, str) and offer.compressor else name
        return evolve(offer, compressor=by, tokens=self.gate.tokens(page, offer))

    async def _score(
        self, pages: Sequence[Page], log: Sequence[Page], query: str | None, now: float
    ) -> Sequence[float]:
        if self._parts.scorer is None or not pages:
            return [0.0] * len(pages)
        name, scorer = self._parts.scorer
        request = ScoreRequest(
            pages=pages, newest=log[-1].id, query=query, faults=self.faults, now_s=now, session=self._session, log=log
        )  # fmt: skip
        try:
            scores = list(await scorer.score(request))
            if len(scores) != len(pages):
                raise ContractError(name, f"gave {len(scores)} scores for {len(pages)} pages")
            for score, page in zip(scores, pages, strict=True):
                if not isinstance(score, int | float) or not float("-inf") < score < float("inf"):
                    raise ContractError(name, f"gave page {page.id} the score {score!r}")
        except Exception as error:  # noqa: BLE001 - the plugin boundary
            self._complain(name, error)
            return [0.0] * len(pages)
        return scores

    def _complain(self, name: str, error: Exception) -> None:
        """Note what a plugin did wrong; raise it where the configuration is strict."""
        fault = error if isinstance(error, PluginError) else ContractError(name, f"{type(error).__name__}: {error}")
        if self._parts.strict:
            raise fault from error
        self.repairs.append(str(fault))
