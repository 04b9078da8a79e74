"""How a page's target is shared among its texts, and what becomes of arguments."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.model import Message, Reasoning, Text, user
from lamina.protocols import CompressRequest
from lamina.testing.pages import count_words, message_tokens, page, shorten, tool_page
from lamina_compressor_truncate import TruncateSettings
from lamina_compressor_truncate._truncate import TruncateCompressor, level

JSON_STRINGS = st.one_of(
    st.text(max_size=30),
    st.builds(
        lambda piece, n: piece * n, st.text('"\\/\n\t a好é👍🏽\x00\ud800', min_size=1, max_size=8), st.integers(1, 300)
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | JSON_STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def text_of(tokens):
    """So many tokens as the tests count them: one for four bytes."""
    return "abc\n" * tokens


def offers(*pages, targets=(100,), **given):
    request = CompressRequest(pages=pages, resident=(), targets=targets, count=count_words, session="s")
    return asyncio.run(TruncateCompressor(TruncateSettings(**given)).compress(request))


def size(page, offer):
    return sum(message_tokens(message) for message in shorten(page, offer.texts))


@given(sizes=st.lists(st.integers(0, 60), max_size=8), room=st.integers(-20, 500))
@example(sizes=[10, 10, 10], room=29)
@example(sizes=[], room=5)
def test_a_level_is_the_largest_at_which_all_fits(sizes, room):
    fitting = [n for n in range(max(sizes, default=0) + 1) if sum(min(s, n) for s in sizes) <= room]
    assert level(sizes, room) == max(fitting, default=0)


def test_small_results_stay_whole_and_large_ones_share_what_is_left():
    sizes = [10, 700, 20, 900, 60, 3000]
    made = tool_page(4, *(("Read", "{}", text_of(n)) for n in sizes))
    frames = made.tokens - sum(sizes)
    [offer] = offers(made, targets=[frames + 10 + 20 + 60 + 3 * 200])
    assert set(offer.texts) == {(2, 0), (4, 0), (6, 0)}
    assert all(180 <= n <= 200 for n in count_words(list(offer.texts.values())))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sizes=st.lists(st.integers(0, 1500), min_size=1, max_size=8),
    targets=st.lists(st.integers(1, 4000), min_size=1, max_size=4),
)
def test_an_offer_keeps_its_target_or_is_as_small_as_can_be(sizes, targets):
    made = tool_page(4, *(("Read", "{}", text_of(n)) for n in sizes))
    least = made.tokens - sum(max(0, n - 40) for n in sizes)
    given_ = offers(made, targets=targets)
    assert sorted({size(made, o) for o in given_}, reverse=True) == [size(made, o) for o in given_]
    assert len(given_) <= len(set(targets))
    for target in targets:
        if target < made.tokens and any(n > 40 for n in sizes):
            assert min(size(made, o) for o in given_) <= max(target, least)


def test_texts_of_few_tokens_stay_whole_even_for_a_target_of_one():
    made = tool_page(4, *(("Read", "{}", text_of(n)) for n in (39, 40, 41, 500)), text=text_of(30))
    [offer] = offers(made, targets=[1])
    assert set(offer.texts) == {(3, 0), (4, 0)}
    [offer] = offers(made, targets=[1], min_tokens=100)
    assert set(offer.texts) == {(4, 0)}
    assert sum(count_words(list(offer.texts.values()))) > 80


def test_a_page_below_all_targets_has_no_offers():
    made = page(1, user(text_of(200)))
    assert offers(made, targets=[made.tokens, made.tokens + 1]) == []
    assert len(offers(made, targets=[made.tokens - 1])) == 1


def test_reasoning_stays():
    made = page(1, Message("assistant", (Reasoning(text_of(500), "signed"), Text(text_of(500)))))
    [offer] = offers(made)
    assert set(offer.texts) == {(0, 1)}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    arguments=st.dictionaries(st.text(max_size=8), JSON, max_size=5), plain=st.booleans(), target=st.integers(1, 800)
)
@example(arguments={"content": "x" * 4000, "x" * 400: 1}, plain=True, target=100)
@example(arguments={"a": "\ud800" * 900, 'b"': ["é\n" * 900, {"c": "d:" * 300}]}, plain=True, target=60)
@example(arguments={"content": '": "' * 300}, plain=False, target=60)
def test_arguments_stay_json_and_only_their_long_strings_are_cut(arguments, plain, target):
    made = tool_page(12, ("Write", json.dumps(arguments, ensure_ascii=plain), "ok"))
    for offer in offers(made, targets=[target]):
        for key, text in offer.texts.items():
            assert key == (0, 0)
            assert_cut(arguments, json.loads(text))


def assert_cut(before, after):
    """The same but for strings that were cut."""
    assert type(before) is type(after)
    if isinstance(before, dict):
        assert list(before) == list(after)
        for key in before:
            assert_cut(before[key], after[key])
    elif isinstance(before, list):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            assert_cut(one, other)
    elif before != after:
        assert isinstance(before, str)
        assert " of page 12 left out; expand 12 …]" in after
        assert before.startswith(after[: after.index("[… ")].removesuffix("\n"))
        assert count_words([after]) < count_words([before])


def test_the_form_of_arguments_stays_where_nothing_was_cut():
    arguments = '{ "n" : 1.50, "e": "\\u00e9", "content": "' + "x" * 4000 + '"}'
    [offer] = offers(tool_page(1, ("Write", arguments, "ok")))
    assert offer.texts[0, 0].startswith('{ "n" : 1.50, "e": "\\u00e9", "content": "xxx')
    assert offer.texts[0, 0].endswith('xxx"}')


@pytest.mark.parametrize(
    "arguments", ['{"command": "' + "x" * 4000, "[1, 2]", '"' + "x" * 4000 + '"', "[" * 100_000, ""]
)
def test_what_is_no_json_object_is_left_alone(arguments):
    assert offers(tool_page(1, ("Run", arguments, "ok"))) == []


def test_numbers_and_keys_are_not_cut_and_the_results_give_more():
    numbers = json.dumps({"rows": list(range(1000)), "k" * 800: True})
    made = tool_page(1, ("Plot", numbers, text_of(2000)))
    target = made.tokens - 1500
    [offer] = offers(made, targets=[target])
    assert set(offer.texts) == {(1, 0)}
    assert size(made, offer) <= target


@pytest.mark.parametrize("wrong", [{"head_share": -0.1}, {"head_share": 1.1}, {"min_tokens": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TruncateSettings(**wrong)
