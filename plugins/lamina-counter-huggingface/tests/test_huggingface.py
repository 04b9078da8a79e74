import asyncio
import subprocess
import sys

import pytest

from lamina.errors import ConfigError, IntegrityError
from lamina.protocols import CountRequest
from lamina.testing import LoneHost
from lamina.testing.pages import texts
from lamina_counter_huggingface import HuggingfaceSettings, open_huggingface


def opened(file, home):
    async def go():
        async with open_huggingface(HuggingfaceSettings(file), LoneHost(home)) as counter:
            return counter

    return asyncio.run(go())


def count(counter, text):
    return counter.count(CountRequest(texts=[text]))[0]


def test_special_tokens_are_neither_put_in_nor_found(save, byte_level, tmp_path):
    counter = opened(save(byte_level), tmp_path)
    assert byte_level.encode("the port").tokens[0] == "<|im_start|>"
    assert count(counter, "the port") == 2
    assert count(counter, "<|endoftext|>") == sum(count(counter, piece) for piece in ("<|", "endoftext", "|>"))


def test_truncation_and_padding_of_the_file_do_nothing(save, byte_level, tmp_path):
    counter = opened(save(byte_level), tmp_path)
    assert count(counter, "x") == 1
    assert count(counter, "x y z " * 100) >= 300


@pytest.mark.parametrize("kind", texts())
def test_all_bytes_of_a_text_are_counted(kind, save, byte_level, tmp_path):
    counter = opened(save(byte_level), tmp_path)
    assert len(texts()[kind].encode()) / 12 <= count(counter, texts()[kind]) <= len(texts()[kind].encode())


def test_what_the_tokenizer_drops_counts_one(save, words, tmp_path):
    counter = opened(save(words), tmp_path)
    assert [count(counter, text) for text in ("", "  \n ", "port", "a PORT server")] == [0, 1, 1, 3]


def test_added_tokens_that_are_not_special_are_found(save, words, tmp_path):
    assert count(opened(save(words), tmp_path), "port<think>server") == 3


def test_a_pair_of_surrogates_counts_as_its_character(save, byte_level, tmp_path):
    counter = opened(save(byte_level), tmp_path)
    assert count(counter, "\ud83d\ude00") == count(counter, "😀") == 4


def test_each_file_has_a_fingerprint_of_its_own(save, byte_level, words, tmp_path):
    made = [opened(save(t, name), tmp_path) for t, name in ((byte_level, "a"), (byte_level, "b"), (words, "c"))]
    first, same, other = (counter.info.fingerprint for counter in made)
    assert first == same != other


def test_a_relative_path_lies_in_the_home(save, words, tmp_path):
    save(words, "mine.json")
    assert count(opened("mine.json", tmp_path), "port") == 1


def test_a_missing_file_is_said_with_the_remedy(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.json cannot be read.*give the path of a tokenizer\.json"):
        opened("absent.json", tmp_path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        opened(".", tmp_path)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b'{"version": "1.0", "model": {"type": "BPE"', b"[]"])
def test_a_damaged_file_is_refused_by_name(data, tmp_path):
    (tmp_path / "bad.json").write_bytes(data)
    with pytest.raises(IntegrityError, match=r"bad\.json is no tokenizer\.json file, or damaged"):
        opened("bad.json", tmp_path)


def test_importing_the_plugin_imports_no_tokenizer():
    code = "import sys, lamina_counter_huggingface; print('tokenizers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
