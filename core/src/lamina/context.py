"""A context: an opened configuration, with its sessions, memory and tools, in one namespace."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from attrs import evolve

from lamina._book import Book, Listed, listing_key
from lamina._counting import CheckedCounter
from lamina._drafts import drafted
from lamina._engine import Parts
from lamina._extracting import Talk
from lamina._host import Opened
from lamina._indexes import beside
from lamina.config import Config, load, placed
from lamina.errors import (
    ConfigError,
    FormatError,
    SessionStateError,
    SeveralSessionsError,
    UnknownPluginError,
    UnknownSessionError,
)
from lamina.memory import Memories, MemoryParts, Moved
from lamina.model import Draft, Hit, Memory, Page
from lamina.protocols import Filter, Format, Get, Parsed, ParseRequest, Passage, Scan, everything
from lamina.session import Imported, Session, SessionInfo, Shared
from lamina.tools import Registry
from lamina.tools._opening import open_registry
from lamina.verbatim import whole

_RECENT = 32
"""So many sessions stay open that nobody uses."""

_NAME_BYTES = 250
"""Longest session name: three times as many bytes when quoted must leave room in a key of 1,000."""


class Context:
    """An opened configuration; :func:`lamina.open` gives one."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.tools: Registry
        """The tools that the configuration names, and those registered since."""
        self.formats: dict[str, Format] = {}
        """Every installed or configured format."""
        self.count: CheckedCounter
        """Counts tokens of texts by the configured counter; ``count.info`` says what frames cost."""
        self._sessions: WeakValueDictionary[str, Session] = WeakValueDictionary()
        """All that somebody uses."""
        self._recent: OrderedDict[str, Session] = OrderedDict()
        """Those that were asked for last, so that they need not be opened again."""
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._shared: Shared
        self._memories: Memories

    async def _open(self, stack: AsyncExitStack) -> None:
        config = self.config
        opened = Opened(config, stack, self)
        window = config.window
        counter = self.count = CheckedCounter(await opened.open("counter", window.counter), window.counter)
        for name in dict.fromkeys([*config.names("format"), *config.catalogue.names("format")]):
            self.formats[name] = await opened.open("format", name)
        parts = Parts(
            pager=(window.pager, await opened.open("pager", window.pager)),
            scorer=(window.scorer, await opened.open("scorer", window.scorer)) if window.scorer else None,
            compressors=tuple([(name, await opened.open("compressor", name)) for name in window.compressors]),
            count=counter,
            clock=time.time,
            formats=self.formats,
            strict=window.strict,
        )
        storage = await opened.open("storage", config.log.storage)
        memory = config.memory
        remembers = await self._remembering(opened) if memory.tiers else MemoryParts()
        self._memories = Memories(remembers, storage, self._book, self._talk, time.time, counter, config.catalogue)
        self._shared = Shared(
            storage, parts, self.formats, window.format or next(iter(sorted(self.formats)), ""), config.catalogue, window.budget, config.calls.result_tokens, window.recall_share, window.recall_limit,
            recall=self._recall_for_window, mark_used=self._memories.mark_used, owing=bool(memory.tiers), fork=self._empty_session,
        )  # fmt: skip
        self.tools = await open_registry(config, opened, storage, opened.random, stack)

    async def _remembering(self, opened: Opened) -> MemoryParts:
        memory = self.config.memory
        return MemoryParts(
            tiers=[(name, await opened.open("tier", name)) for name in memory.tiers],
            indexes=[(name, await opened.open("index", name)) for name in memory.indexes],
            ranker=await opened.open("ranker", memory.ranker) if memory.ranker else None,
            consolidators=[(name, await opened.open("consolidator", name)) for name in memory.consolidators],
            extractors=[(name, await opened.open("extractor", name)) for name in memory.extractors],
            extract_after_s=memory.extract_after_s,
            follow_pages=memory.follow_pages,
        )

    async def _close(self) -> None:
        await self.tools.close()  # before any part that a call may use
        await self._memories.close()
        for session in list(self._sessions.values()):
            await session.book.flush()

    # ------------------------------------------------------------- sessions

    async def session(self, id: str, *, create: bool = True) -> Session:
        """The session of this id, opened from the log, or a new one.

        Raises:
            UnknownSessionError: There is none, and ``create`` is false.
            SessionStateError: The id is no name for a session.
        """
        if (known := self._sessions.get(id)) is not None:
            return await self._kept(known)
        if not id or len(id.encode("utf-8", "replace")) > _NAME_BYTES or not id.isprintable():
            raise SessionStateError(f"{id[:50]!r} is no session id: 1 to {_NAME_BYTES} bytes of printable text")
        async with self._opening.setdefault(id, asyncio.Lock()):
            if (known := self._sessions.get(id)) is not None:
                return await self._kept(known)
            record = (await self._shared.storage.get(Get(keys=[listing_key(id)])))[0]
            if record is None and not create:
                raise UnknownSessionError(id, [info.id for info in await self.sessions()])
            session = Session(self._shared, id)
            if record is not None:
                await session.book.load(record)
            self._sessions[id] = session
            return await self._kept(session)

    async def _kept(self, session: Session) -> Session:
        """The session, which is among the most recent ones now; the one that is not any more is let go."""
        self._recent[session.id] = session
        self._recent.move_to_end(session.id)
        if len(self._recent) > _RECENT:
            _, oldest = self._recent.popitem(last=False)
            with beside("the listing of a session could not be brought up to date"):
                await oldest.book.flush()
        return session

    async def _book(self, id: str) -> Book:
        return (await self.session(id)).book

    async def _talk(self, id: str) -> Talk:
        session = await self.session(id)
        form = self.formats.get(session.format)

        def passages(page: Page) -> Sequence[Passage]:
            if page.role != "user":
                return ()
            return form.passages(page.messages[0]) if form is not None else everything(page)

        return Talk(session.pages, session.state == "closed", session.info.updated_s, passages)

    async def _empty_session(self, id: str) -> Session:
        session = await self.session(id)
        if session.pages or session.state != "open":
            raise SessionStateError(f"session {id!r} exists already; fork to another name")
        return session

    async def sessions(self) -> list[SessionInfo]:
        """All sessions of the namespace, the most recently changed first."""
        known: dict[str, Listed] = {}
        after: str | None = None
        while True:
            batch = await self._shared.storage.scan(Scan(prefix="ses/", after=after))
            for record in batch:
                listed = Listed.of(record)
                known[listed.info.id] = listed
            if len(batch) < 1000:
                break
            after = batch[-1].key
        infos = {id: listed.info for id, listed in known.items()}
        for id, session in list(self._sessions.items()):
            if id in known and known[id].next <= session.book.fold.next:
                infos[id] = session.info  # else another process knows more
        return sorted(infos.values(), key=lambda i: (-i.updated_s, i.id))

    async def import_data(
        self,
        data: bytes,
        source: str = "input",
        *,
        format: str = "auto",
        session: str | None = None,
        single: bool = False,
        strict: bool = False,
    ) -> list[Imported]:
        """Store a recording; of one that was imported before, what is new.

        All that it holds is stored or, where anything of it is refused, nothing.

        Args:
            data: The file's bytes.
            source: Its name, for messages, and for the session's id where the recording names none.
            format: A format's name, or ``auto`` to detect it by content.
            session: The id to store it under, where it holds one session; which one to take, where it holds more.
            single: Whether to refuse data that holds several sessions of which none is chosen.
            strict: Whether to refuse data with a half-written record, instead of skipping and telling it.

        Raises:
            FormatError: It cannot be read; file, line and reason. Nothing of it is stored.
            SeveralSessionsError: It holds several sessions, none of them ``session``, or none chosen though
                ``single``.
        """
        name = format if format != "auto" else self.detect(data, source)
        if name not in self.formats:
            raise UnknownPluginError("format", name, tuple(self.formats))
        groups: dict[str, list[Parsed]] = {}
        fallback = session or Path(source).stem or "session"
        first: str | None = None
        for parsed in self.formats[name].parse(ParseRequest(data=data, source=source, strict=strict)):
            id = parsed.session if parsed.session is not None else (first or fallback)
            if first is None and parsed.session is not None:
                first = id
            groups.setdefault(id, []).append(parsed)
        if not groups:
            return []
        if session is not None:
            groups = self._chosen(groups, session, source)
        elif single and len(groups) > 1:
            raise SeveralSessionsError(tuple(groups), source)
        into = [(await self.session(id), records) for id, records in groups.items()]
        for target, records in into:  # all of them before the first is written
            target.check_records(records, source)
        return [await target.import_records(records, name, source) for target, records in into]

    @staticmethod
    def _chosen(groups: dict[str, list[Parsed]], session: str, source: str) -> dict[str, list[Parsed]]:
        if session in groups:
            return {session: groups[session]}
        if len(groups) == 1:
            return {session: next(iter(groups.values()))}
        raise SeveralSessionsError(tuple(groups), source, session)

    def detect(self, data: bytes, source: str = "input") -> str:
        """The format that the data is in.

        Raises:
            FormatError: None fits; says which are installed. Or the data is in no encoding that any of them reads.
        """
        request = ParseRequest(data=data, source=source)
        if request.unreadable:
            raise FormatError(request.unreadable, source, 1)
        sure = {name: form.sniff(request) for name, form in self.formats.items()}
        best = max(sure, key=lambda n: sure[n], default=None)
        if best is None or sure[best] <= 0:
            known = ", ".join(sorted(self.formats)) or "none"
            raise FormatError(f"no installed format fits; name one with --format (installed: {known})", source)
        return best

    async def format(self, name: str) -> Format:
        """A format by name.

        Raises:
            UnknownPluginError: Says which are installed.
        """
        if name not in self.formats:
            raise UnknownPluginError("format", name, tuple(self.formats))
        return self.formats[name]

    # ------------------------------------------------------------- memory

    async def recall(
        self, query: str, *, limit: int = 10, session: str | None = None, filter: Filter | None = None,
        tiers: Sequence[str] | None = None, use: bool = True, deadline_s: float | None = None,
    ) -> list[Hit]:  # fmt: skip
        """The memories that fit the query best, from all tiers, each with its text, scores and tier.

        Args:
            query: Any text.
            limit: At most so many.
            session: Only pages of this session: short for a filter by this thread.
            filter: Which memories may be among them.
            tiers: Only of these, by name.
            use: Whether all of them count as used. Say false where not all will be shown, and then
                :meth:`mark_used` for those that are: tiers keep what is used.
            deadline_s: Seconds that the indexes may take; what they have by then is the answer.

        What stands beside the answer does not keep it back: where uses cannot be counted, or what was said last cannot
        be taken in, because another process holds a storage or an index, that is logged. At most
        ``memory.follow_pages`` pages that were said since are taken in within the call, the rest in the background.

        Raises:
            StorageError: A storage or an index cannot be read.
        """
        if session is not None:
            filter = evolve(filter or Filter(), threads=frozenset({session}))
        return await self._memories.recall(
            whole(query), limit=limit, filter=filter, tiers=None if tiers is None else frozenset(tiers), use=use,
            deadline_s=deadline_s,
        )  # fmt: skip

    async def mark_used(self, hits: Sequence[Hit]) -> None:
        """Count recalled memories as used: they were put before a model or a person.

        Where that cannot be written, because another process holds the storage, it is logged and no more.
        """
        await self._memories.mark_used(hits)

    async def _recall_for_window(self, query: str, limit: int) -> Sequence[Hit]:
        return await self._memories.recall(whole(query), limit=limit, use=False)

    async def remember(self, text: str, **facts: Any) -> Memory:
        """Write a memory that outlives every window; lone surrogates in its text become U+FFFD.

        Args:
            text: What is remembered.
            **facts: The other fields of :class:`lamina.model.Draft`: kind, tags, importance, author, thread, …

        Raises:
            ConfigError: No tiers are configured.
            StorageError: It could not be written. Once it is, the call succeeds, also where an index has to learn of it
                later.
            FormatError: The text or another field is not what it should be.
        """
        (memory,) = await self.remember_many([{"text": text, **facts}])
        return memory

    async def remember_many(self, drafts: Sequence[Draft | Mapping[str, Any]]) -> list[Memory]:
        """Write memories in batches, far cheaper than one by one; see :meth:`remember`.

        A batch of 500 is written whole or not at all; those before one that fails stay.
        """
        made = [drafted(draft, f"[{n}]" if len(drafts) > 1 else "") for n, draft in enumerate(drafts)]
        if not self._memories.tiers:
            raise ConfigError(["memory.tiers: empty, so nothing can be remembered; name at least one tier"])
        return await self._memories.remember(made)

    async def forget(self, *ids: str) -> list[str]:
        """Remove memories; gives the ids of those that there were.

        The memory of a page is not recalled any more; its original stays in the session's log.

        Raises:
            StorageError: They could not be written.
        """
        return await self._memories.forget(ids)

    def memories(
        self, *, filter: Filter | None = None, tiers: Sequence[str] | None = None, superseded: bool = False
    ) -> AsyncIterator[Hit]:
        """All memories that pass, tier by tier, each with its text; in constant memory.

        Args:
            filter: Which of them.
            tiers: Only of these, by name.
            superseded: Whether those are among them whose place another one took.
        """
        named = None if tiers is None else frozenset(tiers)
        return self._memories.browse(filter or Filter(), named, superseded)

    async def consolidate(self) -> Moved:
        """Let the tiers follow the log, tidy up what is new, and move memories between the tiers by their policies."""
        return await self._memories.consolidate()

    async def undo(self, run: str | None = None) -> list[str]:
        """Take back what a consolidation superseded.

        Args:
            run: Which one: :attr:`lamina.memory.Moved.run`; the last one by default.

        Returns:
            Ids of the memories that stand again; empty where there was nothing to take back.

        Raises:
            UnknownMemoryError: There is no such run, or it was taken back already.
        """
        return await self._memories.undo(run)

    async def tier_counts(self) -> dict[str, int]:
        """How many memories each tier holds, once all that was said is taken in."""
        await self._memories.catch_up()
        return dict(await self._memories.counts())

    async def expand(self, session: str, first: int, last: int | None = None) -> list[Page]:
        """Original pages of a session; those that were not resident count as faults."""
        return await (await self.session(session, create=False)).expand(first, last)


@asynccontextmanager
async def open(
    path: str | Path | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    home: str | Path | None = None,
    namespace: str | None = None,
    config: Config | None = None,
) -> AsyncIterator[Context]:
    """Open a configuration: ``async with lamina.open() as ctx``.

    Args:
        path: A TOML file; see :func:`lamina.config.load` for where it is looked for otherwise.
        settings: In the shape of the file; wins over it and over the environment.
        profile: Which installed profile to start from.
        environ: Instead of ``os.environ``.
        home: The folder that sessions and memories are kept in, as ``--home`` says it.
        namespace: The tenant, as ``--namespace`` says it.
        config: A configuration that was read already; the other arguments then mean nothing.

    Raises:
        ConfigError: Every fault of the configuration at once.
        PluginError: A part could not be opened.
    """
    from lamina.logging import configure

    config = config or load(path, settings=placed(settings, home, namespace), profile=profile, environ=environ)
    configure(config.logging.level, config.logging.format)
    async with AsyncExitStack() as stack:
        context = Context(config)
        await context._open(stack)
        try:
            yield context
        finally:
            await context._close()


@asynccontextmanager
async def open_part(config: Config, kind: str, name: str) -> AsyncIterator[Any]:
    """Open one configured part with what it needs and nothing else, to check it or to use it by itself.

    Raises:
        ConfigError: No such part, or its settings are wrong.
        PluginError: It could not be opened; names the distribution.
    """
    async with AsyncExitStack() as stack:
        # Never entered into a context: its services, which tools ask when they are called, have no log behind them.
        yield await Opened(config, stack, Context(config)).open(kind, name)
