"""The window engine: proposes how a session's window is laid out; whoever owns the log commits it.

Between compactions a window costs the new pages only, and a compaction costs what its pager looks at.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import evolve, frozen

from lamina._counting import CheckedCounter
from lamina._fold import Fold
from lamina._layout import NEW
from lamina._must import check_budget, fallback, opening_tokens
from lamina._pages import Lazily, Prefix
from lamina._records import Admitted, Compacted
from lamina.errors import ContractError, LaminaError, PluginError
from lamina.model import Page
from lamina.protocols import (
    AdmitRequest,
    Compressor,
    CompressRequest,
    Excerpt,
    Format,
    Note,
    Pager,
    Passage,
    PlanRequest,
    Pressure,
    Scorer,
    ScoreRequest,
    Shortened,
    everything,
)
from lamina.rendering import digest_text, unsound

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


@frozen
class Wanted:
    """What a window is to be."""

    budget: int
    """Tokens that the layout may have."""
    query: str | None = None
    """What it is wanted for."""
    reserve: int = 0
    """Tokens that a compaction leaves for the tail, where what must stay lets it."""


@frozen
class Proposal:
    """A record that the log should get."""

    record: Compacted | Admitted
    epoch: int
    """Of the fold that it was made for: in another one it is void."""


class Engine:
    """Lays out the windows of one session.

    It changes nothing but the end of the layout, where pages that are new are laid out as they are; everything else it
    proposes. It keeps nothing of the session: what the log says is given to it, and may be another fold the next time.

    Args:
        session: Whose windows they are.
        parts: What they are built with.
    """

    def __init__(self, session: str, parts: Parts) -> None:
        self.repairs: list[str] = []
        """What plugins did wrong since this was last cleared."""
        self._session, self._parts = session, parts

    async def propose(self, fold: Fold, wanted: Wanted, *, compacted: bool = False) -> Proposal | None:
        """Bring the layout up to date; what the log has to say for that, or ``None`` where the window is ready.

        Ask again once the proposal is committed, or void.

        Args:
            fold: What the log says.
            wanted: What the window is to be.
            compacted: Whether a compaction was committed for this window: only what does not fit takes another one.

        Raises:
            BudgetError: Not even pinned and system pages fit.
            ContractError: A plugin broke its contract, and the configuration is strict.
        """
        layout = fold.layout
        layout.refresh()
        admitted = await self._grow(fold, wanted)
        if admitted is not None:
            return admitted
        if layout.tokens <= wanted.budget:
            changed = layout.budget is not None and layout.budget != wanted.budget
            if compacted or not (layout.stale or changed or self._due(fold, wanted.budget)):
                return None
        return await self._plan(fold, wanted)

    # ------------------------------------------------------------- new pages

    async def _grow(self, fold: Fold, wanted: Wanted) -> Proposal | None:
        """Lay out the new pages, up to one that enters in another form."""
        layout, pages = fold.layout, fold.pages
        large = self._guard(lambda: self._parts.pager[1].large(wanted.budget))
        first = _first_to_admit(fold, wanted.budget)
        layout.pass_over(first, wanted.budget)
        while layout.covered < len(pages.all):
            at, epoch = layout.covered, fold.epoch
            page = pages.all[at]
            asked = at >= first and isinstance(large, int) and page.tokens > large
            if asked and not page.pinned and page.role != "system":
                admitted = await self._admit(fold, page, wanted)
                if fold.epoch != epoch or layout.covered != at or pages.all[at] is not page:
                    continue  # the session changed meanwhile: look again
                if admitted is not None:
                    return admitted
            layout.append(layout.gate.verbatim(page, NEW))
        return None

    async def _admit(self, fold: Fold, page: Page, wanted: Wanted) -> Proposal | None:
        name, pager = self._parts.pager
        layout, gate, epoch = fold.layout, fold.layout.gate, fold.epoch
        request = AdmitRequest(
            session=self._session, page=page, budget=wanted.budget, tokens=layout.tokens,
            offer=partial(self._offer, fold), count=self._parts.count, query=wanted.query,
        )  # fmt: skip
        gate.known.clear()
        try:
            form = await pager.admit(request)
            if form is None:
                return None
            if id(form) not in gate.known:
                wrong = unsound(page, form)
                if wrong:
                    raise ContractError(name, f"admitted page {page.id} in a form that {wrong}")
            slot = gate.shortened(page, form, "shortened as it entered")
            if slot.tokens > page.tokens:
                raise ContractError(name, f"admitted page {page.id} in a form larger than itself")
        except Exception as error:  # noqa: BLE001 - the plugin boundary
            self._complain(name, error)
            return None
        finally:
            gate.known.clear()
        record = Admitted(slot.entries[0])
        layout.made(record, [slot])
        return Proposal(record, epoch)

    def _due(self, fold: Fold, budget: int) -> bool:
        layout = fold.layout
        pressure = Pressure(
            session=self._session, tokens=layout.tokens, budget=budget, pages=layout.standing, results=layout.results
        )
        return bool(self._guard(lambda: self._parts.pager[1].due(pressure)))

    def _guard(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Exception as error:  # noqa: BLE001 - the plugin boundary
            self._complain(self._parts.pager[0], error)
            return None

    # ------------------------------------------------------------- a compaction

    async def _plan(self, fold: Fold, wanted: Wanted) -> Proposal:
        name, pager = self._parts.pager
        gate, pages, whole = fold.layout.gate, fold.pages, wanted.budget
        while True:
            n, epoch = len(pages.all), fold.epoch
            needed = check_budget(pages, gate, whole, n)
            budget = whole - wanted.reserve if needed <= whole - wanted.reserve else whole
            # The pager cannot know of the line before a window that would open with the model's words.
            opening = opening_tokens(pages, gate, n)
            fitting = budget - opening if needed <= budget - opening else budget
            request = self._request(fold, fitting, wanted.query, n)
            gate.forget(fold.layout.slots)
            try:
                plan = await pager.plan(request)
                slots = gate.arrange(plan, pages, n, name)
                gate.check_budget(slots, budget, name)
            except Exception as error:
                if isinstance(error, LaminaError) and not isinstance(error, PluginError):
                    raise
                self._complain(name, error)
                slots = gate.arrange(fallback(pages, gate, budget, n, needed), pages, n, "lamina")
                gate.check_budget(slots, budget, "lamina")
            finally:
                gate.forget(fold.layout.slots)
            if fold.epoch == epoch:
                record = Compacted(tuple(entry for slot in slots for entry in slot.entries), whole, name)
                fold.layout.made(record, slots)
                return Proposal(record, epoch)

    def _request(self, fold: Fold, budget: int, query: str | None, n: int) -> PlanRequest:
        gate, pages = fold.layout.gate, fold.pages

        def digest_tokens(first: int, last: int, excerpts: Sequence[Excerpt], notes: Sequence[Note] = ()) -> int:
            return gate.notice_tokens(digest_text(first, last, excerpts, notes))

        last = pages.ids[n - 1] if n else 0
        now = self._parts.clock()

        async def score(asked: Sequence[Page]) -> Sequence[float]:
            return await self._score(fold, asked, Prefix(pages.all, n), query, now)

        return PlanRequest(
            session=self._session,
            pages=Prefix(pages.all, n),
            entries=[entry for slot in fold.layout.slots for entry in slot.entries if entry.rule != NEW],
            budget=budget,
            offer=partial(self._offer, fold),
            score=score,
            count=self._parts.count,
            stub_tokens=gate.stub_tokens,
            digest_tokens=digest_tokens,
            pinned=[p for p in pages.must if p <= last],
            query=query,
            faults=fold.faults,
            now_s=now,
            asked=Prefix(pages.asked, bisect.bisect_right(pages.asked, last)),
            passages=partial(self._passages, fold.format),
        )

    def _passages(self, name: str, page: Page) -> Sequence[Passage]:
        """What a person wrote on the page, as the session's format tells it."""
        if page.role != "user":
            return ()
        form = self._parts.formats.get(name)
        if form is None:
            return everything(page)
        try:
            return form.passages(page.messages[0])
        except Exception as error:  # noqa: BLE001 - the plugin boundary
            self._complain(name, error)
            return everything(page)

    # ------------------------------------------------------------- what a pager may ask for

    async def _offer(self, fold: Fold, pages: Sequence[Page], targets: Sequence[int]) -> Sequence[Shortened]:
        if not pages:
            return ()
        by_id = {page.id: page for page in pages}
        request = CompressRequest(
            pages=pages, targets=targets, count=self._parts.count, session=self._session,
            resident=Lazily(partial(_resident_beside, fold, frozenset(by_id), len(fold.layout.slots))),
        )  # fmt: skip
        out: list[Shortened] = []
        for name, compressor in self._parts.compressors:
            try:
                offers = list(await compressor.compress(request))
            except Exception as error:  # noqa: BLE001 - the plugin boundary
                self._complain(name, error)
                continue
            for offer in offers:
                sound = self._sound(fold, name, by_id, offer)
                if sound is not None:
                    fold.layout.gate.known[id(sound)] = sound
                    out.append(sound)
        return out

    def _sound(self, fold: Fold, name: str, pages: dict[int, Page], offer: Any) -> Shortened | None:
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
        return evolve(offer, compressor=by, tokens=fold.layout.gate.tokens(page, offer))

    async def _score(
        self, fold: Fold, pages: Sequence[Page], log: Sequence[Page], query: str | None, now: float
    ) -> Sequence[float]:
        if self._parts.scorer is None or not pages:
            return [0.0] * len(pages)
        name, scorer = self._parts.scorer
        request = ScoreRequest(
            pages=pages, newest=log[-1].id, query=query, faults=fold.faults, now_s=now, session=self._session, log=log
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


def _resident_beside(fold: Fold, asked: frozenset[int], n: int) -> list[Page]:
    return [slot.page for slot in fold.layout.slots[:n] if slot.page is not None and slot.page.id not in asked]


def _first_to_admit(fold: Fold, budget: int) -> int:
    """The position from which on pages are shown to the pager as they enter.

    Of a session that comes all at once, what lies many budgets back goes out at the compaction that follows.
    """
    sums = fold.pages.sums
    return max(fold.layout.covered, bisect.bisect_left(sums, sums[-1] - ADMITTED * budget) - 1)
