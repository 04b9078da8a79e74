"""The conformance suite of embedders."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.protocols import Embedder, EmbedRequest
from lamina.testing.suite import Suite

OpenEmbedder = Callable[[], AbstractAsyncContextManager[Embedder]]
Vector = list[float]

_quick = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
_nasty = st.one_of(st.text(st.characters(), max_size=60), st.text("ab1 \n好の😀\u0301\x00\ud800", max_size=40))


def _rows(given: Any, n_texts: int) -> list[Vector]:
    """The vectors in what an embedder gave."""
    view = memoryview(given)
    if not n_texts:
        assert view.nbytes == 0
        return []
    rows: list[Any] = view.tolist()
    return [row if isinstance(row, list) else [row] for row in rows]


def _dot(a: Vector, b: Vector) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


class EmbedderSuite(Suite):
    """What every embedder holds. Give ``strategy`` and the fixture ``open_embedder``.

    ``open_embedder`` is a factory without arguments that gives an async context manager.
    """

    tolerance: ClassVar[float] = 1e-3
    """By how much a length, or the same text in another batch, may differ."""

    @pytest.fixture
    def open_embedder(self) -> OpenEmbedder:
        raise NotImplementedError("give the fixture open_embedder")

    def embed(
        self, open_embedder: OpenEmbedder, *batches: Sequence[str], query: bool = False
    ) -> tuple[int, list[list[Vector]]]:
        """The dimensions, and the vectors of each batch, by one opened embedder."""

        async def ask() -> tuple[int, list[list[Vector]]]:
            async with open_embedder() as part:
                counts = [len(texts) for texts in batches]
                given = [await part.embed(EmbedRequest(texts=texts, query=query)) for texts in batches]
                return part.dimensions, [_rows(some, count) for some, count in zip(given, counts, strict=True)]

        return asyncio.run(ask())

    def test_it_satisfies_the_protocol(self, open_embedder: OpenEmbedder) -> None:
        async def check() -> None:
            async with open_embedder() as part:
                assert isinstance(part, Embedder)
                assert part.dimensions > 0
                assert part.batch > 0
                assert part.fingerprint.strip()

        asyncio.run(check())

    def test_no_texts_have_no_vectors(self, open_embedder: OpenEmbedder) -> None:
        assert self.embed(open_embedder, [])[1] == [[]]

    def test_vectors_are_one_block_of_floats(self, open_embedder: OpenEmbedder) -> None:
        async def check() -> None:
            async with open_embedder() as part:
                for texts in (("one",), ("one", "two", "")):
                    view = memoryview(await part.embed(EmbedRequest(texts=texts)))
                    assert (view.format, view.itemsize) == ("f", 4)
                    assert view.shape == (len(texts), part.dimensions)
                    assert view.c_contiguous

        asyncio.run(check())

    @_quick
    @given(texts=st.lists(_nasty, max_size=5), query=st.booleans())
    @example(texts=[], query=False)
    @example(texts=["", "\ud800", "a"], query=True)
    def test_each_text_has_a_unit_vector_or_zeros(
        self, open_embedder: OpenEmbedder, texts: list[str], query: bool
    ) -> None:
        texts = [*texts]  # an example's list is the same object at every run
        dimensions, [rows] = self.embed(open_embedder, texts, query=query)
        assert len(rows) == len(texts)
        for row in rows:
            assert len(row) == dimensions
            length = math.sqrt(_dot(row, row))
            assert length == 0 or abs(length - 1) <= self.tolerance

    def test_a_text_with_content_is_not_zeros(self, open_embedder: OpenEmbedder) -> None:
        _, [rows] = self.embed(open_embedder, ["the port is 8765", "数据库", "Verbindung geschlossen"])
        assert all(any(row) for row in rows)

    def test_the_same_text_always_has_the_same_vector(self, open_embedder: OpenEmbedder) -> None:
        texts = ["open the file", "数据库连接", "error: 42"]
        _, [first, second] = self.embed(open_embedder, texts, texts)
        _, [third] = self.embed(open_embedder, texts)
        assert first == second == third

    def test_a_batch_embeds_as_its_texts_do_alone(self, open_embedder: OpenEmbedder) -> None:
        texts = ["one text", "a much longer text about another thing altogether, " * 20, "", "一"]
        _, [batch, *alone] = self.embed(open_embedder, texts, *([text] for text in texts))
        for row, [single] in zip(batch, alone, strict=True):
            assert all(abs(x - y) <= self.tolerance for x, y in zip(row, single, strict=True))

    def test_a_text_is_nearer_to_itself_than_to_another(self, open_embedder: OpenEmbedder) -> None:
        texts = ["the database listens on port 5432", "we bake bread with rye on sundays", "数据库连接失败"]
        _, [rows] = self.embed(open_embedder, texts)
        _, [queries] = self.embed(open_embedder, texts, query=True)
        for i, query in enumerate(queries):
            near = [_dot(query, row) for row in rows]
            assert near[i] > max(n for j, n in enumerate(near) if j != i)

    def test_the_request_is_left_as_it_was(self, open_embedder: OpenEmbedder) -> None:
        texts = ["b", "a", ""]
        self.embed(open_embedder, texts)
        assert texts == ["b", "a", ""]
