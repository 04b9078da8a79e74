import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.model import Message, Text, ToolCall, ToolResult, user
from lamina.protocols import CompressRequest
from lamina.testing.pages import count_words, page, tool_page
from lamina_compressor_mask import MaskCompressor, MaskSettings


def text_of(tokens):
    """So many tokens as the tests count them: one for four bytes."""
    return "abc\n" * tokens


def offers(*pages, min_tokens=50, targets=(100,)):
    request = CompressRequest(pages=pages, resident=(), targets=targets, count=count_words, session="s")
    return asyncio.run(MaskCompressor(MaskSettings(min_tokens=min_tokens)).compress(request))


def test_a_placeholder_names_the_tool_the_size_and_the_page():
    [offer] = offers(tool_page(12, ("Read", '{"path": "a"}', text_of(1234))))
    assert offer.texts == {(1, 0): "[result of Read cleared, 1,234 tokens; expand 12]"}


def test_a_result_without_its_call_is_one_of_a_tool():
    [offer] = offers(page(3, Message("tool", (ToolResult("lost", text_of(99)),))))
    assert offer.texts == {(0, 0): "[result of a tool cleared, 99 tokens; expand 3]"}


def test_each_result_is_named_after_its_own_call():
    uses = [(name, "{}", text_of(60)) for name in ("Read", "Grep", "Run")]
    [offer] = offers(tool_page(1, *uses))
    assert [text.split()[2] for text in offer.texts.values()] == ["Read", "Grep", "Run"]


@given(min_tokens=st.integers(0, 300), sizes=st.lists(st.integers(0, 400), min_size=1, max_size=6))
def test_results_of_at_least_min_tokens_are_masked_where_that_saves_some(min_tokens, sizes):
    made = offers(tool_page(7, *(("Run", "{}", text_of(size)) for size in sizes)), min_tokens=min_tokens)
    masked = {key for offer in made for key in offer.texts}
    lines = (f"[result of Run cleared, {size:,} tokens; expand 7]" for size in sizes)
    costs = count_words(list(lines))
    assert masked == {(i + 1, 0) for i, size in enumerate(sizes) if size >= min_tokens and size > costs[i]}


@pytest.mark.parametrize(("tokens", "masked"), [(49, 0), (50, 1), (51, 1)])
def test_the_boundary_is_min_tokens_itself(tokens, masked):
    assert len(offers(tool_page(1, ("Run", "{}", text_of(tokens))))) == masked


def test_calls_and_other_texts_stay():
    long = text_of(500)
    call = ToolCall("c", "Write", '{"content": "' + "x" * 2000 + '"}')
    made = page(5, Message("assistant", (Text(long), call)), Message("tool", (ToolResult("c", long),)))
    [offer] = offers(made)
    assert set(offer.texts) == {(1, 0)}
    assert offers(page(6, user(long))) == []


@pytest.mark.parametrize("targets", [[], [1], [10, 500, 10**9]])
def test_there_is_one_form_whatever_the_targets(targets):
    assert len(offers(tool_page(1, ("Run", "{}", text_of(90))), targets=targets)) == 1


def test_it_estimates_what_is_still_shown_by_tokens():
    made = tool_page(1, ("Run", "{}", text_of(300)), text=text_of(100))
    [offer] = offers(made)
    placeholder = sum(count_words([offer.texts[1, 0]]))
    assert offer.covers == pytest.approx((made.tokens - 300 + placeholder) / made.tokens)


def test_a_negative_min_tokens_is_refused():
    with pytest.raises(ValueError, match="min_tokens"):
        MaskSettings(min_tokens=-1)
