"""The conformance suite of counters."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.model import Image
from lamina.protocols import Counter, CountRequest, ImagesRequest, RequestCounter, ToolSpec, ToolsRequest
from lamina.testing.suite import Suite

OpenCounter = Callable[[], AbstractAsyncContextManager[Counter]]

_nasty = st.one_of(
    st.text(st.characters(), max_size=60),  # surrogates included
    st.text("aA1 \n\t\r.'’éß好の😀\u0301\u200d\x00\x1c\ufffd", max_size=80),
    st.builds(lambda piece, n: piece * n, st.text(max_size=4), st.integers(1, 400)),
    st.lists(
        st.sampled_from([" the", "foo_bar(", "<|endoftext|>", "don't", "0x1F", "  \n", "数据", "é"]), max_size=30
    ).map("".join),
)
_quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


_PIXEL = "R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="
_IMAGES = (
    Image("image/gif", _PIXEL),
    Image("url", "https://example.org/picture.png"),
    Image("url", f"data:image/gif;base64,{_PIXEL}"),
    Image("image/png", "no base64!"),
    Image("image/x-unknown", ""),
)
_TOOLS = (
    ToolSpec("now", "", {"type": "object", "properties": {}}),
    ToolSpec(
        "find", "Find a thing.", {"type": "object", "properties": {"what": {"type": "string", "enum": ["a", "b"]}}}
    ),
    ToolSpec("odd", "数据 <|endoftext|>", {"properties": {"a": True, "b": {"type": ["string", "null"], "items": {}}}}),
    ToolSpec("bare", "has no schema", {}),
)


class CounterSuite(Suite):
    """What every counter holds. Give ``strategy`` and the fixture ``open_counter``.

    A counter that is a ``RequestCounter`` is asked for images and tools as well.

    ``open_counter`` is a factory without arguments that gives an async context manager. The fixture ``oracle`` may be
    overridden by a function from a text to its true count, which must share no code with the counter.
    """

    @pytest.fixture
    def open_counter(self) -> OpenCounter:
        raise NotImplementedError("give the fixture open_counter")

    @pytest.fixture
    def oracle(self) -> Callable[[str], int] | None:
        return None

    @pytest.fixture
    def counter(self, open_counter: OpenCounter) -> Any:
        runner = asyncio.Runner()
        with runner:
            manager = open_counter()
            part = runner.run(manager.__aenter__())
            yield part
            runner.run(manager.__aexit__(None, None, None))

    @staticmethod
    def counts(counter: Counter, texts: Sequence[str]) -> list[int]:
        return list(counter.count(CountRequest(texts=texts)))

    def test_it_satisfies_the_protocol(self, counter: Counter) -> None:
        assert isinstance(counter, Counter)

    def test_its_info_states_a_bound_and_a_name(self, counter: Counter) -> None:
        info = counter.info
        assert math.isfinite(info.bound)
        assert info.bound >= 1
        assert info.bound == 1 or not info.exact
        assert info.fingerprint.strip()
        assert min(info.message_tokens, info.call_tokens, info.image_tokens) >= 0

    def test_its_info_stays_the_same(self, counter: Counter) -> None:
        before = counter.info
        self.counts(counter, ["one", "two"])
        assert counter.info == before

    def test_no_texts_have_no_counts(self, counter: Counter) -> None:
        assert self.counts(counter, []) == []

    def test_the_empty_text_costs_nothing(self, counter: Counter) -> None:
        assert self.counts(counter, ["", "word", ""])[::2] == [0, 0]

    @_quick
    @given(texts=st.lists(_nasty, max_size=6))
    @example(texts=["\ud800", "a b"])
    def test_there_is_one_count_per_text_and_it_is_a_natural_number(self, counter: Counter, texts: list[str]) -> None:
        texts = [*texts]  # an example's list is the same object at every run
        counts = self.counts(counter, texts)
        assert len(counts) == len(texts)
        assert all(type(n) is int and n >= 0 for n in counts)

    @_quick
    @given(text=_nasty.filter(bool))
    @example(text=" ")
    @example(text="\ud800")
    def test_a_text_that_says_something_costs_something(self, counter: Counter, text: str) -> None:
        assert self.counts(counter, [text])[0] > 0

    @_quick
    @given(texts=st.lists(_nasty, max_size=6))
    @example(texts=["\ud800", "a b"])
    def test_the_same_text_always_has_the_same_count(self, counter: Counter, texts: list[str]) -> None:
        texts = [*texts]  # an example's list is the same object at every run
        assert self.counts(counter, texts) == self.counts(counter, texts)

    @_quick
    @given(texts=st.lists(_nasty, max_size=6))
    @example(texts=["\ud800", "a b"])
    @example(texts=["a", "b b b b b b b b b", "a", ""])
    def test_a_batch_counts_as_its_texts_do_alone(self, counter: Counter, texts: list[str]) -> None:
        texts = [*texts]  # an example's list is the same object at every run
        assert self.counts(counter, texts) == [self.counts(counter, [text])[0] for text in texts]

    def test_special_token_strings_count_as_ordinary_text(self, counter: Counter) -> None:
        for special in ("<|endoftext|>", "<|im_start|>", "<|fim_prefix|>", "<|endofprompt|>"):
            [whole, inside] = self.counts(counter, [special, f"see {special} here"])
            assert whole >= 3  # a special token would be 1
            assert inside >= 5

    def test_a_lone_surrogate_counts_as_the_replacement_character(self, counter: Counter) -> None:
        for text in ("\ud800", "a\udfffb", "\udc00\ud800", "\ud83d" * 50):
            replaced = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
            [count, other] = self.counts(counter, [text, replaced])
            assert count == other

    def test_a_long_run_is_counted(self, counter: Counter) -> None:
        """No tokenizer needs more tokens than bytes; and none may fail, or take for ever, on a run."""
        for piece in ("a", " ", "\n", "=", "好", "\u0301", "😀", "ab ", "\r\n", "\t", "\xa0"):
            run = piece * 20_000
            [count, led] = self.counts(counter, [run, run + "x"])
            assert 0 < count <= len(run.encode()) + 8
            assert 0 < led <= len(run.encode()) + 9

    @_quick
    @given(text=_nasty)
    @example(text="<|endoftext|>")
    @example(text=" " * 40)
    @example(text="\ud800")
    def test_its_counts_keep_the_stated_bound(
        self, counter: Counter, oracle: Callable[[str], int] | None, text: str
    ) -> None:
        """The true count is never above the count, which is at most ``bound`` times it plus 8."""
        if oracle is None:
            pytest.skip("no oracle given")
        true, [count] = oracle(text), self.counts(counter, [text])
        assert true <= count <= counter.info.bound * true + (0 if counter.info.exact else 8)

    def test_the_request_is_left_as_it_was(self, counter: Counter) -> None:
        texts = ["b", "a", ""]
        self.counts(counter, texts)
        assert texts == ["b", "a", ""]

    def test_images_count_one_by_one(self, counter: Counter) -> None:
        """Readable or not, each has its own count, which never changes."""
        if not isinstance(counter, RequestCounter):
            pytest.skip("it counts texts only")
        counts = list(counter.images(ImagesRequest(images=_IMAGES)))
        assert all(type(n) is int and n >= 0 for n in counts)
        assert counts == [n for image in _IMAGES for n in counter.images(ImagesRequest(images=(image,)))]
        assert list(counter.images(ImagesRequest(images=()))) == []

    def test_more_tools_cost_more(self, counter: Counter) -> None:
        """Whatever their schemas say; and the same tools always the same."""
        if not isinstance(counter, RequestCounter):
            pytest.skip("it counts texts only")
        counts = [counter.tools(ToolsRequest(tools=_TOOLS[: n + 1])) for n in range(len(_TOOLS))]
        assert all(type(n) is int and n > 0 for n in counts)
        assert counts == sorted(set(counts))
        assert counter.tools(ToolsRequest(tools=_TOOLS)) == counts[-1]
