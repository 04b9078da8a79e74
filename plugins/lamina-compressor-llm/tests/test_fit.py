"""Whatever a model says, what is offered keeps the contract."""

import json
import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lamina.kit.http import retry_after_s
from lamina.model import Message, Text, ToolCall, ToolResult
from lamina.rendering import unsound
from lamina.testing.pages import count_words, page
from lamina_compressor_llm import LlmSettings
from lamina_compressor_llm._api import UnusableError, read
from lamina_compressor_llm._fit import fit
from lamina_compressor_llm._prompt import checked, job_of, understand

from .conftest import size

SETTINGS = LlmSettings(url="http://x", model="m", min_tokens=50)
NASTY = st.text(
    st.one_of(
        st.sampled_from('\n\r\t \x00\x1b"{}[]`好e\u0301\u200d\ufe0f🇩🇪👩👍🏽\u0085\u2028'),
        st.characters(codec=None),
    ),
    max_size=400,
)
CALLS = (ToolCall("a", "Run", "{}"), ToolCall("b", "Run", "{}"))
PAGE = page(
    31,
    Message("assistant", (Text("Both at once."), *CALLS)),
    Message("tool", (ToolResult("a", "好的，完成 " * 300),)),
    Message("tool", (ToolResult("b", "all is well on line\n" * 100),)),
)
JOB = job_of(PAGE, count_words, SETTINGS)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(NASTY, NASTY).map(lambda pair: tuple(text * 3 for text in pair)),
    st.lists(st.integers(0, 2000), min_size=1, max_size=4),
)
@example(("x", "好" * 900), [1, 100, 300])
@example(("\u0301", "\ud83d"), [100])
@example(("word " * 300, "\n" * 50 + "x"), [60, 90])
def test_every_answer_becomes_sound_offers_or_none(texts, targets):
    try:
        clean = checked(texts, JOB)
    except UnusableError:
        return
    offers = list(fit(JOB, clean, targets, count_words))
    [least] = list(fit(JOB, clean, [1], count_words)) or [None]
    assert bool(offers) == (least is not None and min(targets) < PAGE.tokens)
    for offer in offers:
        assert unsound(PAGE, offer) is None
        assert size(PAGE, offer) < PAGE.tokens
        assert size(PAGE, offer) <= max(size(PAGE, least), *(t for t in targets if t < PAGE.tokens))
        assert all(re.match(r"\[page 31 in short.*expand 31", text) for text in offer.texts.values())
        assert 0 <= offer.covers <= 1


@settings(max_examples=60, deadline=None)
@given(st.one_of(NASTY, st.dictionaries(NASTY, st.one_of(NASTY, st.none(), st.integers())).map(json.dumps)))
@example('{"texts": ' * 5000)
@example('{"texts": {"1": ' + "9" * 5000 + "}}")
def test_no_answer_can_do_more_than_be_of_no_use(answer):
    try:
        texts = understand(answer, JOB)
    except UnusableError:
        return
    assert len(texts) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "text", "type", "usage", "input_tokens", "finish_reason"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["openai", "anthropic"]),
    JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40),
)
def test_no_response_can_do_more_than_be_of_no_use(api, body):
    answer = read(api, body)
    assert answer.unusable is not None or isinstance(answer.text, str)
    assert all(n is None or n > 0 for n in (answer.input_tokens, answer.output_tokens))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40) | st.floats().map(str) | st.datetimes().map(str))
@example("Thu, 99 Foo 20000 99:99:99 GMT")
def test_no_retry_after_can_do_more_than_say_nothing(header):
    seconds = retry_after_s(header, 1_000_000.0)
    assert seconds is None or 0 <= seconds < float("inf")
