"""The conformance suite of extractors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pytest
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.model import Draft, Message, Page, ToolCall, assistant, tool_result, user
from lamina.protocols import Extractor, ExtractRequest, everything
from lamina.testing.suite import Suite

OpenExtractor = Callable[[], AbstractAsyncContextManager[Extractor]]

few = settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))

SESSION = "talk / with #odd% name"

_texts = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["Always use tabs, never spaces.", "We chose port 8417 because 8080 is taken.", "immer deutsch", "不要推送", "\0", "x" * 5000]
    ),
)  # fmt: skip


def _call(said: str, command: str, result: str, error: bool) -> list[Message]:
    arguments = {"command": command}
    return [assistant(said, ToolCall("c", "bash", arguments)), tool_result("c", result, error=error)]


def pages_of(conversation: Sequence[Message], first: int = 1) -> list[Page]:
    """The pages of a conversation, a call with its result each."""
    pages: list[Page] = []
    for message in conversation:
        if message.role == "tool" and pages:
            pages[-1] = evolve(pages[-1], messages=(*pages[-1].messages, message))
        else:
            pages.append(Page(first + len(pages), (message,), ()))
    return pages


turns = st.one_of(
    st.builds(lambda text: [user(text)], _texts),
    st.builds(lambda text: [assistant(text)], _texts),
    st.builds(
        _call, _texts, st.sampled_from(["pytest -q", "make", "ls"]), st.sampled_from(["3 passed", "error: no", ""]), st.booleans()
    ),
)  # fmt: skip
conversations = st.lists(turns, max_size=8).map(lambda said: [message for turn in said for message in turn])


class ExtractorSuite(Suite):
    """What every extractor must hold.

    Give a fixture ``open_extractor``: ``async with open_extractor() as extractor``, and in ``telling`` a conversation from
    which it draws something.
    """

    telling: ClassVar[tuple[Message, ...]] = ()

    @pytest.fixture
    def open_extractor(self) -> OpenExtractor:
        raise NotImplementedError("give the fixture open_extractor")

    def extract(
        self, open_extractor: OpenExtractor, *pieces: Sequence[Page], earlier: Sequence[Page] = ()
    ) -> list[list[Draft]]:
        """What a fresh extractor draws from each piece, shown one after another."""

        async def act() -> list[list[Draft]]:
            async with open_extractor() as part:
                out = []
                for pages in pieces:
                    request = ExtractRequest(
                        session=SESSION, pages=list(pages), earlier=list(earlier),
                        passages=lambda page: everything(page) if page.role == "user" else (),
                    )  # fmt: skip
                    out.append(list(await part.extract(request)))
                return out

        return asyncio.run(act())

    def test_from_nothing_nothing_is_drawn(self, open_extractor: OpenExtractor) -> None:
        assert self.extract(open_extractor, []) == [[]]

    def test_from_what_tells_something_is_drawn(self, open_extractor: OpenExtractor) -> None:
        assert self.extract(open_extractor, pages_of(self.telling))[0]

    @few
    @given(said=conversations)
    @example(said=[])
    def test_what_is_drawn_is_a_memory_that_names_its_pages(
        self, open_extractor: OpenExtractor, said: list[Message]
    ) -> None:
        pages = pages_of([*self.telling, *said])
        sources = {f"{SESSION}#{page.id}" for page in pages}
        for draft in self.extract(open_extractor, pages)[0]:
            assert isinstance(draft, Draft)
            assert draft.text.strip()
            assert 0 <= draft.importance <= 1
            assert draft.provenance
            assert set(draft.provenance) <= sources

    @few
    @given(said=conversations)
    def test_the_same_pages_give_the_same(self, open_extractor: OpenExtractor, said: list[Message]) -> None:
        pages = pages_of([*self.telling, *said])
        first, second = self.extract(open_extractor, pages, pages)
        assert first == second == self.extract(open_extractor, pages)[0]

    def test_what_was_looked_at_before_is_not_drawn_from_again(self, open_extractor: OpenExtractor) -> None:
        told = pages_of(self.telling)
        new = pages_of([user("Thank you.")], first=len(told) + 1)
        sources = {f"{SESSION}#{page.id}" for page in new}
        for draft in self.extract(open_extractor, new, earlier=told)[0]:
            assert sources & set(draft.provenance)

    def test_nothing_is_drawn_twice_from_one_piece(self, open_extractor: OpenExtractor) -> None:
        drawn = self.extract(open_extractor, pages_of([*self.telling, *self.telling]))[0]
        assert len({draft.text for draft in drawn}) == len(drawn)
