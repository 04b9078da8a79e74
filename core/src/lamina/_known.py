"""What is remembered already, by fingerprint: whoever says it again gets the memory that there is.

``same/FINGERPRINT`` in the first tier's storage holds the id of the memory with that text, author, thread and slot, written
in one commit with it, and ``at/THREAD/POSITION`` the one at that place of a thread.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from lamina.model import Hit, Memory
from lamina.protocols import Get, Storage

RECALLED = 10_000
"""So many recalled texts are known again: what a model was shown and then asks to remember is nothing new."""


def fingerprint(*parts: object) -> str:
    """The same for texts that differ in white space and case only."""
    said = "\0".join(" ".join(str(part).split()).casefold() for part in parts)
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def key_of_same(memory: Memory) -> str:
    """Where the id of the memory that says this is kept."""
    position = "" if memory.position is None else memory.position
    return f"same/{fingerprint(memory.text, memory.author, memory.thread, position, memory.slot)}"


def key_of_place(thread: str, position: int) -> str:
    """Where the id of the memory at a place of a thread is kept; of pages it is known without."""
    return f"at/{blake2b(thread.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}/{position}"


class Known:
    """Finds the memory that says what is to be remembered.

    Args:
        storage: The first tier's.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._recalled: OrderedDict[str, str] = OrderedDict()

    def shown(self, hits: Iterable[Hit]) -> None:
        """These were recalled: saying one of them again is no news."""
        for hit in hits:
            key = fingerprint(hit.memory.text)
            self._recalled[key] = hit.memory.id
            self._recalled.move_to_end(key)
        while len(self._recalled) > RECALLED:
            self._recalled.popitem(last=False)

    async def ids(self, memories: Sequence[Memory]) -> list[tuple[str | None, int | None]]:
        """For each new memory the id of the one that may say it already, which may be gone; the version of its key."""
        found = await self._storage.get(Get(keys=[key_of_same(memory) for memory in memories]))
        return [
            (record.value.decode(), record.version) if record is not None else (self._shown_before(memory), None)
            for memory, record in zip(memories, found, strict=True)
        ]

    def _shown_before(self, memory: Memory) -> str | None:
        """The recalled memory that this repeats; what somebody else says, or of something else, is no repetition."""
        if memory.author or memory.thread or memory.slot:
            return None
        return self._recalled.get(fingerprint(memory.text))
