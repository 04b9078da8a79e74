import asyncio
import random
import re

import pytest

from lamina.kit.vectors import packed
from lamina.protocols import IndexUpdate
from lamina.testing import IndexSuite, LoneHost, deviates, documents_of
from lamina.testing.index import found, rare
from lamina_index_vector import VectorSettings, open_vector

DIMENSIONS = 512


class Words:
    """A direction for each word, drawn by chance: texts without a common word are at right angles, nearly."""

    dimensions, batch, fingerprint = DIMENSIONS, 7, "words"

    def __init__(self):
        self._known = {}

    def of(self, word):
        if word not in self._known:
            draw = random.Random(word.encode("utf-8", "surrogatepass"))
            self._known[word] = [draw.gauss(0, 1) for _ in range(DIMENSIONS)]
        return self._known[word]

    async def embed(self, request):
        return packed([self.vector(text) for text in request.texts], DIMENSIONS)

    def vector(self, text):
        total = [sum(numbers) for numbers in zip(*map(self.of, dict.fromkeys(re.findall(r"\w+", text))), strict=True)]
        length = sum(x * x for x in total) ** 0.5
        return [x / length for x in total] if length else [0.0] * DIMENSIONS


class Pieces(Words):
    """The same for pairs of characters, in whatever script."""

    fingerprint = "pieces"

    def vector(self, text):
        text = text.casefold()
        return super().vector(" ".join(text[i : i + 2].replace(" ", "_") for i in range(len(text))))


class TestVector(IndexSuite):
    strategy = "vector"
    embedder = Words()

    @pytest.fixture
    def open_index(self, tmp_path):
        def opened(namespace="test"):
            host = LoneHost(tmp_path, namespace=namespace, parts={("embedder", "hashing"): self.embedder})
            return open_vector(self.settings(), host)

        return opened

    def settings(self):
        return VectorSettings(least_cosine=0.22)

    @deviates("a vector of thousands of words is near none of them; and only the beginning of a text is embedded")
    def test_a_long_query_is_answered(self, open_index):
        query = " ".join(f"word{n}" for n in range(3000)) + " " + rare(3)
        assert [hit.id for hit in self.hits(open_index, {"0": rare(0), "long": query}, query=query)] == ["long"]

    @deviates("finding texts in scripts without spaces is the embedder's doing; see the class below")
    def test_every_language_is_found(self, open_index):
        texts = {name: text for name, (text, _) in self.LANGUAGES.items()}

        async def act(index):
            await index.update(IndexUpdate(add=documents_of(texts)))
            return {name: (await found(index, text))[:1] for name, text in texts.items()}

        assert self.run(open_index, act) == {name: [name] for name in texts}


class TestVectorOfBytes(TestVector):
    """The same, where the vectors in memory are never exact."""

    def settings(self):
        return VectorSettings(least_cosine=0.22, exact=0)


class TestVectorOfWideNumbers(TestVector):
    def settings(self):
        return VectorSettings(least_cosine=0.22, precision="float32")


def test_every_language_is_found_where_the_embedder_knows_pairs_of_characters(tmp_path):
    texts = {name: text for name, (text, _) in IndexSuite.LANGUAGES.items()}

    async def act():
        host = LoneHost(tmp_path, parts={("embedder", "hashing"): Pieces()})
        async with open_vector(VectorSettings(), host) as index:
            await index.update(IndexUpdate(add=documents_of(texts)))
            return {name: (await found(index, query))[:1] for name, (_, query) in IndexSuite.LANGUAGES.items()}

    assert asyncio.run(act()) == {name: [name] for name in texts}
