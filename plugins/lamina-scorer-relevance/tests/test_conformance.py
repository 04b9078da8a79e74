import hashlib
import random
from functools import partial

import pytest

from lamina.kit.vectors import packed
from lamina.testing import LoneHost, ScorerSuite
from lamina_scorer_relevance import RelevanceSettings, open_relevance


class TestRelevance(ScorerSuite):
    strategy = "relevance"

    @pytest.fixture
    def open_scorer(self, tmp_path):
        return partial(open_relevance, RelevanceSettings(), LoneHost(tmp_path))


class HashEmbedder:
    """A direction for each word, drawn by its hash."""

    dimensions = 16
    batch = 3
    fingerprint = "hash"

    async def embed(self, request):
        return packed([self.vector(text) for text in request.texts], self.dimensions)

    def vector(self, text):
        total = [0.0] * self.dimensions
        for word in text.split():
            rng = random.Random(hashlib.blake2b(word.encode("utf-8", "surrogatepass")).digest())
            total = [t + rng.gauss(0, 1) for t in total]
        length = sum(t * t for t in total) ** 0.5
        return [t / length for t in total] if length else total


class TestRelevanceByVectors(ScorerSuite):
    strategy = "relevance"

    @pytest.fixture
    def open_scorer(self, tmp_path):
        host = LoneHost(tmp_path, parts={("embedder", "hash"): HashEmbedder()})
        return partial(open_relevance, RelevanceSettings(embedder="hash"), host)
