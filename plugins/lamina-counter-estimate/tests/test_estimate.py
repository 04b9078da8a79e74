"""The estimate is compared with the real vocabularies, where tiktoken and a vocabulary are installed."""

import os
import string
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lamina.protocols import CountRequest
from lamina.testing.pages import texts
from lamina_counter_estimate._counter import _SPLIT, RUNS, EstimateCounter
from lamina_counter_estimate._tables import PAIRS

COUNTER = EstimateCounter()
WORDS = sorted(word for word in COUNTER._costs._fixed if word[0] != " ")

JOINTS = ("'s", "'re", "'", " ", "é", "€", "3", ".", "\n", "..", "S")
mixed = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.text(string.printable, max_size=40),
    st.text("'stdmlvreSA \n\t.é好0", max_size=30),
    st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(JOINTS)), max_size=12).map("".join),
    st.lists(st.tuples(st.sampled_from("-=*#_/. \n\ta1é"), st.integers(1, 100)), max_size=6).map(
        lambda runs: "".join(c * n for c, n in runs)
    ),
)


def estimate(text):
    return COUNTER.count(CountRequest(texts=[text]))[0]


@settings(max_examples=400, deadline=None)
@given(text=mixed)
@example(text="the'southern 'st 'll x'st don't")
@example(text="१2345१ caf\u00e9s na\u00efve")
def test_it_is_never_below_the_true_count(encoding, text):
    assert len(encoding.encode_ordinary(text)) <= estimate(text)


@pytest.mark.parametrize("kind", texts())
def test_it_is_never_below_the_true_count_of_a_long_text(encoding, kind):
    text = texts()[kind]
    true = len(encoding.encode_ordinary(text))
    assert true <= estimate(text) <= 6 * true + 8


def test_it_is_never_below_the_true_count_of_real_sessions(encoding):
    shared = Path(os.environ.get("LAMINA_SHARED", Path(__file__).parents[4] / "shared"))
    folder = shared / "data" / "claude_code"
    if not folder.is_dir():
        pytest.skip(f"no sessions at {folder}")
    sessions = [file for file in sorted(folder.rglob("*.jsonl")) if "heldout" not in file.parts]
    lines = [line for file in sessions for line in file.read_text("utf-8").splitlines()][::5]
    true, estimates = 0, 0
    for line in lines:
        true += (one := len(encoding.encode_ordinary(line)))
        estimates += (other := estimate(line))
        assert one <= other
    assert estimates < 2 * true


def test_each_listed_word_is_one_token(encoding):
    ranks = encoding._mergeable_ranks
    assert [w for w in WORDS if w.encode() not in ranks or f" {w}".encode() not in ranks] == []


def test_each_listed_pair_merges(encoding):
    pairs = [after[0] + b for after in PAIRS.split() for b in after[1:]]
    assert [pair for pair in pairs if pair.encode() not in encoding._mergeable_ranks] == []
    assert all(f" {c}".encode() in encoding._mergeable_ranks for c in string.ascii_letters)


def test_each_run_up_to_its_length_is_a_token(encoding):
    for c, longest in RUNS.items():
        assert [n for n in range(1, longest + 1) if (c * n).encode() not in encoding._mergeable_ranks] == []


@given(text=st.text())
def test_no_character_is_left_out(text):
    assert "".join(_SPLIT.findall(text)) == text
