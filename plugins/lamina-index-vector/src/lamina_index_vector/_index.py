"""The index: vectors in a file, a copy of them in memory that follows it, and the search over that."""

# Table names hold a number that lamina.kit.indexfile drew, never anything that came from outside.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lamina.errors import EmbeddingError, StorageError
from lamina.kit.indexfile import FILTERS, IndexFile, unblob
from lamina.protocols import Document, Embedder, EmbedRequest, Filter, IndexHit, IndexUpdate, SearchRequest
from lamina_index_vector._matrix import Floats, Matrix

if TYPE_CHECKING:
    from lamina_index_vector import VectorSettings

SLACK = 1e-5
"""By so much sums of products may differ with the order in which they are added up."""


def rules(embedder: Embedder, settings: VectorSettings) -> str:
    """By what the file's vectors are made."""
    return (
        f"{embedder.fingerprint} | {embedder.dimensions} {settings.precision} {settings.characters} {settings.authors}"
    )


class VectorIndex:
    """Finds documents by the cosine of their vectors with the query's.

    Up to ``exact`` vectors everything is looked at; of more, a fiftieth, chosen by signs. The first search, and one after another process's
    changes, reads what is new from the file. In memory: ``4 x dimensions`` bytes a vector, a third of it
    beyond ``exact`` of them.
    """

    filters = FILTERS

    def __init__(self, file: IndexFile, embedder: Embedder, settings: VectorSettings) -> None:
        self._file, self._embedder, self._settings = file, embedder, settings
        self.generation = file.generation
        self._type = np.dtype("<f2" if settings.precision == "float16" else "<f4")
        self._matrix = Matrix(embedder.dimensions, settings.exact)
        self._seen = ("", 0, 0)
        """Of the file: its generation, the last number, the last stamp of what is gone."""

    async def update(self, request: IndexUpdate) -> None:
        """Embed what is added, a batch at a time, then apply all changes.

        Raises:
            StorageError: They could not be embedded or written; nothing was.
        """
        self._file.check_open()
        texts = [self._text(document) for document in request.add]
        data: list[bytes] = []
        for start in range(0, len(texts), self._embedder.batch):
            rows = await self._embed(EmbedRequest(texts=texts[start : start + self._embedder.batch]))
            data += [row.tobytes() for row in rows.astype(self._type)]
        await self._file.update(request, data)
        self.generation = self._file.generation

    async def search(self, request: SearchRequest) -> Sequence[IndexHit]:
        """The nearest documents; ``cosine`` is the score, exact to the precision of the file.

        Raises:
            StorageError: The query could not be embedded, or the file not read.
        """
        self._file.check_open()
        begun = time.monotonic()
        if request.limit < 1 or not request.query:
            return []
        query = EmbedRequest(texts=[request.query[: self._settings.characters]], query=True)
        wanted = (await self._embed(query))[0]
        if not wanted.any():
            return []
        until = None if request.deadline_s is None else begun + request.deadline_s
        hits = await self._file.read(lambda db: self._search(db, wanted, request, until))
        self.generation = self._file.generation
        return hits

    async def clear(self) -> None:
        """Forget everything in this namespace, and draw a new generation."""
        await self._file.clear()
        self.generation = self._file.generation

    def _text(self, document: Document) -> str:
        """What is embedded of a document."""
        said = document.text[: self._settings.characters]
        return f"{document.author}: {said}" if document.author and said and self._settings.authors else said

    async def _embed(self, request: EmbedRequest) -> Floats:
        try:
            return np.asarray(await self._embedder.embed(request))
        except EmbeddingError as error:
            raise StorageError(f"embedder {self._settings.embedder!r}: {error}") from error

    def _search(
        self, db: sqlite3.Connection, wanted: Floats, request: SearchRequest, until: float | None
    ) -> list[IndexHit]:
        self._follow(db)
        scores = self._matrix.scores(wanted, request.limit, self._passing(db, request.filter), until)
        least = self._settings.least_cosine
        rows = self._matrix.best(scores, request.limit, least - self._matrix.error - SLACK)
        cosines = self._cosines(db, rows, wanted)
        found = [
            (round(float(c), 6), self._matrix.ids[row])
            for c, row in zip(cosines, rows, strict=True)
            if c >= least and c
        ]
        found.sort(key=lambda hit: (-hit[0], hit[1]))
        return [IndexHit(id, cosine, {"cosine": cosine}) for cosine, id in found[: request.limit]]

    def _passing(self, db: sqlite3.Connection, filter: Filter) -> NDArray[np.int64] | None:
        """The rows that pass; ``None`` for all."""
        if not filter.given:
            return None
        where, values = self._file.passing(filter)
        numbers = [
            n for (n,) in db.execute(f"SELECT number FROM {self._file.docs} WHERE {where} ORDER BY number", values)
        ]
        return self._matrix.rows_of(numbers)

    def _cosines(self, db: sqlite3.Connection, rows: Sequence[int], wanted: Floats) -> NDArray[np.float64]:
        """Exact ones, each by itself: equal vectors must have equal scores, whatever stands beside them."""
        vectors = self._matrix.exact_rows(rows)
        if vectors is None:
            read = f"SELECT data FROM {self._file.docs} WHERE number = ?"
            data = [db.execute(read, (int(self._matrix.numbers[row]),)).fetchone()[0] for row in rows]
            vectors = (
                np.frombuffer(b"".join(data), self._type)
                .astype(np.float32)
                .reshape(len(rows), self._embedder.dimensions)
            )
        return np.asarray((vectors * wanted).sum(axis=1, dtype=np.float64))

    def _follow(self, db: sqlite3.Connection) -> None:
        """Bring the copy in memory to the state of the file."""
        generation, number, stamp = self._seen
        gone = [
            tuple(row) for row in db.execute(f"SELECT stamp, number FROM {self._file.gone} WHERE stamp > ?", (stamp,))
        ]
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (self._file.gone,)).fetchone()
        last = row[0] if row else 0
        # Where stamps are missing, others shortened the list before we read it.
        if generation != self._file.generation or len(gone) != last - stamp or self._matrix.is_sparse:
            self._matrix = Matrix(self._embedder.dimensions, self._settings.exact)
            number, gone = 0, []
        self._matrix.drop([n for _, n in gone])
        cursor = db.execute(
            f"SELECT number, id, data FROM {self._file.docs} WHERE number > ? ORDER BY number", (number,)
        )
        while some := cursor.fetchmany(4096):
            vectors = np.frombuffer(b"".join(data for _, _, data in some), self._type)
            rows = vectors.astype(np.float32).reshape(len(some), self._embedder.dimensions)
            self._matrix.append([n for n, _, _ in some], [unblob(id) for _, id, _ in some], rows)
            number = some[-1][0]
        self._seen = (self._file.generation, number, last)
