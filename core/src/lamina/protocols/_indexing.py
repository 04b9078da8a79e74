"""Finding memories by words or by likeness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import field, frozen


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
            StorageError: It cannot be read.
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
    fingerprint: str
    """Names model and version; vectors of another fingerprint are not comparable."""

    async def embed(self, request: EmbedRequest) -> Sequence[Sequence[float]]:
        """``(n_texts, dimensions)``, unit length (zeros for a text without content); deterministic."""
        ...
