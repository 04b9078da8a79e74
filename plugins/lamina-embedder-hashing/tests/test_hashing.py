import asyncio
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.protocols import EmbedRequest
from lamina_embedder_hashing import HashingSettings
from lamina_embedder_hashing._hashing import HashingEmbedder


def vectors(*texts, dimensions=384):
    return np.asarray(asyncio.run(HashingEmbedder(dimensions).embed(EmbedRequest(texts=texts))))


def likeness(a, b):
    one, two = vectors(a, b)
    return float(one @ two)


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("the configured ports", "configuring the port", "the colored parts"),
        ("database connection", "datbase conection", "dashboard collection"),
        ("Verbindung geschlossen", "geschlossene Verbindungen", "Verdauung vergessen"),
        ("数据库连接失败", "连接数据库", "图书馆今天关门"),
        ("call open_index_file", "openIndexFile is called", "close the other folder"),
    ],
)
def test_texts_that_share_words_or_parts_of_words_are_nearer(text, near, far):
    assert likeness(text, near) > likeness(text, far) + 0.1


def test_it_knows_no_synonyms():
    assert abs(likeness("automobile", "car")) < 0.2


def test_word_order_shows_a_little():
    assert 0.6 < likeness("dog bites man", "man bites dog") < 0.95


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(alphabet="abcdefghij", min_size=5, max_size=9), min_size=8, max_size=40, unique=True))
def test_texts_without_common_words_are_nearly_at_right_angles(words):
    half = len(words) // 2
    left = [w + "xq" for w in words[:half]]
    right = [w.translate(str.maketrans("abcdefghij", "klmnoprstu")) + "vz" for w in words[half:]]
    assert abs(likeness(" ".join(left), " ".join(right))) < 0.45


def test_the_same_text_has_the_same_vector_in_another_process():
    code = (
        "import asyncio, sys; from lamina.protocols import EmbedRequest;"
        "from lamina_embedder_hashing._hashing import HashingEmbedder;"
        "sys.stdout.write(bytes(asyncio.run(HashingEmbedder(64).embed(EmbedRequest(texts=['the port is 8417, 日本語'])))).hex())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == vectors("the port is 8417, 日本語", dimensions=64).tobytes().hex()


def test_many_texts_at_once_have_the_vectors_that_they_have_alone():
    texts = [f"text number {n} about {'port ' * n}" for n in range(200)]
    assert (vectors(*texts) == np.concatenate([vectors(text) for text in texts])).all()


def test_vectors_of_other_dimensions_have_another_fingerprint():
    assert HashingEmbedder(64).fingerprint != HashingEmbedder(128).fingerprint


def test_numpy_is_not_imported_before_it_is_opened():
    code = "import lamina_embedder_hashing, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("dimensions", [0, 15, 10_000])
def test_impossible_dimensions_are_refused(dimensions):
    with pytest.raises(ValueError, match="dimensions"):
        HashingSettings(dimensions=dimensions)
