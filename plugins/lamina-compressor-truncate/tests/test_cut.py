"""Where texts are cut, and what stands for what is left out."""

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lamina.testing.pages import count_words, texts
from lamina_compressor_truncate._cut import cut, head_end, remark, tail_start

REMARK = re.compile(r"\[… ([\d,]+) tokens of page 12 left out; expand 12 …\]")

clusters = [
    "e\u0301",
    "o\u0302\u0323",
    "👍🏽",
    "👩‍👩‍👧‍👦",
    "🇩🇪",
    "🇫🇷",
    "\r\n",
    "❤\ufe0f",
    "1\ufe0f\u20e3",
    "की",
    "कि",
    "क्षि",
    "กำ",
    "ｶﾞ",
    "각",
    "\u1100\u1161\u11a8",
    "\u1100\uac00\u11a8",
    "\u0600١",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
]
"""What is read as one character, in more than one code point."""

nasty = st.one_of(
    st.lists(st.one_of(st.sampled_from(clusters), st.sampled_from([*"ab好 \n😀"])), max_size=20).map("".join),
    st.text("ab \n\r\u0301\u200d\ufe0f👩🏽🇩🇪", max_size=40),
    st.text(st.characters(exclude_categories=["Cn"]), max_size=30),
)


def characters(text):
    """Places between what is read as one character, by an implementation of Unicode's own rules."""
    regex = pytest.importorskip("regex", reason="regex is not installed")
    return {0, *(match.end() for match in regex.finditer(r"\X", text))}


@given(text=nasty, wanted=st.integers(-3, 60))
@example(text="🇩🇪🇫🇷🇩🇪", wanted=3)
@example(text="a\u0301" * 9, wanted=3)
def test_a_head_ends_between_characters_and_is_not_too_long(text, wanted):
    end = head_end(text, wanted)
    assert 0 <= end <= max(0, wanted)
    assert end in characters(text)


@given(text=nasty, wanted=st.integers(-3, 60))
@example(text="🇩🇪🇫🇷🇩🇪", wanted=3)
@example(text="a\u0301" * 9, wanted=3)
def test_a_tail_begins_between_characters_and_is_not_too_long(text, wanted):
    start = tail_start(text, wanted)
    assert len(text) - max(0, wanted) <= start <= len(text)
    assert start in characters(text)


@pytest.mark.parametrize("cluster", clusters)
def test_no_cut_is_within_what_is_read_as_one_character(cluster):
    for wanted in range(1, len(cluster) + 1):
        assert head_end(f"a{cluster}b", wanted) == 1
        assert tail_start(f"a{cluster}b", wanted) == 1 + len(cluster)


def test_cuts_are_at_lines_where_one_ends_near():
    text = "".join(f"line {i:03}\n" for i in range(100))  # 9 characters each
    assert text[: head_end(text, 100)].endswith("line 010\n")
    assert text[tail_start(text, 100) :].startswith("line 089\n")


def test_cuts_are_between_words_where_no_line_ends_near():
    text = "word " * 100
    assert text[: head_end(text, 102)] == ("word " * 20).rstrip()
    assert text[tail_start(text, 102) :] == "word " * 20


@given(text=nasty.filter(bool), times=st.integers(5, 60), limit=st.integers(1, 200), share=st.floats(0, 1))
def test_what_is_kept_is_the_head_and_the_tail_and_the_remark_says_the_rest(text, times, limit, share):
    text *= times
    assume(not REMARK.search(text))
    size = sum(count_words([text]))
    assume(size > limit)
    made, tokens = cut(text, size, limit, share, 12, count_words)
    assert tokens == sum(count_words([made]))
    found = REMARK.search(made)
    head, tail = made[: found.start()], made[found.end() :].removeprefix("\n")
    assert tokens <= limit or not head + tail
    assert text.endswith(tail)
    # The line feed before the remark may be the text's own.
    kept = [h for h in {head, head.removesuffix("\n")} if text.startswith(h)]
    assert any(len(h) + len(tail) < len(text) for h in kept)
    left = {max(1, size - sum(count_words([h, tail]))) for h in kept}
    assert int(found.group(1).replace(",", "")) in left


def test_a_remark_has_the_page_and_the_tokens():
    assert remark(12, 1234) == "[… 1,234 tokens of page 12 left out; expand 12 …]"


@pytest.mark.parametrize("share", [0, 0.25, 0.6, 1])
def test_the_head_gets_its_share_of_what_is_kept(share):
    text = "x" * 8000
    made, _ = cut(text, 2000, 300, share, 12, count_words)
    head, tail = (len(part.strip("\n")) for part in re.split(REMARK.pattern.replace("([", "(?:["), made))
    assert head + tail > 1000
    assert head == pytest.approx(share * (head + tail), abs=2)


@pytest.mark.parametrize("kind", texts())
def test_the_whole_text_is_never_counted_again(kind):
    text = texts()[kind]
    size = sum(count_words([text]))
    counted = []

    def count(given):
        counted.extend(given)
        return count_words(given)

    _, tokens = cut(text, size, size // 8, 0.6, 12, count)
    assert tokens <= size // 8
    assert max(map(len, counted)) < len(text) / 2
    assert len(counted) <= 1 + 10 * 3 + 1


def test_where_not_even_the_remark_fits_it_stands_alone():
    text = "x" * 4000
    assert cut(text, 1000, 3, 0.6, 12, count_words)[0] == remark(12, 1000)
