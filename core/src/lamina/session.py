"""A session: one conversation as an append-only log, and the windows over it."""

from __future__ import annotations

import asyncio
import bisect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from attrs import asdict, field, frozen

from lamina._engine import Engine, Parts
from lamina._log import SessionLog, segment
from lamina._pages import Pages, Prefix, part_counts
from lamina._records import (
    Admitted,
    Checkpointed,
    Compacted,
    Faulted,
    Forked,
    Lived,
    LogRecord,
    Pinned,
    RolledBack,
    Said,
    Sourced,
)
from lamina._tail import Tail, build_tail
from lamina.errors import BudgetError, ConflictError, FormatError, SessionStateError, UnknownPageError
from lamina.model import ROLES, Hit, Message, Page, ToolResult
from lamina.plugins import Catalogue
from lamina.protocols import Commit, ExportRequest, Format, Parsed, RenderRequest, Storage
from lamina.window import Ledger, Window

_RETRIES = 16
"""So often a writer that lost to another one reads again and retries."""

TODO = "todo/"
"""Keys of the notes that tiers have to catch up with a session."""


@frozen
class SessionInfo:
    """What a listing says of a session."""

    id: str
    format: str
    source: str
    pages: int
    messages: int
    tokens: int
    created_s: float
    updated_s: float
    state: str


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


@frozen
class Shared:
    """What all sessions of a context share."""

    storage: Storage
    parts: Parts
    formats: Mapping[str, Format]
    catalogue: Catalogue
    budget: int
    recall_share: float
    recall_limit: int
    recall: Callable[[str, int, str], Awaitable[Sequence[Hit]]]
    """``await recall(query, limit, session)``"""
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
        self.format = "openai" if "openai" in shared.formats else next(iter(shared.formats), "")
        """The format that the session came in, or is exported in."""
        self.source = ""
        self.state = "open"
        """``open`` (nothing said yet), ``active``, ``compacting`` or ``closed``."""
        self._shared = shared
        self._log = SessionLog(shared.storage, id)
        self._lock = asyncio.Lock()
        """Held while the log and the pages change together."""
        self._windows = asyncio.Lock()
        """Held while a window is built: windows of one session follow each other."""
        self._owed = False
        """Whether the note that tiers have to catch up is known to be there."""
        self._torn = False
        """Whether a write was interrupted, so that only the log knows what is in it."""
        self._created_s = shared.parts.clock()
        self._listed: bytes | None = None
        self._engine = Engine(id, shared.parts, self._fresh(), {}, self._save)

    def _fresh(self) -> Pages:
        self._messages = 0
        self._digests: list[bytes] = []
        self._checkpoints: dict[str, int] = {}
        self._seqs: dict[int, list[tuple[str, int]]] = {}
        """Page to its records in the log (owner session, sequence number)."""
        self.rollbacks = 0
        """How often the session was rolled back; derived data is checked against it."""
        return Pages(self._shared.parts.count, self._shared.parts.count.info)

    # ------------------------------------------------------------- reading

    @property
    def pages(self) -> Sequence[Page]:
        """All pages, in log order: a view that does not grow."""
        return Prefix(self._engine.pages.all, len(self._engine.pages.all))

    @property
    def tokens(self) -> int:
        """Tokens of all pages as they were said."""
        return self._engine.pages.sums[-1]

    @property
    def budget(self) -> int | None:
        """The budget that the renditions were last chosen for; ``None`` before the first compaction."""
        return self._engine.budget

    @property
    def faults(self) -> Mapping[int, int]:
        """How often each page was needed while it was not resident."""
        return dict(self._engine.faults)

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """The names of the checkpoints, oldest first."""
        return tuple(self._checkpoints)

    @property
    def info(self) -> SessionInfo:
        """What a listing says of the session."""
        return SessionInfo(
            self.id, self.format, self.source, len(self._engine.pages.all), self._messages, self.tokens,
            self._created_s, self._shared.parts.clock(), self.state,
        )  # fmt: skip

    def page(self, page: int) -> Page:
        """A page by id.

        Raises:
            UnknownPageError: Says which ids there are.
        """
        position = self._engine.pages.position(page)
        if position is None:
            ids = self._engine.pages.ids
            raise UnknownPageError(self.id, page, ids[-1] if ids else None)
        return self._engine.pages.all[position]

    # ------------------------------------------------------------- the log

    async def load(self, info: bytes | None = None) -> None:
        """Read the log; called by the context."""
        if info is not None:
            listed = msgspec.msgpack.decode(info)
            self.format, self.source, self._created_s = listed["format"], listed["source"], listed["created_s"]
            self._listed = info
        await self._reload()

    async def _reload(self) -> None:
        records = await self._log.read()
        self._engine.reset(self._fresh(), {})
        self.state = "open"
        for kept in records:
            self._apply(kept.seq, kept.owner, kept.record)
        self._engine.pages.next_id = max(self._engine.pages.next_id, self._log.highest_page + 1)
        self._torn = False

    def _apply(self, seq: int, owner: str, record: LogRecord) -> None:
        engine = self._engine
        match record:
            case Said() as said:
                counts: Sequence[int] = said.counts
                info = self._shared.parts.count.info
                if said.counter != info.fingerprint:
                    counts = part_counts(said.message.parts, self._shared.parts.count, info)
                ids, changed = engine.pages.add(said.message, counts, said.pages)
                self._note(seq, owner, said, ids, changed)
            case Sourced(digest=digest):
                self._digests.append(digest)
            case Compacted() | Admitted():
                engine.restore(record)
            case Pinned(page, pinned):
                engine.pages.pin(page, pinned)
                engine.stale = True
            case Faulted(page):
                engine.faults[page] = engine.faults.get(page, 0) + 1
            case Checkpointed(name):
                self._checkpoints[name] = seq
            case Lived(state):
                self.state = state
            case RolledBack():
                self.rollbacks += 1  # the log has left out what it voids
            case Forked():
                pass

    def _note(self, seq: int, owner: str, said: Said, ids: Sequence[int], changed: Sequence[int]) -> None:
        engine = self._engine
        self._messages += 1
        if self.state == "open":
            self.state = "active"
        if said.digest:
            self._digests.append(said.digest)
        for page in ids:
            self._seqs.setdefault(page, []).append((owner, seq))
            if said.source is not None:
                sources = engine.pages.sources.setdefault(page, [])
                if (owner, said.source) not in sources[-2:]:
                    sources.append((owner, said.source))
        engine.dirty.update(position for position in changed if position < engine.covered)

    async def _ready(self) -> None:
        if self._torn:
            await self._reload()

    async def _append(
        self, make: Callable[[], tuple[Sequence[LogRecord], Mapping[int, bytes]]], *, void_plans: bool = False
    ) -> None:
        """Make records, apply them, write them; where another writer was first, read again and make them anew."""
        async with self._lock:
            for attempt in range(_RETRIES):
                await self._ready()
                self._torn = True  # until the write is known to have happened
                try:
                    records, sources = make()
                    listing = self._listing() if self._listed is None else {}
                    beside = {**listing, **self._owe(records)}
                    first = self._log.next
                    await self._log.append(records, sources, beside)
                except ConflictError:
                    if attempt == _RETRIES - 1:
                        raise
                    continue
                self._torn = False
                self._log.next_source += len(sources)
                for seq, record in enumerate(records, start=first):
                    if not isinstance(record, Said | Sourced):  # these were applied when they were made
                        self._apply(seq, self.id, record)
                if listing:
                    self._listed = next(iter(listing.values()))
                self._owed = self._owed or len(beside) > len(listing)
                if void_plans:
                    self._engine.epoch += 1
                return

    async def _save(self, record: Compacted | Admitted, epoch: int) -> bool:
        async with self._lock:
            if self._torn:
                await self._reload()
            if self._engine.epoch != epoch:
                return False
            try:
                await self._log.append([record])
            except ConflictError:
                await self._reload()
                return False
            except BaseException:
                self._torn = True
                raise
            return True

    def _owe(self, records: Sequence[LogRecord]) -> dict[str, bytes]:
        """A note that tiers have to catch up with the log, written with what they have to catch up with."""
        if self._owed or not self._shared.owing:
            return {}
        if not any(isinstance(record, Said | RolledBack | Forked) for record in records):
            return {}
        return {f"{TODO}{segment(self.id)}": self.id.encode()}

    def since(self, after: int) -> list[tuple[Page, list[tuple[str, int]]]]:
        """The pages beyond an id with their log records, for the tiers; the next message leaves a new note."""
        self._owed = False
        pages = self._engine.pages
        start = bisect.bisect_right(pages.ids, after)
        return [(page, self._seqs.get(page.id, [])) for page in pages.all[start:]]

    def _listing(self) -> dict[str, bytes]:
        return {f"ses/{segment(self.id)}": msgspec.msgpack.encode(asdict(self.info))}

    async def flush(self) -> None:
        """Bring the listing up to date; called when the context closes and after imports."""
        if self._listed is not None and not self._torn:
            listing = self._listing()
            await self._shared.storage.commit(Commit(puts=listing))
            self._listed = next(iter(listing.values()))

    # ------------------------------------------------------------- adding

    def _said(self, seq: int, message: Message, source: int | None = None, digest: bytes = b"") -> Said:
        _check(message)
        engine, count = self._engine, self._shared.parts.count
        counts = part_counts(message.parts, count, count.info)
        ids, changed = engine.pages.add(message, counts)
        said = Said(message, tuple(ids), counts, count.info.fingerprint, source, digest)
        self._note(seq, self.id, said, ids, changed)
        return said

    async def add(self, *messages: Message) -> list[int]:
        """Log messages, durably; all of them or, when one is refused, none.

        Returns:
            The id of the page that each message opened or joined (of a tool message: of its last result's call).

        Raises:
            FormatError: A tool result answers no call, or a message is none.
            ContractError: The counter gave impossible counts.
            SessionStateError: The session is closed.
        """
        if self.state == "closed":
            raise SessionStateError(f"session {self.id!r} is closed; reopen it first")
        said: list[Said] = []

        def make() -> tuple[list[Said], Mapping[int, bytes]]:
            said.clear()
            for message in messages:
                said.append(self._said(self._log.next + len(said), message))
            return said, {}

        if messages:
            await self._append(make)
        return [record.pages[-1] for record in said]

    async def import_records(self, parsed: Sequence[Parsed], format: str, source: str) -> Imported:
        """Add what is new of a recording; all of it or nothing. Called by :meth:`lamina.Context.import_data`.

        Raises:
            FormatError: The session already holds other records than this recording.
        """
        digests = _digests(parsed)
        skipped: dict[str, int] = {}
        for p in parsed:
            if p.skipped is not None:
                skipped[p.skipped] = skipped.get(p.skipped, 0) + 1
        facts = {"already": 0, "before": self._messages}

        def make() -> tuple[list[LogRecord], Mapping[int, bytes]]:
            known = self._digests
            self.check_records(parsed, source, digests)
            if not known:
                self.format, self.source = format, source
            facts.update(already=len(known), before=self._messages)
            return self._records_of(parsed[len(known) :], digests[len(known) :], source)

        await self._append(make)
        await self.flush()
        return Imported(
            self.id, self.format, self._messages - facts["before"], min(facts["already"], len(digests)), skipped,
            len(self._engine.pages.all), self.tokens,
        )  # fmt: skip

    def check_records(self, parsed: Sequence[Parsed], source: str, digests: Sequence[bytes] | None = None) -> None:
        """Refuse what :meth:`import_records` would refuse as another recording.

        Raises:
            FormatError: The session already holds other records than this recording.
        """
        known, digests = self._digests, _digests(parsed) if digests is None else digests
        if known != digests[: len(known)] and digests != known[: len(digests)]:
            at = next((i for i, (a, b) in enumerate(zip(known, digests, strict=False)) if a != b), 0)
            raise FormatError(
                f"session {self.id!r} already holds a different recording (from record {at + 1} on); import this one under another name: --session NAME",
                source, parsed[at].line,
            )  # fmt: skip
        if not known and self._messages:
            raise FormatError(f"session {self.id!r} already holds messages that were not imported; import under another name: --session NAME", source)  # fmt: skip

    def _records_of(
        self, parsed: Sequence[Parsed], digests: Sequence[bytes], source: str
    ) -> tuple[list[LogRecord], Mapping[int, bytes]]:
        records: list[LogRecord] = []
        raws: dict[int, bytes] = {}
        for number, (p, digest) in enumerate(zip(parsed, digests, strict=True), start=self._log.next_source):
            raws[number] = p.raw
            if not p.messages:
                records.append(Sourced(number, digest, p.skipped or ""))
                self._digests.append(digest)
            for index, message in enumerate(p.messages):
                try:
                    records.append(self._said(self._log.next + len(records), message, number, b"" if index else digest))
                except FormatError as error:
                    raise FormatError(error.why, source, p.line) from error
        return records, raws

    # ------------------------------------------------------------- windows

    async def window(self, budget: int | None = None, *, query: str | None = None) -> Window:
        """The window that fits the budget.

        Costs the pages added since the last window; now and then a compaction.

        Args:
            budget: Tokens of the whole window, the tail included; the configured one by default.
            query: What it is wanted for: scorers see it, and memories are recalled for it into the tail.

        Raises:
            BudgetError: Not even what must stay fits; nothing was changed.
            ContractError: A plugin broke its contract and ``[window] strict`` is set.
        """
        budget = self._shared.budget if budget is None else budget
        if type(budget) is not int or budget <= 0:
            raise BudgetError(budget, 1, "a window and its messages")
        async with self._windows:
            async with self._lock:
                await self._ready()
            before, self.state = self.state, "compacting" if self.state == "active" else self.state
            try:
                compacted = await self._engine.advance(budget, query)
            finally:
                self.state = before if self.state == "compacting" else self.state
            slots, tokens = tuple(self._engine.slots), self._engine.tokens
            tail = await self._tail(budget - tokens, budget, query)
        window = Window(
            session=self.id, budget=budget, tokens=tokens + tail.tokens, format=self._sends(), compacted=compacted,
            ledger=Ledger(slots, tail.slots, self._engine.pages.ids, self._engine.pages.sums, self._engine.repairs),
            slots=slots, tail=tail.messages, formats=self._shared.formats,
        )  # fmt: skip
        if compacted:
            self._tell(window)
        return window

    async def _tail(self, room: int, budget: int, query: str | None) -> Tail:
        limit = self._shared.recall_limit
        room = min(room, int(budget * self._shared.recall_share))
        if not query or not limit or room <= 0:
            return Tail()
        hits = await self._shared.recall(query, limit * 3, self.id)
        engine = self._engine
        wanted = [h for h in hits if h.session != self.id or h.page is None or not engine.resident(h.page)]
        return build_tail(wanted[:limit], room, self._shared.parts.count, engine.gate.frame)

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
        found = [page for page in self._engine.pages.all if first <= page.id <= last]
        if not found:
            ids = self._engine.pages.ids
            raise UnknownPageError(self.id, f"{first}–{last}", ids[-1] if ids else None)
        return found

    async def expand(self, first: int, last: int | None = None) -> list[Page]:
        """The original pages; those that were not resident are logged as faults.

        Raises:
            UnknownPageError: The session has none of them.
        """
        found = self.select(first, last)
        missing = [page.id for page in found if not self._engine.resident(page.id)]
        if missing:
            await self._append(lambda: ([Faulted(page) for page in missing], {}))
            for page in missing:
                self._shared.catalogue.notify("page_faulted", session=self.id, page=page)
        return found

    async def raw(self, first: int, last: int | None = None) -> list[bytes]:
        """The source records of pages, byte for byte; of a page that was added by a program, its messages as JSON.

        Raises:
            UnknownPageError: The session has none of them.
        """
        wanted: dict[tuple[str, int], None] = {}
        out: list[bytes] = []
        for page in self.select(first, last):
            sources = self._engine.pages.sources.get(page.id)
            if sources:
                wanted.update(dict.fromkeys(sources))
            else:
                out.append(self._as_json(page.messages))
        return [*await self._log.sources(list(wanted)), *out] if wanted else out

    def _as_json(self, messages: Sequence[Message]) -> bytes:
        form = self._shared.formats[self._sends()]
        rendered: Any = form.render(RenderRequest(messages=messages))
        return json.dumps(rendered, ensure_ascii=False).encode()

    async def export(self, format: str | None = None) -> bytes:
        """The whole session as a file of a format (its own by default), what was rolled back left out.

        Raises:
            UnknownPluginError: No such format.
        """
        name = format or self.format
        if name not in self._shared.formats:
            from lamina.errors import UnknownPluginError

            raise UnknownPluginError("format", name, tuple(self._shared.formats))
        groups: dict[tuple[str, int], list[Message]] = {}
        rows: list[tuple[tuple[str, int] | None, list[Message]]] = []
        for kept in await self._log.read():
            match kept.record:
                case Said(message=message, source=source):
                    key = None if source is None else (kept.owner, source)
                    if key is not None and key in groups:
                        groups[key].append(message)
                    else:
                        rows.append((key, [message]))
                        if key is not None:
                            groups[key] = rows[-1][1]
                case Sourced(source=source):
                    rows.append(((kept.owner, source), []))
        raws = iter(await self._log.sources([key for key, _ in rows if key is not None]))
        records = [(next(raws) if key is not None else None, tuple(said)) for key, said in rows]
        own = name == self.format
        return self._shared.formats[name].export(ExportRequest(session=self.id, records=records, own=own))

    # ------------------------------------------------------------- state

    async def pin(self, page: int) -> None:
        """Keep the page verbatim in every window from now on.

        Raises:
            UnknownPageError: The session has no such page.
        """
        self.page(page)
        await self._append(lambda: ([Pinned(page, True)], {}), void_plans=True)

    async def unpin(self, page: int) -> None:
        """Let the page be shortened and paged out again.

        Raises:
            UnknownPageError: The session has no such page.
        """
        self.page(page)
        await self._append(lambda: ([Pinned(page, False)], {}), void_plans=True)

    async def checkpoint(self, name: str) -> None:
        """Name this place in the log; the newest checkpoint of a name counts."""
        await self._append(lambda: ([Checkpointed(name)], {}))

    async def rollback(self, to: str | int) -> None:
        """Void everything after a checkpoint (by name) or after a page (by id).

        The records stay in the log; page ids are never given again.

        Raises:
            SessionStateError: No such checkpoint; says which there are.
            UnknownPageError: No such page.
        """

        def make() -> tuple[list[LogRecord], Mapping[int, bytes]]:
            return [RolledBack(self._seq_after(to))], {}

        await self._append(make, void_plans=True)
        async with self._lock:
            await self._reload()

    def _seq_after(self, to: str | int) -> int:
        if isinstance(to, int):
            self.page(to)
            later = [seqs[0][1] for page, seqs in self._seqs.items() if page > to]
            return min(later) - 1 if later else self._log.next - 1
        if to not in self._checkpoints:
            known = ", ".join(self._checkpoints) or "none"
            raise SessionStateError(f"session {self.id!r} has no checkpoint {to!r}; it has: {known}")
        return self._checkpoints[to]

    async def fork(self, id: str) -> Session:
        """A new session that begins as this one stands now; page ids are shared, the rest is its own.

        Raises:
            SessionStateError: A session of that id exists.
        """
        async with self._lock:
            await self._ready()
            to = self._log.next - 1
        if to < 0:
            raise SessionStateError(f"session {self.id!r} is empty: there is nothing to fork")
        child = await self._shared.fork(id)
        child.format, child.source = self.format, self.source
        child._log.next = to + 1
        await child._append(lambda: ([Forked(self.id, to)], {}))
        async with child._lock:
            await child._reload()
        await child.flush()
        return child

    async def close(self) -> None:
        """End the conversation: nothing more can be added until it is reopened; everything stays readable."""
        if self.state != "closed":
            await self._append(lambda: ([Lived("closed")], {}))
            await self.flush()

    async def reopen(self) -> None:
        """Go on with a closed conversation."""
        if self.state == "closed":
            await self._append(lambda: ([Lived("active" if self._messages else "open")], {}))


def _digests(parsed: Sequence[Parsed]) -> list[bytes]:
    return [blake2b(p.raw, digest_size=8).digest() for p in parsed]


def _check(message: Message) -> None:
    if not isinstance(message, Message):
        raise FormatError(f"{message!r} is no Message; make one with lamina.user(…), lamina.assistant(…)")
    if message.role not in ROLES:
        raise FormatError(f"unknown role {message.role!r}; roles are {', '.join(ROLES)}")
    only_results = all(isinstance(part, ToolResult) for part in message.parts)
    if (message.role == "tool") != (only_results and bool(message.parts)) and (
        message.role == "tool" or message.results
    ):
        raise FormatError("a tool message holds tool results and nothing else, and only it does")
    if message.role != "assistant" and message.calls:
        raise FormatError(f"a tool call in a message of role {message.role!r}; only the assistant calls tools")
