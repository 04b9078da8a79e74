"""Extraction: what extractors draw from conversations that rest, a piece at a time.

``talk/SESSION`` in the first tier's storage says that a session has pages that extractors have not seen, ``drawn/SESSION``
up to which page they have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec
from attrs import evolve, frozen

from lamina._drafts import drafted
from lamina._held import records
from lamina._log import segment
from lamina.errors import ConflictError, ContractError, FormatError
from lamina.model import Draft, Memory, Page
from lamina.protocols import Commit, Extractor, ExtractRequest, Get, Passage, Record, Storage

PAGES = 200
"""Pages that extractors are shown at once."""
EARLIER = 20
"""Pages before them that are shown too."""
TALK, DRAWN = "talk/", "drawn/"


@frozen
class Talk:
    """A session, as far as extractors need it."""

    pages: Sequence[Page]
    closed: bool
    updated_s: float
    passages: Callable[[Page], Sequence[Passage]]


class Extraction:
    """Lets extractors look at conversations that rest.

    Args:
        storage: The first tier's.
        extractors: Each with its name.
        talk: Gives a session by its id.
        remember: Writes what they draw.
        rest_s: Seconds without a message after which an open session rests.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        storage: Storage,
        extractors: Sequence[tuple[str, Extractor]],
        talk: Callable[[str], Awaitable[Talk]],
        remember: Callable[[Sequence[Draft]], Awaitable[Sequence[Memory]]],
        rest_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._storage, self._extractors, self._talk, self._remember = storage, extractors, talk, remember
        self._rest_s, self._clock = rest_s, clock

    async def run(self) -> int:
        """Draw from all that rest; gives how many memories were drawn, those that were known already among them."""
        if not self._extractors:
            return 0
        drawn = 0
        async for batch in records(self._storage, TALK):
            for note in batch:
                drawn += await self._session(note)
        return drawn

    async def _session(self, note: Record) -> int:
        id = note.value.decode()
        talk = await self._talk(id)
        if not talk.closed and self._clock() - talk.updated_s < self._rest_s:
            return 0
        key = f"{DRAWN}{segment(id)}"
        (record,) = await self._storage.get(Get(keys=[key]))
        after = 0 if record is None else msgspec.msgpack.decode(record.value)
        start = next((at for at, page in enumerate(talk.pages) if page.id > after), len(talk.pages))
        drawn = 0
        for at in range(start, len(talk.pages), PAGES):
            pages = talk.pages[at : at + PAGES]
            drafts = await self._drafts(id, talk, pages, talk.pages[max(0, at - EARLIER) : at])
            await self._remember(drafts)
            # Behind what was drawn: after a crash the piece is looked at again, and what is known is not stored twice.
            await self._storage.commit(Commit(puts={key: msgspec.msgpack.encode(pages[-1].id)}))
            drawn += len(drafts)
        with suppress(ConflictError):  # it went on meanwhile
            await self._storage.commit(Commit(deletes=frozenset({note.key}), expect={note.key: note.version}))
        return drawn

    async def _drafts(self, id: str, talk: Talk, pages: Sequence[Page], earlier: Sequence[Page]) -> list[Draft]:
        request = ExtractRequest(session=id, pages=pages, earlier=earlier, passages=talk.passages)
        said = {f"{id}#{page.id}": page.messages[0].created_s or 0.0 for page in pages}
        out: list[Draft] = []
        for name, extractor in self._extractors:
            for given in await extractor.extract(request):
                try:
                    draft = drafted(given)
                except FormatError as error:
                    raise ContractError(name, f"drew what is no memory: {error.why}") from error
                times = [said[source] for source in draft.provenance if said.get(source, 0.0) > 0]
                when = draft.created_s if draft.created_s is not None or not times else max(times)
                out.append(evolve(draft, thread=draft.thread or id, created_s=when))
        return out
