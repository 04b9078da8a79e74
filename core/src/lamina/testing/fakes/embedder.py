"""Embedders: a sound one, and one for each thing that an embedder can do wrong."""

from __future__ import annotations

import itertools
import math
import zlib
from array import array
from typing import Any

from lamina.kit.vectors import packed
from lamina.protocols import EmbedRequest

Vector = list[float]


class SoundEmbedder:
    """Hashes characters and pairs of them: near are texts that are spelt alike."""

    fails: frozenset[str] = frozenset()
    dimensions = 48
    batch = 8
    fingerprint = "pairs 1"

    async def embed(self, request: EmbedRequest) -> Any:
        """One vector per text."""
        return packed(self.rows(request), 48)

    def rows(self, request: EmbedRequest) -> list[Vector]:
        """One vector per text, as numbers."""
        return [self.unit(self.counts(text)) for text in request.texts]

    def counts(self, text: str) -> Vector:
        """How often something that hashes to each dimension occurs."""
        row = [0.0] * 48
        for piece in (*text, *map("".join, itertools.pairwise(text))):
            row[zlib.crc32(piece.encode("utf-8", "surrogatepass")) % 48] += 1
        return row

    def unit(self, row: Vector) -> Vector:
        """The same direction, of length 1; zeros stay zeros."""
        length = math.hypot(*row)
        return [x / length for x in row] if length else row


class Shapeless:
    """Has no dimensions and cannot embed."""

    fails = frozenset(
        {
            "test_it_satisfies_the_protocol",
            "test_no_texts_have_no_vectors",
            "test_vectors_are_one_block_of_floats",
            "test_each_text_has_a_unit_vector_or_zeros",
            "test_a_text_with_content_is_not_zeros",
            "test_the_same_text_always_has_the_same_vector",
            "test_a_batch_embeds_as_its_texts_do_alone",
            "test_a_text_is_nearer_to_itself_than_to_another",
            "test_the_request_is_left_as_it_was",
        }
    )


class Nameless(SoundEmbedder):
    """Does not say which model made the vectors."""

    fails = frozenset({"test_it_satisfies_the_protocol"})
    fingerprint = ""


class NoBatch(SoundEmbedder):
    """Would be given no text at once."""

    fails = frozenset({"test_it_satisfies_the_protocol"})
    batch = 0


class Doubles(SoundEmbedder):
    """Gives numbers of 64 bits."""

    fails = frozenset({"test_vectors_are_one_block_of_floats"})

    async def embed(self, request: EmbedRequest) -> Any:
        """The same numbers, wider."""
        wide = memoryview(array("d", itertools.chain(*self.rows(request))))
        return wide.cast("B").cast("d", shape=[len(request.texts), 48]) if request.texts else wide


class Lists(SoundEmbedder):
    """Gives lists of numbers, each an object."""

    fails = Shapeless.fails - {"test_it_satisfies_the_protocol"}

    async def embed(self, request: EmbedRequest) -> Any:
        """No block of memory."""
        return self.rows(request)


class NeedsTexts(SoundEmbedder):
    """Fails where there are none."""

    fails = frozenset({"test_no_texts_have_no_vectors", "test_each_text_has_a_unit_vector_or_zeros"})

    def rows(self, request: EmbedRequest) -> list[Vector]:
        """Looks at the first text."""
        request.texts[0]
        return super().rows(request)


class Halves(SoundEmbedder):
    """Gives vectors of length a half."""

    fails = frozenset({"test_each_text_has_a_unit_vector_or_zeros"})

    def unit(self, row: Vector) -> Vector:
        """The same direction."""
        return [x / 2 for x in super().unit(row)]


class Misstates(SoundEmbedder):
    """Says a dimension more than it gives."""

    fails = frozenset({"test_vectors_are_one_block_of_floats", "test_each_text_has_a_unit_vector_or_zeros"})
    dimensions = 49


class NotANumber(SoundEmbedder):
    """Divides by the length of a text that says nothing."""

    fails = frozenset({"test_each_text_has_a_unit_vector_or_zeros", "test_a_batch_embeds_as_its_texts_do_alone"})

    def unit(self, row: Vector) -> Vector:
        """NaN for zeros."""
        return super().unit(row) if any(row) else [math.nan] * len(row)


class Strict(SoundEmbedder):
    """Fails at what cannot be encoded."""

    fails = frozenset({"test_each_text_has_a_unit_vector_or_zeros"})

    def counts(self, text: str) -> Vector:
        """Encodes the text."""
        text.encode()
        return super().counts(text)


class SkipsEmpty(SoundEmbedder):
    """Gives no vector for the empty text."""

    fails = frozenset(
        {
            "test_vectors_are_one_block_of_floats",
            "test_each_text_has_a_unit_vector_or_zeros",
            "test_a_batch_embeds_as_its_texts_do_alone",
        }
    )

    def rows(self, request: EmbedRequest) -> list[Vector]:
        """Fewer vectors than texts."""
        return [self.unit(self.counts(text)) for text in request.texts if text]


class AsciiOnly(SoundEmbedder):
    """Sees nothing in other scripts."""

    fails = frozenset({"test_a_text_with_content_is_not_zeros", "test_a_text_is_nearer_to_itself_than_to_another"})

    def counts(self, text: str) -> Vector:
        """Of the ASCII characters."""
        return super().counts("".join(c for c in text if c.isascii()))


class Drifts(SoundEmbedder):
    """Differs a little with each call of the process."""

    fails = frozenset({"test_the_same_text_always_has_the_same_vector"})
    calls = itertools.count(1)

    def rows(self, request: EmbedRequest) -> list[Vector]:
        """Vectors that are shorter by a ten-thousandth, or less with each call."""
        length = 1 - 1e-4 / next(self.calls)
        return [[x * length for x in row] for row in super().rows(request)]


class Centres(SoundEmbedder):
    """Takes the mean of the batch from each vector."""

    fails = frozenset({"test_a_batch_embeds_as_its_texts_do_alone"})

    def rows(self, request: EmbedRequest) -> list[Vector]:
        """Vectors that hang on what else was asked for."""
        rows = super().rows(request)
        means = [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)] if len(rows) > 1 else [0.0] * 48
        return [self.unit([x - mean for x, mean in zip(row, means, strict=True)]) for row in rows]


class Sorts(SoundEmbedder):
    """Gives the vectors in the order of the texts' lengths."""

    fails = frozenset({"test_a_batch_embeds_as_its_texts_do_alone"})

    def rows(self, request: EmbedRequest) -> list[Vector]:
        """Batches texts of one length, and does not undo it."""
        return super().rows(EmbedRequest(texts=sorted(request.texts, key=len), query=request.query))


class Alike(SoundEmbedder):
    """Gives every text the same vector."""

    fails = frozenset({"test_a_text_is_nearer_to_itself_than_to_another"})

    def counts(self, text: str) -> Vector:
        """All ones."""
        return [1.0] * 48


class Opposes(SoundEmbedder):
    """Embeds queries into another space than texts."""

    fails = frozenset({"test_a_text_is_nearer_to_itself_than_to_another"})

    def rows(self, request: EmbedRequest) -> list[Vector]:
        """Queries point the other way."""
        sign = -1 if request.query else 1
        return [[sign * x for x in row] for row in super().rows(request)]


class Consumes(SoundEmbedder):
    """Takes the texts from the request."""

    fails = frozenset(
        {
            "test_the_request_is_left_as_it_was",
            "test_the_same_text_always_has_the_same_vector",
            "test_each_text_has_a_unit_vector_or_zeros",
        }
    )

    def rows(self, request: EmbedRequest) -> list[Vector]:
        """Embeds, and clears the list."""
        rows = super().rows(request)
        if isinstance(request.texts, list):
            request.texts.clear()
        return rows


BROKEN: tuple[type, ...] = (
    Shapeless,
    Nameless,
    NoBatch,
    Doubles,
    Lists,
    NeedsTexts,
    Halves,
    Misstates,
    NotANumber,
    Strict,
    SkipsEmpty,
    AsciiOnly,
    Drifts,
    Centres,
    Sorts,
    Alike,
    Opposes,
    Consumes,
)
