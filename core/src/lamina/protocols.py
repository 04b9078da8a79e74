"""What each kind of plugin must be able to do.

Strategies are ordinary objects that satisfy one of these protocols; nothing needs to be inherited. Each method
takes one request value, so that fields can be added later without breaking what exists: **read the fields you
know, and construct requests by keyword**. :data:`PROTOCOL` is the version that offers are registered under.

The conformance suite of each kind (:mod:`lamina.testing`) says in tests what is said here in words.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from attrs import field, frozen

from lamina.model import Call, Image, Memory, Message, Page

if TYPE_CHECKING:
    from lamina.host import Host

PROTOCOL = 1
"""Version of these protocols. An offer for another version is refused by name when it is registered."""

KINDS = (
    "storage",
    "tier",
    "index",
    "embedder",
    "compressor",
    "scorer",
    "counter",
    "pager",
    "tool",
    "executor",
    "format",
)
"""The kinds of parts that configuration chooses, each a table of named instances (``[storages.main]``)."""

T_co = TypeVar("T_co", covariant=True)


class Opener(Protocol[T_co]):
    """Opens one configured instance: ``async with opener(settings, host) as part``.

    ``settings`` is an instance of the settings class that was registered beside the opener; ``host`` gives the
    clock, the random generator, the logger, paths, the namespace and other configured parts. Import heavy
    dependencies inside, so that an installed but unused plugin costs nothing.
    """

    def __call__(self, settings: Any, host: Host, /) -> AbstractAsyncContextManager[T_co]:
        """Give the part; close it on exit."""
        ...


# ------------------------------------------------------------------------------------------------- storage


class Capability(enum.StrEnum):
    """What a storage may offer beyond the mandatory commit, get and scan."""

    DURABLE = "durable"
    """What a returned commit wrote survives the death of the process."""
    SHARED = "shared"
    """Several processes may use the same data at once."""
    TTL = "ttl"
    """Puts may carry ``ttl_s``; expired records are gone from reads."""


@frozen
class Record:
    """One stored record."""

    key: str
    value: bytes
    version: int
    """Positive; grows with each change of the key and is never reused for it, also after a delete."""


@frozen
class Commit:
    """A batch that is written whole or not at all."""

    puts: Mapping[str, bytes] = field(factory=dict, hash=False)
    """Keys (any text without U+0000 and lone surrogates, case-sensitive, at most 1,000 bytes in UTF-8, not
    empty) to values (any bytes)."""
    deletes: frozenset[str] = frozenset()
    """Keys to remove; absent ones are no error. No key may be both put and deleted."""
    expect: Mapping[str, int | None] = field(factory=dict, hash=False)
    """Versions that keys (of this batch or not) must have, ``None`` for absent; else the batch is refused."""
    ttl_s: float | None = None
    """Lifetime in seconds of the puts; needs :attr:`Capability.TTL`."""


@frozen
class Get:
    """Asks for records by key."""

    keys: Sequence[str]


@frozen
class Scan:
    """Asks for records whose key starts with ``prefix``, ordered by code points (as UTF-8 bytes order)."""

    prefix: str = ""
    after: str | None = None
    """Only keys beyond this one in the scan's direction, exclusive."""
    limit: int = 1000
    """At most so many records, at least 1."""
    reverse: bool = False


@runtime_checkable
class Storage(Protocol):
    """Keeps records in one namespace, bound at opening (``host.namespace``).

    Concurrency: any number of tasks of one event loop may call at once; every call is atomic.
    """

    capabilities: frozenset[Capability]

    async def commit(self, request: Commit) -> Mapping[str, int]:
        """Write the batch whole; give the new versions of the puts.

        Raises:
            ConflictError: An expectation did not hold; nothing was written; the keys concerned are named.
            CapabilityError: ``ttl_s`` without the capability.
            ValueError: An impossible key, or one both put and deleted.
            ClosedError: After close.
        """
        ...

    async def get(self, request: Get) -> Sequence[Record | None]:
        """The records in the order of the keys; ``None`` for absent ones."""
        ...

    async def scan(self, request: Scan) -> Sequence[Record]:
        """One batch of records in order; fewer than ``limit`` means the end was reached."""
        ...


# ------------------------------------------------------------------------------------------------- counter


@frozen
class CounterInfo:
    """How a counter counts, and what the frames around texts cost."""

    exact: bool
    """Whether counts equal the model's tokenizer's."""
    bound: float
    """A count is at least the true one and at most ``bound`` times it plus 8; 1.0 when exact."""
    fingerprint: str
    """Names tokenizer and version; counts are kept with it and trusted as long as it stays the same."""
    message_tokens: int = 4
    """What the frame of a message costs."""
    call_tokens: int = 4
    """What the frame of a tool call costs."""
    image_tokens: int = 1600
    """What an image costs when nothing better is known."""
    origin: str = ""
    """Where its vocabulary was found, for people to read; not part of the fingerprint."""
    request_tokens: int = 0
    """What a request costs beside its messages and tools: the frame of the reply, for one."""


@frozen
class CountRequest:
    """Asks for the tokens of texts."""

    texts: Sequence[str]


@runtime_checkable
class Counter(Protocol):
    """Counts tokens: plain calls, pure, no I/O, because they stand on the hot path."""

    info: CounterInfo

    def count(self, request: CountRequest) -> Sequence[int]:
        """One count per text, in order: 0 for the empty text, never negative, the same for the same text.

        Special-token strings in a text count as ordinary text.
        """
        ...


@frozen
class ImagesRequest:
    """Asks for the tokens of images."""

    images: Sequence[Image]


@frozen
class ToolsRequest:
    """Asks for the tokens of tools that are sent with a request."""

    tools: Sequence[ToolSpec]
    """At least one."""


@runtime_checkable
class RequestCounter(Counter, Protocol):
    """A counter that knows what a provider charges for more than texts. The fingerprint covers these counts too.

    For a plain :class:`Counter` an image costs ``info.image_tokens``, and tools cost their JSON text.
    """

    def images(self, request: ImagesRequest) -> Sequence[int]:
        """One count per image, in order; never negative, the same for the same image."""
        ...

    def tools(self, request: ToolsRequest) -> int:
        """What the tools cost together, with what the provider adds once for having any."""
        ...


# ------------------------------------------------------------------------------------------------- scoring


@frozen
class ScoreRequest:
    """Asks for the worth of pages."""

    pages: Sequence[Page]
    """Candidates in log order; may be empty."""
    newest: int
    """The id of the session's newest page."""
    query: str | None = None
    """What the window is wanted for, where the caller said so."""
    faults: Mapping[int, int] = field(factory=dict, hash=False)
    """How often each page faulted so far (pages that never did are absent)."""
    now_s: float = 0.0
    session: str = ""
    """Whose pages they are; what a scorer learns of one session must not colour another."""
    log: Sequence[Page] = ()
    """All pages of the session, the candidates among them, in log order: evidence of what newer pages cite, ask
    for, or supersede. A view that costs nothing to pass; empty where the caller knows only the candidates."""


@runtime_checkable
class Scorer(Protocol):
    """Rates pages by what they will be worth."""

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """One finite number per page, in order; higher is worth more. Scores of one scorer lie in [0, 1]."""
        ...


# ---------------------------------------------------------------------------------------------- compressing


@frozen
class Shortened:
    """A page in a shorter form: some of its texts replaced. Ids, names, order and roles cannot be touched."""

    page: int
    texts: Mapping[tuple[int, int], str | None] = field(hash=False)
    """(index of the message in ``page.messages``, index of the part in it) to what stands there instead.
    Texts and results' texts take any text; a call's arguments take JSON text of an object; a reasoning block
    takes only ``None``, which removes it (``None`` is for nothing else)."""
    compressor: str = ""
    """Who made it. The kernel fills in the configured compressor's name; one that asks others may say which of them
    it was, and the kernel puts its name before that (``chain/truncate``)."""
    lossless: bool = False
    """Whether the original can be computed from it."""
    covers: float = 0.0
    """Estimated share of the page's worth that it still shows, 0 to 1."""
    tokens: int = 0
    """Of the whole page in this form; the kernel counts and fills it in."""


@frozen
class CompressRequest:
    """Asks for shorter renditions."""

    pages: Sequence[Page]
    """All pages that may be shortened, in log order."""
    resident: Sequence[Page]
    """What stays verbatim beside them."""
    targets: Sequence[int]
    """Wanted sizes in tokens for each page (the whole page); offers near them are the most useful."""
    count: Callable[[Sequence[str]], Sequence[int]]
    """Counts tokens of texts by the session's counter."""
    session: str = ""


@runtime_checkable
class Compressor(Protocol):
    """Offers renditions; it does not choose.

    An optional attribute ``deterministic: bool`` says whether the same pages have the same offers in every process,
    with no network; :func:`is_deterministic` reads it. One that asks a service sets it to false. It may then have
    nothing to say while the service is away, and other words in another process; in one opening, offers that were
    made for a page stay the same.
    """

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """Offers for some of the pages, any number for each, in any order; deterministic unless it says otherwise.

        A page's offer is smaller than the page by the session's counter, and every text says where something
        was left out and how to get it (the page's id).
        """
        ...


def is_deterministic(compressor: Compressor) -> bool:
    """Whether the compressor always has the same offers for the same pages; one that does not say so has."""
    return bool(getattr(compressor, "deterministic", True))


# ----------------------------------------------------------------------------------------------- the window


@frozen
class Verbatim:
    """The pages stand as they are."""


@frozen
class PagedOut:
    """The pages do not stand in the window; adjacent runs share one stub."""


@frozen
class Excerpt:
    """A piece of one page, as the digest shows it."""

    page: int
    text: str
    label: str = ""
    """Stands behind the page's id: what the page is about (``Read db.py``), or a mark of who speaks (``>``)."""
    block: bool = False
    """Whether the label has a line of its own and the text follows unchanged; else text follows on the id's line,
    its further lines indented."""


@frozen
class Digest:
    """One message stands for the pages: their excerpts, labelled with the page's id by the kernel."""

    excerpts: tuple[Excerpt, ...]
    """In log order."""
    tokens: int = 0
    """The kernel counts and fills it in."""


Rendition = Verbatim | Shortened | PagedOut | Digest


@frozen
class Entry:
    """A run of adjacent pages in one rendition."""

    first: int
    last: int
    """Page ids, inclusive; a shortened entry holds exactly one page."""
    rendition: Rendition
    rule: str
    """Why, in a few words, for the ledger."""
    score: float | None = None


@frozen
class Plan:
    """Which pages stand in which rendition."""

    entries: tuple[Entry, ...]
    """In log order; together they hold every page of the request exactly once."""


@frozen
class Pressure:
    """What a pager needs to decide, at once, whether to compact."""

    session: str
    tokens: int
    """Of the window as it would stand without a compaction (the tail of recalled memories excluded)."""
    budget: int
    pages: int
    """Pages that stand in the window, not counting stubs and digests."""
    results: int
    """Tool results that stand verbatim in it."""


@frozen
class PlanRequest:
    """Asks for a plan. ``pages`` and ``entries`` are views that cost nothing to pass; read what you need."""

    session: str
    pages: Sequence[Page]
    """All pages of the session, in log order. Those with role ``system`` must stand verbatim."""
    entries: Sequence[Entry]
    """How they stand since the last plan, and in which form large ones entered; pages that no entry holds are verbatim.
    Empty at the first plan of a session that held no large page."""
    budget: int
    """Tokens that the planned window may have at most, stubs and digests included."""
    offer: Callable[[Sequence[Page], Sequence[int]], Awaitable[Sequence[Shortened]]]
    """``await offer(pages, targets)``: sound offers of the configured compressors, with exact tokens."""
    score: Callable[[Sequence[Page]], Awaitable[Sequence[float]]]
    """``await score(pages)``: finite scores by the configured scorer."""
    count: Callable[[Sequence[str]], Sequence[int]]
    """Counts tokens of texts by the session's counter."""
    stub_tokens: int
    """Upper bound of the tokens of one stub, frame included."""
    digest_tokens: Callable[[int, int, Sequence[Excerpt]], int]
    """``digest_tokens(first, last, excerpts)``: exact tokens of the digest message, frame included."""
    pinned: Sequence[int] = ()
    """Ids of the pages that must stand verbatim: pinned ones and those with role ``system``, in log order."""
    query: str | None = None
    faults: Mapping[int, int] = field(factory=dict, hash=False)
    now_s: float = 0.0


@frozen
class AdmitRequest:
    """Asks how a large page enters the window (shortening it now invalidates no cache; later it does)."""

    session: str
    page: Page
    budget: int
    tokens: int
    """Of the window before the page."""
    offer: Callable[[Sequence[Page], Sequence[int]], Awaitable[Sequence[Shortened]]]
    count: Callable[[Sequence[str]], Sequence[int]]
    query: str | None = None


@runtime_checkable
class Pager(Protocol):
    """Plans which pages stand in which rendition, and when that changes.

    Between two plans the window only grows at its end. The kernel calls :meth:`due` at every window, so it must
    be O(1); it calls :meth:`plan` when a compaction is due, when the budget or a pin changed, or when the window
    does not fit. The plan is validated and committed by the kernel.
    """

    def due(self, request: Pressure) -> bool:
        """Whether to plan now, although the window still fits."""
        ...

    def large(self, budget: int) -> int | None:
        """Pages of more tokens than this are shown to :meth:`admit` as they enter; ``None`` for none."""
        ...

    async def admit(self, request: AdmitRequest) -> Shortened | None:
        """The form in which the page enters, one of the offers, or ``None`` for verbatim."""
        ...

    async def plan(self, request: PlanRequest) -> Plan:
        """A plan whose window fits the budget."""
        ...


# ------------------------------------------------------------------------------------------------- indexing


@frozen
class IndexUpdate:
    """Changes to an index, applied whole or not at all."""

    add: Mapping[str, str] = field(factory=dict, hash=False)
    """Ids to their texts; an id that is there already is replaced."""
    remove: frozenset[str] = frozenset()
    """Ids to forget; absent ones are no error. Removals come before additions."""


@frozen
class SearchRequest:
    """Asks for the ids whose texts fit a query best."""

    query: str
    limit: int = 10
    prefix: str = ""
    """Only ids that start with it."""


@frozen
class IndexHit:
    """One found id; a higher score fits better."""

    id: str
    score: float


@runtime_checkable
class Index(Protocol):
    """Finds texts. It is derived from a tier's records: it may be dropped and is then rebuilt."""

    generation: str
    """Random, drawn when the index's data was created or cleared; another one tells the kernel to fill it anew."""

    async def update(self, request: IndexUpdate) -> None:
        """Apply the changes; a search that starts afterwards sees them."""
        ...

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        """At most ``limit`` hits, best first, ties by id; any text is a legal query."""
        ...

    async def clear(self) -> None:
        """Forget everything in this namespace."""
        ...


@frozen
class EmbedRequest:
    """Asks for vectors of texts."""

    texts: Sequence[str]
    query: bool = False
    """Whether the texts are queries (some models embed them differently)."""


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors of one length; near in meaning is near by cosine."""

    dimensions: int
    fingerprint: str
    """Names model and version; vectors of another fingerprint are not comparable."""

    async def embed(self, request: EmbedRequest) -> Sequence[Sequence[float]]:
        """``(n_texts, dimensions)``, unit length (zeros for a text without content); deterministic."""
        ...


# ---------------------------------------------------------------------------------------------------- tiers


@frozen
class TierReview:
    """Asks a tier which of its memories should be elsewhere."""

    memories: Sequence[Memory]
    """All that the tier holds (texts left out), in any order."""
    now_s: float


@frozen
class Verdict:
    """What a tier wants to let go of."""

    demote: tuple[str, ...] = ()
    """Ids that go one tier down (from the last tier: nowhere, they stay)."""
    promote: tuple[str, ...] = ()
    """Ids that go one tier up (from the first tier: nowhere, they stay)."""


@runtime_checkable
class Tier(Protocol):
    """A level of memory: a policy over a storage and an index, both asked from the host by configured name.

    The kernel moves the records; the tier decides. Tiers are ordered by ``rank``, lowest first.
    """

    rank: int
    storage: Storage
    index: Index

    async def review(self, request: TierReview) -> Verdict:
        """Which memories should move; pure; no id in both."""
        ...


# ---------------------------------------------------------------------------------------------------- tools


@frozen
class ToolSpec:
    """A tool as a model is shown it."""

    name: str
    """Letters, digits, ``_`` and ``-``, at most 64."""
    description: str
    parameters: Mapping[str, Any] = field(hash=False)
    """JSON Schema of the arguments: an object."""
    tags: tuple[str, ...] = ()


@runtime_checkable
class Tool(Protocol):
    """A callable with a schema."""

    spec: ToolSpec

    async def call(self, request: Call) -> str:
        """Run with arguments that fit the schema; what is returned is shown to the model as data."""
        ...


@frozen
class ExecuteRequest:
    """Asks to run one call."""

    call: Call
    run: Callable[[], Awaitable[str]]
    """Runs the tool once, in this process."""
    timeout_s: float | None = None


@runtime_checkable
class Executor(Protocol):
    """Decides where and how many calls run at once."""

    async def execute(self, request: ExecuteRequest) -> str:
        """Run the call and give its text; ``TimeoutError`` when it took longer than ``timeout_s``."""
        ...


# --------------------------------------------------------------------------------------------------- formats


@frozen
class Parsed:
    """One source record of a recording, and what it says."""

    session: str | None
    """Which session it belongs to, where the source says so."""
    raw: bytes
    """The record as it stood in the source, byte for byte, without the line's end."""
    messages: tuple[Message, ...] = ()
    """What it says; empty for a record that is no message."""
    skipped: str | None = None
    """Why it says nothing (its type), for the report of what was skipped."""
    line: int | None = None
    """Where it starts in the source, from 1."""


@frozen
class ParseRequest:
    """Asks to read a source."""

    data: bytes
    source: str = "input"
    """Its name, for messages."""


@frozen
class RenderRequest:
    """Asks for messages in a provider's form."""

    messages: Sequence[Message]


@frozen
class ExportRequest:
    """Asks for a session as a file of this format."""

    session: str
    records: Iterable[tuple[bytes | None, tuple[Message, ...]]]
    """In log order: the source record where there is one (its messages then follow from it), else messages."""
    own: bool
    """Whether the source records are of this same format."""


@runtime_checkable
class Format(Protocol):
    """Reads recordings and writes messages in one provider's or product's form."""

    sends: str
    """The format in which a window of such a session is sent (a recording format names a provider's)."""

    def sniff(self, request: ParseRequest) -> float:
        """How surely the data is of this format, 0 to 1; reads only the start; never raises."""
        ...

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        """The records in order.

        Every byte of the source but white space and the frame around the records is in some record's ``raw``.

        Raises:
            FormatError: With line and remedy, before or between records; the caller then stores nothing.
        """
        ...

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        """The messages as the provider takes them: JSON-serialisable; valid input renders to valid output."""
        ...

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """Every rule of the provider that the rendered messages break, each with its place; empty when valid."""
        ...

    def export(self, request: ExportRequest) -> bytes:
        """The session as a file; of records of its own format every one byte for byte."""
        ...
