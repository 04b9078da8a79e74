"""A whole kernel with the simplest parts, so that its own tests need no plugin."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from attrs import frozen

from lamina import config, plugins
from lamina._calls import Calls
from lamina.context import open as open_context
from lamina.errors import ConflictError, FormatError
from lamina.hookspecs import hookimpl
from lamina.outputs import text_output
from lamina.protocols import (
    Capability,
    Capacity,
    CounterInfo,
    Entry,
    IndexHit,
    PagedOut,
    Placement,
    Plan,
    Record,
    Shortened,
    ToolSpec,
    Verbatim,
)


@frozen
class NoSettings:
    """Nothing to set."""


class DictStorage:
    """Keeps records in a dict."""

    capabilities = frozenset()

    def __init__(self):
        self.data, self.clock = {}, 0

    async def commit(self, request):
        lost = [k for k, v in request.expect.items() if (self.data[k][1] if k in self.data else None) != v]
        if lost:
            raise ConflictError(lost)
        for key in request.deletes:
            self.data.pop(key, None)
        versions = {}
        for key, value in request.puts.items():
            self.clock += 1
            self.data[key] = (value, self.clock)
            versions[key] = self.clock
        return versions

    async def get(self, request):
        return [Record(k, *self.data[k]) if k in self.data else None for k in request.keys]

    async def scan(self, request):
        found = sorted((k for k in self.data if k.startswith(request.prefix)), reverse=request.reverse)
        after = request.after
        if after is not None:
            found = [k for k in found if (k < after if request.reverse else k > after)]
        return [Record(k, *self.data[k]) for k in found[: request.limit]]


class Counting:
    """Wraps a storage that processes share: counts the records that it gives, and lets the next commits go wrong."""

    capabilities = frozenset({Capability.SHARED})

    def __init__(self, storage):
        self.storage, self.given, self.writes, self.plan = storage, 0, 0, []

    async def commit(self, request):
        what = self.plan.pop(0) if self.plan else None
        if what == "lose":
            raise ConflictError(list(request.expect))
        if what == "before":
            raise OSError("disk full")
        versions = await self.storage.commit(request)
        self.writes += 1
        if what == "after":
            raise OSError("connection lost")
        if what == "cancelled":
            raise asyncio.CancelledError
        return versions

    async def get(self, request):
        found = await self.storage.get(request)
        self.given += sum(record is not None for record in found)
        return found

    async def scan(self, request):
        found = await self.storage.scan(request)
        self.given += len(found)
        return found


class Instant(Counting):
    """Reads at once, besides."""

    capabilities = frozenset({Capability.SHARED, Capability.INSTANT})

    def get_now(self, request):
        found = [Record(k, *self.storage.data[k]) if k in self.storage.data else None for k in request.keys]
        self.given += sum(record is not None for record in found)
        return found


class WordCounter:
    """A token is a word."""

    info = CounterInfo(exact=True, bound=1.0, fingerprint="words")

    def count(self, request):
        return [len(text.split()) for text in request.texts]


class NewestPager:
    """Compacts to the newest pages that fit half the budget, shortening the newest one if it must."""

    def due(self, request):
        return False

    def large(self, budget):
        return None

    async def admit(self, request):
        return None

    async def plan(self, request):
        pages, pinned = request.pages, set(request.pinned)
        room = request.budget - request.stub_tokens * (len(pinned) + 1) - 10
        room -= sum(p.tokens for p in pages if p.id in pinned)
        entries, start = [], len(pages)
        newest = pages[len(pages) - 1]
        offers = []
        if newest.tokens > room and newest.id not in pinned:
            offers = [o for o in await request.offer([newest], [max(room, 1)]) if o.tokens <= room]
            if offers:
                start -= 1
        while not offers and start and (pages[start - 1].id in pinned or pages[start - 1].tokens <= room // 2):
            start -= 1
            room -= 0 if pages[start].id in pinned else pages[start].tokens
        await request.score(pages)
        for at, page in enumerate(pages):
            form = Verbatim() if page.id in pinned or at >= start else PagedOut()
            entries.append(Entry(page.id, page.id, offers[0] if offers and at == start else form, "newest"))
        return Plan(tuple(entries))


class Admitting(NewestPager):
    """Lets large pages in in a shorter form, besides."""

    def large(self, budget):
        return budget // 4

    async def admit(self, request):
        offers = await request.offer([request.page], [self.large(request.budget)])
        return min(offers, key=lambda offer: offer.tokens) if offers else None


class HeadCompressor:
    """Offers the first words of every text."""

    async def compress(self, request):
        out = []
        for page, target in zip(request.pages, request.targets, strict=True):
            room = max(1, target - sum(page.message_tokens) + sum(map(sum, page.part_tokens)))
            texts = {}
            for at, message in enumerate(page.messages):
                for index, part in enumerate(message.parts):
                    if hasattr(part, "text") and not hasattr(part, "signature"):
                        texts[at, index] = " ".join(part.text.split()[: max(0, room // len(page.messages) - 2)])
            out.append(Shortened(page.id, texts))
        return out


class EvenScorer:
    """Finds every page worth as much."""

    async def score(self, request):
        return [0.5] * len(request.pages)


class WordIndex:
    """Counts shared words; leaves all filters to the kernel."""

    filters = frozenset()

    def __init__(self, generation="one"):
        self.generation, self.documents = generation, {}

    async def update(self, request):
        for key in request.remove:
            self.documents.pop(key, None)
        self.documents.update({document.id: document for document in request.add})

    async def search(self, request):
        wanted = set(request.query.lower().split())
        assert not request.filter.given
        scores = {k: len(wanted & set(d.text.lower().split())) for k, d in self.documents.items()}
        hits = [IndexHit(k, float(s)) for k, s in scores.items() if s]
        return sorted(hits, key=lambda h: (-h.score, h.id))[: request.limit]

    async def clear(self):
        self.documents.clear()


class SmallTier:
    """Holds a few memories; lets the longest unused go down, and what was used twice go up."""

    policy = "last use"

    def __init__(self, rank, storage, capacity=5):
        self.rank, self.storage, self.capacity = rank, storage, Capacity(capacity)

    def place(self, request):
        return Placement(request.memory.used_s, rise=request.uses >= 2)


class EchoTool:
    """Says what it is told."""

    spec = ToolSpec("echo", "Say it again.", {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"], "additionalProperties": False})  # fmt: skip

    async def run(self, request):
        return text_output(request.arguments["text"])


class Parts:
    """One plugin with one part of most kinds; replace any by keyword."""

    def __init__(self, **given):
        self.parts = SimpleNamespace(
            storage=DictStorage(), counter=WordCounter(), pager=NewestPager(), compressor=HeadCompressor(),
            scorer=EvenScorer(), index=WordIndex(), tool=EchoTool(),
        )  # fmt: skip
        vars(self.parts).update(given)

    def _of(self, part):
        @asynccontextmanager
        async def opener(settings, host):
            yield part

        return opener

    def _tier(self, rank):
        @asynccontextmanager
        async def opener(settings, host):
            yield SmallTier(rank, await host.open("storage", "plain"))

        return opener

    @hookimpl
    def register_storage(self, register):
        register("plain", self._of(self.parts.storage), NoSettings)

    @hookimpl
    def register_counter(self, register):
        register("plain", self._of(self.parts.counter), NoSettings)

    @hookimpl
    def register_pager(self, register):
        register("plain", self._of(self.parts.pager), NoSettings)

    @hookimpl
    def register_compressor(self, register):
        register("plain", self._of(self.parts.compressor), NoSettings)

    @hookimpl
    def register_scorer(self, register):
        register("plain", self._of(self.parts.scorer), NoSettings)

    @hookimpl
    def register_index(self, register):
        register("plain", self._of(self.parts.index), NoSettings)

    @hookimpl
    def register_tier(self, register):
        for rank, name in enumerate(("first", "second", "third")):
            register(name, self._tier(rank), NoSettings)

    @hookimpl
    def register_tool(self, register):
        register("echo", self._of(self.parts.tool), NoSettings)

    @hookimpl
    def register_profile(self, register):
        register(
            "plain",
            {
                "window": {"pager": "plain", "counter": "plain", "scorer": "plain", "compressors": ["plain"]},
                "log": {"storage": "plain"},
                "memory": {"tiers": ["first", "second", "third"], "indexes": ["plain"]},
                "tools": {"echo": {}},
            },
        )


def place_of(calls, id):
    """Which call a result of this id would answer, and which one the next."""
    try:
        return Calls(calls).answered([id, id])
    except FormatError:
        return None


def facts(session):
    """All that the log says of a session."""
    fold = session.book.fold
    pages = fold.pages
    return {
        "pages": [(p.id, p.messages, p.message_tokens, p.part_tokens, p.pinned) for p in pages.all],
        "kept": (list(pages.ids), list(pages.must), list(pages.asked), list(pages.sums), pages.next_id),
        "records": [fold.records_of(at) for at in range(len(pages.ids))],
        "since": [fold.said_since(seq) for seq in range(fold.next + 1)],
        "sources": ([fold.sources_of(at) for at in range(len(pages.ids))], bytes(fold.digests), fold.next_source),
        "marks": (dict(fold.faults), dict(fold.checkpoints), fold.state, fold.format, fold.source),
        "counts": (fold.next, fold.messages, fold.rollbacks, fold.created_s, fold.updated_s),
        "layout": (fold.layout.budget, fold.layouts, fold.pinned_since),
        "calls": [
            place_of(pages.calls, id)
            for id in ("nobody", *(call.id for p in pages.all for call in p.messages[0].calls))
        ],
    }


def catalogue_of(*given):
    """A catalogue of just these plugin objects."""
    catalogue = plugins.Catalogue()
    catalogue.manager.add_hookspecs(plugins.Hooks)
    for number, plugin in enumerate(given):
        plugins.add(catalogue, plugin, f"dist-{number}")
    return catalogue


@pytest.fixture(scope="session")
def kernel(tmp_path_factory):
    """Opens a context over the simplest parts; parts of your own by keyword, settings as a mapping."""
    home = tmp_path_factory.mktemp("home")

    def opened(settings=None, *more, **parts):
        catalogue = catalogue_of(Parts(**parts), *more)
        assert not catalogue.broken
        merged = {"home": str(home), **(settings or {})}
        return open_context(config=config.load(settings=merged, environ={}, catalogue=catalogue))

    opened.DictStorage, opened.WordIndex, opened.NewestPager = DictStorage, WordIndex, NewestPager
    opened.HeadCompressor, opened.catalogue_of, opened.NoSettings = HeadCompressor, catalogue_of, NoSettings
    opened.Parts, opened.SmallTier = Parts, SmallTier
    opened.Counting, opened.Instant, opened.facts, opened.Admitting = Counting, Instant, facts, Admitting
    return opened
