"""What was answered before: in memory, and in a storage where one is configured."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

from lamina.protocols import Commit, Get, Storage

_SCHEMA = 1

Texts = tuple[str, ...]


class Cache:
    """Answers by the hash of what was asked.

    Args:
        most: So many are kept in memory; the least recently used go first.
        storage: Keeps them for later runs. One that fails is named in the log, once, and done without.
        logger: Told of that.
    """

    def __init__(self, most: int, storage: Storage | None, logger: Any) -> None:
        self._most, self._storage, self._logger = most, storage, logger
        self._known: OrderedDict[str, Texts | None] = OrderedDict()
        self._told = False

    async def get(self, hash: str) -> tuple[bool, Texts | None]:
        """Whether the page was asked for, and its texts; ``None`` where the answer was of no use."""
        if hash in self._known:
            self._known.move_to_end(hash)
            return True, self._known[hash]
        texts = await self._read(hash)
        if texts is not None:
            self._keep(hash, texts)
        return texts is not None, texts

    async def put(self, hash: str, texts: Texts | None) -> None:
        """Keep an answer. One of no use is kept in memory only: a later run may ask a better model."""
        self._keep(hash, texts)
        if self._storage is None or texts is None:
            return
        value = json.dumps({"schema": _SCHEMA, "texts": texts}, ensure_ascii=False).encode()
        try:
            await self._storage.commit(Commit(puts={_key(hash): value}))
        except Exception as error:  # noqa: BLE001 - the plugin boundary: without a cache there is still an answer
            self._complain(error)

    def drop(self, hash: str) -> None:
        """Forget what turned out to be no answer to this."""
        self._known.pop(hash, None)

    def _keep(self, hash: str, texts: Texts | None) -> None:
        self._known[hash] = texts
        self._known.move_to_end(hash)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    async def _read(self, hash: str) -> Texts | None:
        if self._storage is None:
            return None
        try:
            [record] = await self._storage.get(Get(keys=[_key(hash)]))
        except Exception as error:  # noqa: BLE001 - the plugin boundary
            self._complain(error)
            return None
        try:
            match json.loads(record.value) if record else None:
                case {"schema": int(schema), "texts": [*texts]} if schema == _SCHEMA:
                    return tuple(texts) if all(isinstance(text, str) for text in texts) else None
        except (ValueError, RecursionError):
            pass  # damaged, or of a newer release: asked for again
        return None

    def _complain(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            self._logger.warning("the cache's storage failed", error=f"{type(error).__name__}: {error}")


def _key(hash: str) -> str:
    return f"compressor-llm/{hash}"
