"""What acme-firstlines promises beyond the contract: the same number of first lines of every long text."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from lamina.protocols import CompressRequest
from lamina.testing.pages import count_words, tool_page

from lamina_acme._compressor import FirstLinesCompressor


def numbered(n_lines):
    return "\n".join(f"line {n} of a result that goes on and on" for n in range(1, n_lines + 1))


def offers(page, *targets, min_lines=3):
    request = CompressRequest(pages=[page], resident=(), targets=targets, count=count_words)
    return asyncio.run(FirstLinesCompressor(min_lines).compress(request))


def test_a_result_keeps_its_first_lines_and_says_how_many_are_missing():
    [offer] = offers(tool_page(7, ("Read", "{}", numbered(100))), 1)
    assert offer.texts == {(1, 0): f"{numbered(3)}\n[… 97 more lines on page 7; expand 7 …]"}


def test_parallel_results_keep_the_same_number_of_lines_and_short_ones_stay_whole():
    page = tool_page(7, *(("Read", "{}", numbered(n)) for n in (80, 2, 200)))
    [offer] = offers(page, page.tokens // 2)
    kept = [text.count("\n") for text in offer.texts.values()]
    assert sorted(offer.texts) == [(1, 0), (3, 0)]
    assert kept[0] == kept[1] > 20


def test_a_page_without_long_texts_has_no_offers():
    assert offers(tool_page(7, ("Read", "{}", numbered(3)), text="x" * 9000), 10) == []


@given(n_lines=st.integers(4, 300), target=st.integers(1, 4000), min_lines=st.integers(1, 5))
def test_one_line_more_would_not_fit(n_lines, target, min_lines):
    page = tool_page(7, ("Read", "{}", numbered(n_lines)))
    for offer in offers(page, target, min_lines=min_lines):
        kept = offer.texts[1, 0].count("\n")
        assert kept >= min_lines
        more = f"{numbered(kept + 1)}\n[… {n_lines - kept - 1} more lines on page 7; expand 7 …]"
        rest = page.tokens - sum(count_words([numbered(n_lines)]))
        assert rest + sum(count_words([more])) > target or kept + 1 == n_lines
