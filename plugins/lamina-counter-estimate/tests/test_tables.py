"""What the tool builds from the vocabularies is what is shipped."""

from pathlib import Path

import pytest

import lamina_counter_estimate
from lamina_counter_estimate import _tables

PACKAGE = Path(lamina_counter_estimate.__file__).parent


def code_points(ranges):
    spans = (span.partition("-") for span in ranges.split())
    return [n for first, _, last in spans for n in range(int(first, 16), int(last or first, 16) + 1)]


def test_the_shipped_tables_are_what_the_vocabularies_give(build_tables, encodings):
    assert build_tables.tables_text(encodings) == (PACKAGE / "_tables.py").read_text("utf-8")


@pytest.mark.slow
def test_the_shipped_words_are_what_the_vocabularies_give(build_tables, encodings):
    assert build_tables.words_text(encodings) == (PACKAGE / "words.txt").read_text("utf-8")


def test_a_damaged_vocabulary_is_refused(build_tables):
    pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    with pytest.raises(ValueError, match="cl100k_base"):
        build_tables.encoding("cl100k_base", b"IQ== 0\n")


def test_ranges_are_read_as_they_were_written(build_tables):
    numbers = code_points(_tables.ONE)
    assert build_tables.ranges(numbers) == " ".join(_tables.ONE.split())
    assert build_tables.ranges([1, 2, 3, 9, 16, 17]) == "1-3 9 10-11"


@pytest.mark.parametrize("around", ["{}", "a{}", "é{}", "{}é", "好{}好", "{0}{0}", "\u0301{}b", "\u4e00{}\u0430"])
def test_a_character_of_the_table_adds_at_most_one_token(encoding, around):
    """Beside any neighbour: what is one token wherever it stands costs one more than its neighbours do at most."""
    count = lambda text: len(encoding.encode_ordinary(text))  # noqa: E731
    alone = sum(count(c) for c in around.replace("{0}", "{}").replace("{}", ""))
    for point in code_points(_tables.ONE):
        assert count(around.format(chr(point))) <= alone + around.count("{")


def test_a_character_of_the_blocks_of_two_has_at_most_two_tokens(encoding):
    for block in code_points(_tables.TWO):
        for point in range(block * 64, block * 64 + 64):
            if not 0xD800 <= point < 0xE000 and point >= 0x800:
                assert len(encoding.encode_ordinary(chr(point))) <= 2
