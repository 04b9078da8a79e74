"""A session: one conversation as an append-only log, and the windows over it."""

from __future__ import annotations

import asyncio
import bisect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import asdict, evolve, field, frozen

from lamina._book import Book, Made, SessionInfo
from lamina._bounded import bounded
from lamina._checking import checked
from lamina._engine import Engine, Parts, Wanted
from lamina._objects import messages_of
from lamina._pages import Prefix
from lamina._recording import Recording, exported
from lamina._records import DIGEST, Checkpointed, Compacted, Faulted, Lived, Pinned, RolledBack
from lamina._tail import Tail, build_tail
from lamina.errors import BudgetError, SessionStateError, UnknownPageError, UnknownPluginError
from lamina.model import CallResult, Hit, Message, Page, tool_result
from lamina.plugins import Catalogue
from lamina.protocols import ExportRequest, Format, Parsed, RenderRequest, Storage, ToolSpec
from lamina.verbatim import whole as storable
from lamina.window import Ledger, Window

__all__ = ["Imported", "Session", "SessionInfo", "Shared"]


@frozen
class Imported:
    """What an import did to one session."""

    session: str
    format: str
    added: int
    """Messages that are new."""
    already: int
    """Source records that were there from an earlier import."""
    skipped: Mapping[str, int]
    """Source records that are no messages, by reason; they are kept as well."""
    pages: int
    tokens: int
    damaged: tuple[int, ...] = ()
    """Lines of the source records that are half-written or overwritten. One that ends the source is not kept, because
    it may still be written."""


@frozen
class Shared:
    """What all sessions of a context share."""

    storage: Storage
    parts: Parts
    formats: Mapping[str, Format]
    format: str
    """The format of sessions that came in none."""
    catalogue: Catalogue
    budget: int
    result_tokens: int
    recall_share: float
    recall_limit: int
    recall: Callable[[str, int], Awaitable[Sequence[Hit]]]
    """``await recall(query, limit)``: candidates, none of which counts as used."""
    mark_used: Callable[[Sequence[Hit]], Awaitable[None]]
    """Counts those as used that stand in a window."""
    owing: bool
    """Whether tiers follow the log: then a session that grew leaves a note for them."""
    fork: Callable[[str], Awaitable[Session]] = field(repr=False)


class Session:
    """One conversation.

    Any number of tasks may use it at once: messages go on being added while a compaction is planned. Several
    processes may use it at once where the storage is shared; a writer that loses reads again and retries.
    """

    def __init__(self, shared: Shared, id: str) -> None:
        self.id = id
        self._shared = shared
        self.book = Book(shared.storage, shared.parts, id, shared.format, shared.owing)
        self._engine = Engine(id, shared.parts)
        self._windows = asyncio.Lock()
        """Held while a window is built: windows of one session follow each other."""
        self._planning = False

    @property
    def format(self) -> str:
        """The format that the session came in, or is exported in."""
        return self.book.fold.format

    @property
    def source(self) -> str:
        """The recording that it was imported from; empty where it was not."""
        return self.book.fold.source

    @property
    def state(self) -> str:
        """``open`` (nothing said yet), ``active``, ``compacting`` or ``closed``."""
        state = self.book.fold.state
        return "compacting" if self._planning and state == "active" else state

    # ------------------------------------------------------------- reading

    @property
    def pages(self) -> Sequence[Page]:
        """All pages, in log order: a view that does not grow."""
        pages = self.book.fold.pages.all
        return Prefix(pages, len(pages))

    @property
    def tokens(self) -> int:
        """Tokens of all pages as they were said."""
        return self.book.fold.pages.sums[-1]

    @property
    def budget(self) -> int | None:
        """What the renditions were last chosen for (tools not included); ``None`` before the first compaction."""
        return self.book.fold.layout.budget

    @property
    def faults(self) -> Mapping[int, int]:
        """How often each page was needed while it was not resident."""
        return dict(self.book.fold.faults)

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """The names of the checkpoints, oldest first."""
        return tuple(self.book.fold.checkpoints)

    @property
    def info(self) -> SessionInfo:
        """What a listing says of the session."""
        return evolve(self.book.info, state=self.state)

    def page(self, page: int) -> Page:
        """A page by id.

        Raises:
            UnknownPageError: Says which ids there are.
        """
        pages = self.book.fold.pages
        position = pages.position(page)
        if position is None:
            raise UnknownPageError(self.id, page, pages.ids[-1] if pages.ids else None)
        return pages.all[position]

    # ------------------------------------------------------------- adding

    async def add(self, *messages: Any, format: str | None = None) -> list[int]:
        """Log messages, durably; all of them or, when one is refused, none.

        Beside :class:`lamina.Message`, what the official clients return and take, as objects or dicts: messages of Anthropic
        and OpenAI, items of the Responses API, messages of LangChain, whatever a format is installed for. Nothing of them is
        lost: what lamina has no word for goes along, and :meth:`raw` has them as they were given.

        Lone surrogates, which no storage can hold, become U+FFFD; :meth:`raw` then has the message as it was given.

        Args:
            *messages: In order.
            format: What objects and dicts are in; detected where not given, the session's own format first.

        Returns:
            The id of the page that each message opened or joined (of a tool message: of its last result's call).

        Raises:
            FormatError: A tool result answers no call, or a message is none: names the field.
            ContractError: The counter gave impossible counts.
            SessionStateError: The session is closed.
        """
        joined: list[int] = []

        def make() -> Made:
            if self.state == "closed":
                raise SessionStateError(f"session {self.id!r} is closed; reopen it first")
            coming = self.book.fold.ahead()
            joined.clear()
            for message in messages:
                if isinstance(message, Message):
                    mended = checked(message)
                    source = None if mended is message else coming.keep(json.dumps(asdict(message)).encode())
                    joined.append(coming.say(mended, source))
                else:
                    own = format or self.format
                    read, raw = messages_of(message, self._shared.formats, own, format, coming.waiting())
                    source = coming.keep(raw)
                    joined.append([coming.say(checked(one), source) for one in read][-1])
            return coming.records, coming.sources

        if messages:
            await self.book.append(make)
        return joined

    async def add_result(self, result: CallResult) -> str:
        """Log what a call came to, whole, as the result of the call of its id, durably.

        Returns:
            What to show of it where it is shown by itself and not in a window: the text, or of one that has more than
            ``calls.result_tokens`` its head and tail, with the page by which ``expand`` gives all of it.

        Raises:
            FormatError: The session has no call of that id.
            SessionStateError: The session is closed.
        """
        (page,) = await self.add(tool_result(result.call.id, result.text, error=result.error))
        return bounded(result.text, page, self._shared.result_tokens, self._shared.parts.count)

    async def import_records(self, parsed: Sequence[Parsed], format: str, source: str) -> Imported:
        """Add what is new of a recording; all of it or nothing. Called by :meth:`lamina.Context.import_data`.

        Raises:
            FormatError: The session already holds other records than this recording.
        """
        recording = Recording(parsed, source)
        facts = {"already": 0, "before": 0}

        def make() -> Made:
            fold = self.book.fold
            recording.check(self.id, fold)
            facts.update(already=len(fold.digests) // DIGEST, before=fold.messages)
            return recording.made(fold, format)

        await self.book.append(make)
        await self.book.flush()
        fold = self.book.fold
        return Imported(
            self.id, self.format, fold.messages - facts["before"], min(facts["already"], len(recording.digests)),
            recording.skipped, len(fold.pages.all), self.tokens, recording.damaged,
        )  # fmt: skip

    def check_records(self, parsed: Sequence[Parsed], source: str) -> None:
        """Refuse what :meth:`import_records` would refuse as another recording.

        Raises:
            FormatError: The session already holds other records than this recording.
        """
        Recording(parsed, source).check(self.id, self.book.fold)

    # ------------------------------------------------------------- windows

    async def window(
        self, budget: int | None = None, *, query: str | None = None, tools: Sequence[ToolSpec] = ()
    ) -> Window:
        """The window that fits the budget.

        Costs the pages added since the last window; now and then a compaction.

        Args:
            budget: Tokens of the whole window, the tail included; the configured one by default.
            query: What it is wanted for: scorers see it, and memories are recalled for it into the tail.
            tools: What is sent beside the messages and has to fit the budget too, as the counter counts it. Other
                tools leave the messages another room, which is a compaction: send the same ones every time.

        Raises:
            BudgetError: Not even what must stay fits; nothing was changed.
            ContractError: A plugin broke its contract and ``[window] strict`` is set.
        """
        query = None if query is None else storable(query)
        whole = self._shared.budget if budget is None else budget
        if type(whole) is not int or whole <= 0:
            raise BudgetError(whole, 1, "a window and its messages")
        count = self._shared.parts.count
        beside = count.info.request_tokens + count.tools(tools)
        if whole <= beside:
            raise BudgetError(whole, beside + 1, f"the {len(tools)} tools that are sent beside the messages")
        budget = whole - beside
        async with self._windows:
            await self.book.ready()
            self._planning = True
            try:
                compacted = await self._lay_out(Wanted(budget, query, self._tail_tokens(budget, query)))
            except BudgetError as error:  # of the messages: say what the whole window would need
                raise BudgetError(whole, error.needed + beside, error.what) from error
            finally:
                self._planning = False
            pages, layout = self.book.fold.pages, self.book.fold.layout
            slots, tokens, repairs = tuple(layout.slots), layout.tokens, self._engine.repairs
            tail = await self._tail(budget - tokens, budget, query)
        window = Window(
            session=self.id, budget=whole, tokens=beside + tokens + tail.tokens, beside=beside, format=self._sends(), compacted=compacted,
            ledger=Ledger(slots, tail.slots, pages.ids, pages.sums, repairs, self._shared.formats.get(self._sends())),
            slots=slots, tail=tail.messages, formats=self._shared.formats,
        )  # fmt: skip
        if compacted:
            self._tell(window)
        return window

    async def _lay_out(self, wanted: Wanted) -> bool:
        """Have the layout brought up to date, and commit what that takes; true if it took a compaction."""
        self._engine.repairs = []
        compacted = False
        while True:
            fold = self.book.fold
            proposal = await self._engine.propose(fold, wanted, compacted=compacted)
            if proposal is not None:
                done = await self.book.commit(proposal)
                compacted = compacted or (done and isinstance(proposal.record, Compacted))
            elif fold is self.book.fold:  # else it was read anew meanwhile
                return compacted

    async def _tail(self, room: int, budget: int, query: str | None) -> Tail:
        limit = self._shared.recall_limit
        room = min(room, self._tail_tokens(budget, query))
        if query is None or room <= 0:
            return Tail()
        hits = await self._shared.recall(query, limit * 3)
        layout, count = self.book.fold.layout, self._shared.parts.count
        wanted = [h for h in hits if h.session != self.id or h.page is None or not layout.resident(h.page)]
        tail = build_tail(wanted[:limit], room, count, count.info.message_tokens)
        if tail.hits:
            await self._shared.mark_used(tail.hits)
        return tail

    def _tail_tokens(self, budget: int, query: str | None) -> int:
        """Most tokens of the tail; none where nothing is asked for or nothing is remembered."""
        if not query or not self._shared.recall_limit or not self._shared.owing:
            return 0
        return int(budget * self._shared.recall_share)

    def _sends(self) -> str:
        form = self._shared.formats.get(self.format)
        return form.sends if form is not None else self.format

    def _tell(self, window: Window) -> None:
        catalogue = self._shared.catalogue
        if catalogue.observed("window_compacted"):
            catalogue.notify("window_compacted", window=window)
        if catalogue.observed("pages_paged_out"):
            runs = tuple((r.first, r.last) for r in window.ledger.rows if r.rendition == "paged out")
            catalogue.notify("pages_paged_out", session=self.id, pages=runs)

    # ------------------------------------------------------------- originals

    def select(self, first: int, last: int | None = None) -> list[Page]:
        """The pages with ids from ``first`` to ``last`` (inclusive; just the first by default).

        Raises:
            UnknownPageError: The session has none of them.
        """
        if last is None:
            return [self.page(first)]
        pages = self.book.fold.pages
        found = pages.all[bisect.bisect_left(pages.ids, first) : bisect.bisect_right(pages.ids, last)]
        if not found:
            raise UnknownPageError(self.id, f"{first}–{last}", pages.ids[-1] if pages.ids else None)
        return found

    async def expand(self, first: int, last: int | None = None) -> list[Page]:
        """The original pages; those that were not resident are logged as faults.

        Raises:
            UnknownPageError: The session has none of them.
        """
        found = self.select(first, last)
        missing = [page.id for page in found if not self.book.fold.layout.resident(page.id)]
        if missing:
            await self.book.append(lambda: ([Faulted(page) for page in missing], {}))
            for page in missing:
                self._shared.catalogue.notify("page_faulted", session=self.id, page=page)
        return found

    async def raw(self, first: int, last: int | None = None) -> list[bytes]:
        """The source records of pages, byte for byte; of a page that was added by a program, its messages as JSON.

        Raises:
            UnknownPageError: The session has none of them.
        """
        fold = self.book.fold
        wanted: dict[tuple[str, int], None] = {}
        out: list[bytes] = []
        for page in self.select(first, last):
            position = fold.pages.position(page.id)
            assert position is not None
            sources = fold.sources_of(position)
            wanted.update(dict.fromkeys(sources))
            if not fold.has_sources(position):
                out.append(self._as_json(page.messages))
        return [*await self.book.log.sources(list(wanted)), *out] if wanted else out

    def _as_json(self, messages: Sequence[Message]) -> bytes:
        form = self._shared.formats[self._sends()]
        rendered: Any = form.render(RenderRequest(messages=messages, piece=True))
        return json.dumps(rendered, ensure_ascii=False).encode()

    async def export(self, format: str | None = None) -> bytes:
        """The whole session as a file of a format (its own by default), what was rolled back left out.

        Raises:
            UnknownPluginError: No such format.
        """
        name = format or self.format
        if name not in self._shared.formats:
            raise UnknownPluginError("format", name, tuple(self._shared.formats))
        rows = exported(await self.book.log.read())
        raws = iter(await self.book.log.sources([key for key, _ in rows if key is not None]))
        records = [(next(raws) if key is not None else None, tuple(said)) for key, said in rows]
        own = name == self.format
        return self._shared.formats[name].export(ExportRequest(session=self.id, records=records, own=own))

    # ------------------------------------------------------------- state

    async def pin(self, page: int) -> None:
        """Keep the page verbatim in every window from now on.

        Raises:
            UnknownPageError: The session has no such page.
        """
        await self._pin(page, True)

    async def unpin(self, page: int) -> None:
        """Let the page be shortened and paged out again.

        Raises:
            UnknownPageError: The session has no such page.
        """
        await self._pin(page, False)

    async def _pin(self, page: int, pinned: bool) -> None:
        def make() -> Made:
            self.page(page)
            return [Pinned(page, pinned)], {}

        await self.book.append(make)

    async def checkpoint(self, name: str) -> None:
        """Name this place in the log; the newest checkpoint of a name counts."""
        await self.book.append(lambda: ([Checkpointed(name)], {}))

    async def rollback(self, to: str | int) -> None:
        """Void everything after a checkpoint (by name) or after a page (by id).

        The records stay in the log; page ids are never given again.

        Raises:
            SessionStateError: No such checkpoint; says which there are.
            UnknownPageError: No such page.
        """

        def make() -> Made:
            return [RolledBack(self._seq_after(to))], {}

        await self.book.append(make)

    def _seq_after(self, to: str | int) -> int:
        fold = self.book.fold
        if isinstance(to, int):
            self.page(to)
            later = fold.opened_at(bisect.bisect_right(fold.pages.ids, to))
            return (fold.next if later is None else later) - 1
        if to not in fold.checkpoints:
            known = ", ".join(fold.checkpoints) or "none"
            raise SessionStateError(f"session {self.id!r} has no checkpoint {to!r}; it has: {known}")
        return fold.checkpoints[to]

    async def fork(self, id: str) -> Session:
        """A new session that begins as this one stands now; page ids are shared, the rest is its own.

        Raises:
            SessionStateError: A session of that id exists, or this one is empty.
        """
        if not self.book.fold.next:
            raise SessionStateError(f"session {self.id!r} is empty: there is nothing to fork")
        child = await self._shared.fork(id)
        await child.book.begin_as(self.book)
        return child

    async def close(self) -> None:
        """End the conversation: nothing more can be added until it is reopened; everything stays readable."""
        if self.state != "closed":
            await self.book.append(lambda: ([Lived("closed")], {}))
            await self.book.flush()

    async def reopen(self) -> None:
        """Go on with a closed conversation."""
        if self.state == "closed":
            await self.book.append(lambda: ([Lived("active" if self.book.fold.messages else "open")], {}))
