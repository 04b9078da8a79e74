"""Finding memories by words, by likeness, by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import field, fields, frozen

from lamina.model import Memory, MemoryKind


@frozen
class Document:
    """What an index is told of a memory.

    The tier is not in it, nor how often it was used: a move or a recall then costs no index anything, and the kernel,
    which knows where a memory stands when it reads it, filters by tier itself.
    """

    id: str
    text: str
    author: str = ""
    tags: tuple[str, ...] = ()
    kind: MemoryKind = "semantic"
    thread: str = ""
    position: int | None = None
    """Its place in the thread; neighbours explain each other."""
    created_s: float = 0.0
    """When it was said, Unix seconds; 0 where that is not known."""

    @classmethod
    def of(cls, memory: Memory, text: str) -> Document:
        """A memory with its text as a document."""
        return cls(
            memory.id, text, memory.author, memory.tags, memory.kind, memory.thread, memory.position, memory.created_s
        )


@frozen
class Filter:
    """Which memories are asked for. A field that is ``None`` admits all; those that are given must all admit."""

    threads: frozenset[str] | None = None
    """Of one of these threads; the pages of a session are its thread."""
    authors: frozenset[str] | None = None
    """By one of these, as they are written."""
    kinds: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    """With all of these tags."""
    since_s: float | None = None
    """Said at that time or later; what has no time is not admitted."""
    until_s: float | None = None
    """Said before that time; what has no time is not admitted."""

    @property
    def given(self) -> frozenset[str]:
        """The names of the fields that are given."""
        return frozenset(a.name for a in fields(Filter) if getattr(self, a.name) is not None)

    def admits(self, of: Document | Memory) -> bool:
        """Whether a memory passes."""
        return (
            (self.threads is None or of.thread in self.threads)
            and (self.authors is None or of.author in self.authors)
            and (self.kinds is None or of.kind in self.kinds)
            and (self.tags is None or self.tags <= set(of.tags))
            and (self.since_s is None or 0 < of.created_s >= self.since_s)
            and (self.until_s is None or 0 < of.created_s < self.until_s)
        )


@frozen
class IndexUpdate:
    """Changes to an index, applied whole or not at all."""

    add: Sequence[Document] = ()
    """Each id at most once; one that is there already is replaced."""
    remove: frozenset[str] = frozenset()
    """Ids to forget; absent ones are no error. Removals come before additions."""


@frozen
class SearchRequest:
    """Asks for the documents that fit a query best."""

    query: str
    limit: int = 10
    filter: Filter = Filter()
    """Holds only fields that the index declares in ``filters``."""
    now_s: float = 0.0
    """When it is asked, for what the query says of times; Unix seconds."""
    deadline_s: float | None = None
    """Seconds that the search may take; an index that cannot end by then gives the best that it has."""


@frozen
class IndexHit:
    """One found document; a higher score fits better."""

    id: str
    score: float
    features: Mapping[str, float] = field(factory=dict, hash=False)
    """What is known of how it fits, by the index's own names, for rankers; each finite."""


@runtime_checkable
class Index(Protocol):
    """Finds documents. It is derived from the records of memories: it may be dropped and is then rebuilt."""

    generation: str
    """Random, drawn when the index's data was created or cleared; another one tells the kernel to fill it anew."""
    filters: frozenset[str]
    """The fields of :class:`Filter` that it applies itself; for others the kernel asks for more and filters behind it."""

    async def update(self, request: IndexUpdate) -> None:
        """Apply the changes; a search that starts afterwards sees them.

        Raises:
            StorageError: They could not be written, because another process holds the index; none was. The kernel
                brings them again.
            IntegrityError: The index is damaged.
            ClosedError: After close.
        """
        ...

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        """At most ``limit`` hits, best first, ties by id; any text is a legal query.

        Raises:
            StorageError: It cannot be read now. Where another index answers, a recall goes on without this one, and logs it.
            IntegrityError: The index is damaged, which fails the recall.
        """
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
    """Numbers in a vector; above 0."""
    batch: int
    """So many texts at once are cheapest, a hint for who has many; above 0. Any number is legal."""
    fingerprint: str
    """Names model, version and whatever else changes vectors; those of another fingerprint are not comparable."""

    async def embed(self, request: EmbedRequest) -> memoryview:
        """One vector a text, in the order of the texts, as one block of memory; deterministic.

        Returns:
            ``(n_texts, dimensions) float32``, C-contiguous: a view of format ``f`` (32 bits in the machine's order).
            numpy's ``array.data`` is one, :func:`lamina.kit.vectors.packed` makes one without numpy, and
            ``numpy.asarray`` reads both without a copy. Each vector has length 1; zeros stand for a text without
            content. Without texts it is empty, of any shape.

        Raises:
            EmbeddingError: There are no vectors, because what makes them is out of reach or refuses; asked again
                later, there may be.
            ClosedError: After close, where there is something to close.
        """
        ...
