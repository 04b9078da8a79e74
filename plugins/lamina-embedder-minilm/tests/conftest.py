"""A BERT so small that it is made in a moment; what it says means nothing, how it is computed is the same."""

import hashlib
import json
import string

import numpy as np
import pytest

from lamina_embedder_minilm import MiniLmSettings

SIZE, LAYERS, INNER, PLACES = 16, 2, 24, 40


def arrays(vocabulary, seed=0):
    draw = np.random.default_rng(seed)

    def some(*shape):
        return draw.normal(0, 0.3, shape).astype("<f4")

    made = {
        "embeddings.word_embeddings.weight": some(vocabulary, SIZE),
        "embeddings.position_embeddings.weight": some(PLACES, SIZE),
        "embeddings.token_type_embeddings.weight": some(2, SIZE),
    }
    shapes = {
        "attention.self.query": (SIZE, SIZE), "attention.self.key": (SIZE, SIZE), "attention.self.value": (SIZE, SIZE),
        "attention.output.dense": (SIZE, SIZE), "intermediate.dense": (INNER, SIZE), "output.dense": (SIZE, INNER),
    }  # fmt: skip
    for n in range(LAYERS):
        for name, shape in shapes.items():
            made[f"encoder.layer.{n}.{name}.weight"] = some(*shape)
            made[f"encoder.layer.{n}.{name}.bias"] = some(shape[0])
    norms = [f"encoder.layer.{n}.{name}.LayerNorm" for n in range(LAYERS) for name in ("attention.output", "output")]
    for name in ("embeddings.LayerNorm", *norms):
        made[f"{name}.weight"], made[f"{name}.bias"] = 1 + some(SIZE), some(SIZE)
    return made


def safetensors(made):
    header, at = {}, 0
    for name, array in made.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + b"".join(a.tobytes() for a in made.values())


def tokenizer():
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing

    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation, *"数据库连接失败好一の"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    made = Tokenizer(WordPiece({w: n for n, w in enumerate(vocabulary)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    made.post_processor = TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return made


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A folder with a model."""
    folder = tmp_path_factory.mktemp("model")
    made = tokenizer()
    made.save(str(folder / "tokenizer.json"))
    (folder / "model.safetensors").write_bytes(safetensors(arrays(made.get_vocab_size())))
    config = {
        "hidden_size": SIZE, "max_position_embeddings": PLACES, "num_attention_heads": 4, "num_hidden_layers": LAYERS,
        "layer_norm_eps": 1e-12,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def settings(model):
    sha256 = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    return MiniLmSettings(folder=str(model), sha256=sha256)
