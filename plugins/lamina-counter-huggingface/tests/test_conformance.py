from functools import partial

import pytest
from tokenizers import Tokenizer

from lamina.testing import CounterSuite, LoneHost
from lamina_counter_huggingface import HuggingfaceSettings, open_huggingface


class TestHuggingface(CounterSuite):
    strategy = "huggingface"

    @pytest.fixture
    def open_counter(self, tmp_path, save, byte_level):
        return partial(open_huggingface, HuggingfaceSettings(save(byte_level)), LoneHost(tmp_path))

    @pytest.fixture
    def oracle(self, byte_level):
        """The same vocabulary in a tokenizer that has nothing else: no special tokens, no template."""
        import json

        data = json.loads(byte_level.to_str())
        data.update(added_tokens=[], post_processor=None, truncation=None, padding=None)
        plain = Tokenizer.from_str(json.dumps(data))
        return lambda text: len(plain.encode("".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)))
