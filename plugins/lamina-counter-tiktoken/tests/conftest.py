"""What is true, by tiktoken's own loader and definitions: nothing of the plugin's but the bytes that it found."""

import pytest

from lamina_counter_tiktoken import TiktokenSettings
from lamina_counter_tiktoken._vocabulary import find


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Gives tiktoken's encoding of a name, read from a file that holds what the plugin found."""
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe
    from tiktoken_ext import openai_public

    folder, kept = tmp_path_factory.mktemp("vocabularies"), {}

    def encoding(name):
        if name not in kept:
            file = folder / name
            file.write_bytes(find(TiktokenSettings(encoding=name), None))
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("TIKTOKEN_CACHE_DIR", "")  # or the loader keeps a copy
                patch.setattr(
                    openai_public,
                    "load_tiktoken_bpe",
                    lambda url, expected_hash: load_tiktoken_bpe(str(file), expected_hash),
                )
                kept[name] = tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[name]())
        return kept[name]

    return encoding
