import asyncio
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import IntegrityError
from lamina.protocols import CountRequest
from lamina.testing import LoneHost
from lamina.testing.pages import texts
from lamina_counter_splintr import SplintrSettings, _check, open_splintr
from lamina_counter_splintr._check import PROBES, check
from lamina_counter_splintr._counter import SplintrCounter, load

ENCODINGS = ["cl100k_base", "o200k_base"]


@pytest.fixture(scope="module", params=ENCODINGS)
def tokenizer(request):
    return load(request.param), request.param


@pytest.fixture(scope="module")
def counter(tokenizer):
    return SplintrCounter(*tokenizer)


def count(counter, text):
    return counter.count(CountRequest(texts=[text]))[0]


def true_count(true, counter, text):
    return len(true(counter.encoding).encode_ordinary(text))


@pytest.mark.parametrize("kind", texts())
def test_it_counts_as_tiktoken_does(kind, counter, true):
    assert count(counter, texts()[kind]) == true_count(true, counter, texts()[kind])


@pytest.mark.parametrize("kind", ["a", " ", "\n", "=", "好", "\u0301", "😀", "\xa0", "\r\n", "1", "'s"])
def test_a_long_run_counts_as_tiktoken_counts_it(kind, counter, true):
    run = kind * (100_000 // len(kind.encode()))
    assert count(counter, run + "x") == true_count(true, counter, run + "x")


@pytest.mark.parametrize("tokenizer", ["cl100k_base"], indirect=True)
def test_a_megabyte_of_one_character_is_counted(counter):
    for piece in "a ":
        assert 0 < count(counter, piece * 1_000_000) < 200_000


# Characters of every kind that the patterns tell apart, and of every age.
_characters = st.one_of(
    st.sampled_from("'sStTrReElLvVmMdDſK \n\r\t\x0b\x85\xa0\u2003\u3000\u200b٠²½Ⅷǅʰªิ/\u088f\u0bfa\uabdd<|>"),
    st.characters(),
)


@settings(max_examples=100, deadline=None)
@given(st.text(_characters, max_size=60))
def test_difficult_characters_count_as_tiktoken_counts_them(counter, true, text):
    assert count(counter, text) == true_count(true, counter, text)


def test_each_special_token_of_splintr_counts_as_ordinary_text(tokenizer, true):
    counter = SplintrCounter(*tokenizer)
    for name in tokenizer[0].special_tokens():
        assert count(counter, f"a {name} b") == true_count(true, counter, f"a {name} b")


def test_a_pair_of_surrogates_counts_as_its_character(counter):
    assert count(counter, "x \ud83d\ude00 y") == count(counter, "x 😀 y")


def test_the_recorded_probes_are_what_tiktoken_counts(true):
    for text, *counts in PROBES:
        assert [len(true(name).encode_ordinary(text)) for name in ENCODINGS] == counts


@pytest.mark.parametrize("tokenizer", ["cl100k_base"], indirect=True)
class TestTheCheck:
    def test_a_passed_check_is_noted_and_not_made_again(self, tokenizer, tmp_path, monkeypatch):
        pytest.importorskip("tiktoken")
        counter, stamp = SplintrCounter(*tokenizer), tmp_path / "stamp"
        check(counter, tokenizer[0], stamp)
        assert stamp.read_text().startswith(f"{counter.info.fingerprint} = tiktoken ")
        monkeypatch.setattr(_check, "_cross", None)
        check(counter, tokenizer[0], stamp)

    def test_a_home_that_cannot_be_written_is_no_error(self, counter, tmp_path, monkeypatch):
        monkeypatch.setattr(_check, "_cross", lambda *args: None)
        check(counter, None, tmp_path / "no folder" / "stamp")

    def test_without_tiktoken_the_probes_are_enough(self, counter, tmp_path, monkeypatch):
        def absent(name):
            raise _check.PackageNotFoundError(name)

        monkeypatch.setattr(_check, "version", absent)
        check(counter, None, tmp_path / "stamp")
        assert not (tmp_path / "stamp").exists()

    def test_other_counts_are_refused_with_both_versions(self, counter, tmp_path, monkeypatch):
        monkeypatch.setattr(_check, "PROBES", (*PROBES, ("hello world", 3, 3)))
        with pytest.raises(IntegrityError, match=r"splintr \d.*counts 2 tokens in 'hello world' where tiktoken 0\.14"):
            check(counter, None, tmp_path / "stamp")

    def test_another_vocabulary_is_refused(self, tokenizer, tmp_path, monkeypatch):
        pytest.importorskip("tiktoken")
        counter = SplintrCounter(*tokenizer)
        monkeypatch.setitem(_check.VOCABULARIES, counter.encoding, (200, _check.VOCABULARIES[counter.encoding][1]))
        with pytest.raises(IntegrityError, match="another vocabulary than the published"):
            check(counter, tokenizer[0], tmp_path / "stamp")
        assert not (tmp_path / "stamp").exists()

    def test_another_pattern_than_tiktokens_is_found(self, tokenizer, tmp_path, monkeypatch):
        pytest.importorskip("tiktoken")
        counter = SplintrCounter(*tokenizer)
        monkeypatch.setitem(_check.PATTERNS, counter.encoding, r"\p{L}+|\p{N}|[^\p{L}\p{N}]")
        with pytest.raises(IntegrityError, match="where tiktoken"):
            check(counter, tokenizer[0], tmp_path / "stamp")


def test_importing_the_plugin_imports_no_tokenizer():
    code = "import sys, lamina_counter_splintr; print({'splintr', 'tiktoken'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_opened_counter_says_what_it_is(home):
    async def go():
        async with open_splintr(SplintrSettings(), LoneHost(home)) as counter:
            return counter.info

    info = asyncio.run(go())
    assert info.exact
    assert info.fingerprint.startswith("splintr ")
    assert (info.message_tokens, info.call_tokens) == (4, 4)
