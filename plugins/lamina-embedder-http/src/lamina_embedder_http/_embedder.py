"""Texts to calls: each text once, in batches, several at a time."""

from __future__ import annotations

import asyncio
import hashlib
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lamina.kit.vectors import packed
from lamina.protocols import EmbedRequest
from lamina_embedder_http._cache import Cache
from lamina_embedder_http._service import Service

if TYPE_CHECKING:
    from lamina_embedder_http import HttpSettings


class HttpEmbedder:
    """Vectors by a service; of blank texts zeros, which are not asked for.

    Suspends while it waits for the service. A text is asked for once as long as its vector is kept.
    """

    def __init__(self, settings: HttpSettings, service: Service, cache: Cache) -> None:
        self._settings, self._service, self._cache = settings, service, cache
        self.dimensions = settings.dimensions
        # So many that all calls that may be made at once are.
        self.batch = settings.batch * settings.concurrency
        parts = (settings.model, settings.dimensions, settings.query_prefix, settings.text_prefix, settings.characters)
        self.fingerprint = f"http {' '.join(map(repr, parts))}"

    async def embed(self, request: EmbedRequest) -> memoryview:
        """Vectors, those that are not known asked for in batches.

        Raises:
            EmbeddingError: The service has none for some of them. What others of the same request cost is kept.
        """
        prefix = self._settings.query_prefix if request.query else self._settings.text_prefix
        sent = [_utf8(text[: self._settings.characters]) for text in request.texts]
        keys = [self._key(prefix + text) if text.strip() else None for text in sent]
        texts = {key: prefix + text for key, text in zip(keys, sent, strict=True) if key is not None}
        known = await self._cache.get(list(texts), self.dimensions)
        missing = [key for key in texts if key not in known]
        batches = [missing[n : n + self._settings.batch] for n in range(0, len(missing), self._settings.batch)]
        asked = await asyncio.gather(
            *(self._ask(some, [texts[key] for key in some]) for some in batches), return_exceptions=True
        )
        for outcome in asked:
            if isinstance(outcome, BaseException):
                raise outcome
            known |= outcome
        zeros = [0.0] * self.dimensions
        return packed([known[key] if key is not None else zeros for key in keys], self.dimensions)

    async def _ask(self, keys: Sequence[str], texts: Sequence[str]) -> dict[str, array[float]]:
        found = dict(zip(keys, await self._service.vectors(texts), strict=True))
        await self._cache.put(found)
        return found

    def _key(self, text: str) -> str:
        hashed = hashlib.blake2b(f"{self.fingerprint}\n{text}".encode(), digest_size=20).hexdigest()
        return f"embedding/{hashed}"


def _utf8(text: str) -> str:
    """Without halves of characters, which JSON could carry and services refuse."""
    return text.encode("utf-8", "replace").decode()
