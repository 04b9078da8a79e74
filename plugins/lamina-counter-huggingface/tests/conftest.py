"""Tiny tokenizers, built here."""

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = ["the port server reads configuration from disk before opening a connection and retries twice"] * 3


@pytest.fixture(scope="session")
def byte_level():
    """Byte-level BPE with special tokens, a template, truncation and padding, as a model's file may have them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|im_start|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A <|endoftext|>", special_tokens=[("<|endoftext|>", 0), ("<|im_start|>", 1)]
    )
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=30)
    return tokenizer


@pytest.fixture(scope="session")
def words():
    """Words by white space, which is dropped; one added token that is not special."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "port": 1, "server": 2}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_tokens([AddedToken("<think>", special=False)])
    return tokenizer


@pytest.fixture
def save(tmp_path):
    """Writes a tokenizer's file."""

    def write(tokenizer, name="tokenizer.json"):
        tokenizer.save(str(tmp_path / name))
        return tmp_path / name

    return write
