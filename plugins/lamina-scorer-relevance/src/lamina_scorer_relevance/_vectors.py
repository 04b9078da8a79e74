"""Likeness by vectors, for which numpy is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lamina.model import Page
from lamina.protocols import Embedder, EmbedRequest


class Vectors:
    """Compares pages with a text.

    Args:
        embedder: Gives the vectors.
        characters: So much of a page is embedded.
    """

    def __init__(self, embedder: Embedder, characters: int) -> None:
        self._embedder, self._characters = embedder, characters
        self._known: WeakKeyDictionary[Page, Any] = WeakKeyDictionary()

    async def likeness(self, text: str, pages: Sequence[Page]) -> list[float]:
        """The cosine of each page with the text, 0 where it is negative, at most 1.

        Every page is embedded once; after that O(pages x dimensions), in C.
        """
        new = [page for page in pages if page not in self._known]
        for start in range(0, len(new), self._embedder.batch):
            batch = new[start : start + self._embedder.batch]
            texts = [page.text[: self._characters] for page in batch]
            found = await self._embedder.embed(EmbedRequest(texts=texts))
            self._known.update(zip(batch, np.asarray(found), strict=True))
        wanted = np.asarray(await self._embedder.embed(EmbedRequest(texts=[text[: self._characters]], query=True)))[0]
        # Row by row and not as one product of matrices, whose sums may differ with the number of rows.
        rows = np.stack([self._known[page] for page in pages])
        cosines = (rows * wanted).sum(axis=1, dtype=np.float64)
        return [float(c) for c in np.clip(cosines, 0.0, 1.0)]
