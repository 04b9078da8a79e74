"""The conformance suite of compressors."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from typing import ClassVar

import pytest

from lamina.model import Page, ToolCall
from lamina.protocols import Compressor, CompressRequest, Shortened, is_deterministic
from lamina.testing.pages import count_words, message_tokens, page, shorten, tool_page
from lamina.testing.pages import pages as make_pages
from lamina.testing.suite import Suite

OpenCompressor = Callable[[], AbstractAsyncContextManager[Compressor]]

_JOINERS = "\u200d\ufe0e\ufe0f"
_TARGETS = (4000, 1000, 400, 150, 60, 20)


def _dear(texts: Sequence[str]) -> list[int]:
    return [len(text.encode("utf-8", "surrogatepass")) for text in texts]


class CompressorSuite(Suite):
    """What every compressor holds. Give ``strategy`` and the fixture ``open_compressor``.

    ``open_compressor`` is a factory without arguments that gives an async context manager. The suite builds the
    pages itself; those of ``must_offer`` are pages that the compressor has to say something about.
    """

    sizes: ClassVar[bool] = True
    """Whether the compressor aims at the targets; one with a single form per page does not."""

    @pytest.fixture
    def open_compressor(self) -> OpenCompressor:
        raise NotImplementedError("give the fixture open_compressor")

    def must_offer(self) -> list[Page]:
        """Pages that it must shorten; by default one large tool result."""
        return [tool_page(1, ("Read", '{"path": "a.log"}', "all is well on line\n" * 400))]

    def offers(
        self,
        open_compressor: OpenCompressor,
        pages: Sequence[Page],
        targets: Sequence[int] = _TARGETS,
        resident: Sequence[Page] = (),
        count: Callable[[Sequence[str]], Sequence[int]] = count_words,
    ) -> list[Shortened]:
        """What it offers for the pages."""

        async def ask() -> list[Shortened]:
            async with open_compressor() as part:
                request = CompressRequest(pages=pages, resident=resident, targets=targets, count=count, session="s")
                return list(await part.compress(request))

        return asyncio.run(ask())

    @staticmethod
    def tokens(page: Page, offer: Shortened, count: Callable[[Sequence[str]], Sequence[int]] = count_words) -> int:
        """Tokens of the page in the offered form."""
        return sum(message_tokens(message, count) for message in shorten(page, offer.texts))

    def test_it_satisfies_the_protocol(self, open_compressor: OpenCompressor) -> None:
        async def check() -> None:
            async with open_compressor() as part:
                assert isinstance(part, Compressor)

        asyncio.run(check())

    def test_no_pages_have_no_offers(self, open_compressor: OpenCompressor) -> None:
        assert self.offers(open_compressor, [], resident=make_pages()) == []

    def test_it_offers_something(self, open_compressor: OpenCompressor) -> None:
        pages = self.must_offer()
        assert {offer.page for offer in self.offers(open_compressor, pages)} == {p.id for p in pages}

    def test_it_offers_for_given_pages_only(self, open_compressor: OpenCompressor) -> None:
        pages = make_pages()
        given, resident = pages[::2], pages[1::2]
        assert {o.page for o in self.offers(open_compressor, given, resident=resident)} <= {p.id for p in given}

    def test_each_replacement_is_legal(self, open_compressor: OpenCompressor) -> None:
        """It names parts that exist; arguments stay JSON objects; only reasoning may go, and only whole."""
        pages = {p.id: p for p in make_pages()}
        for offer in self.offers(open_compressor, list(pages.values())):
            assert offer.texts
            shorten(pages[offer.page], offer.texts)

    def test_each_offer_is_smaller_than_its_page(self, open_compressor: OpenCompressor) -> None:
        for count in (count_words, _dear):
            pages = {p.id: p for p in make_pages(count)}
            for offer in self.offers(open_compressor, list(pages.values()), count=count):
                assert self.tokens(pages[offer.page], offer, count) < pages[offer.page].tokens

    def test_the_same_pages_always_have_the_same_offers(self, open_compressor: OpenCompressor) -> None:
        """In one opening; and in any, unless the compressor says that it is not deterministic."""

        async def ask() -> tuple[list[Shortened], list[Shortened], bool]:
            async with open_compressor() as part:
                made = []
                for pages in (make_pages(), make_pages()):
                    request = CompressRequest(
                        pages=pages, resident=[], targets=_TARGETS, count=count_words, session="s"
                    )
                    made.append(list(await part.compress(request)))
                return made[0], made[1], is_deterministic(part)

        first, second, deterministic = asyncio.run(ask())
        assert first == second
        if deterministic:
            assert self.offers(open_compressor, make_pages()) == first

    def test_it_says_clearly_whether_it_is_deterministic(self, open_compressor: OpenCompressor) -> None:
        async def check() -> None:
            async with open_compressor() as part:
                assert getattr(part, "deterministic", True) in (True, False)

        asyncio.run(check())

    def test_what_is_left_out_is_said_with_the_pages_id(self, open_compressor: OpenCompressor) -> None:
        pages = {p.id: p for p in make_pages()}
        for offer in self.offers(open_compressor, list(pages.values())):
            texts = [text for text in offer.texts.values() if text is not None]
            assert offer.lossless or all(re.search(rf"\b{offer.page}\b", text) for text in texts)

    def test_what_it_offers_is_valid_text(self, open_compressor: OpenCompressor) -> None:
        """It can be encoded, and no mark or joiner stands behind a character that it did not stand behind before."""
        pages = {p.id: p for p in make_pages()}
        offers = self.offers(open_compressor, list(pages.values()), targets=range(20, 900, 31))
        # Several targets may have one form, and the originals are large.
        made: dict[tuple[int, tuple[int, int]], set[str | None]] = {}
        for offer in offers:
            for key, text in offer.texts.items():
                made.setdefault((offer.page, key), set()).add(text)
        for (id, key), texts in made.items():
            before = _joints(_original(pages[id], key))
            for text in texts - {None}:
                assert text is not None
                text.encode()
                assert _joints(text) <= before

    def test_its_estimates_are_shares(self, open_compressor: OpenCompressor) -> None:
        assert all(0 <= offer.covers <= 1 for offer in self.offers(open_compressor, make_pages()))

    def test_the_request_is_left_as_it_was(self, open_compressor: OpenCompressor) -> None:
        pages, resident, targets = make_pages()[:9], make_pages()[9:], list(_TARGETS)
        kept = (list(pages), list(resident), list(targets))
        self.offers(open_compressor, pages, targets, resident)
        assert (pages, resident, targets) == kept

    def test_without_targets_it_does_not_fail(self, open_compressor: OpenCompressor) -> None:
        pages = {p.id: p for p in make_pages()}
        for targets in ([], [0], [1], [10**9]):
            for offer in self.offers(open_compressor, list(pages.values()), targets):
                assert self.tokens(pages[offer.page], offer) < pages[offer.page].tokens

    def test_its_offers_keep_the_target(self, open_compressor: OpenCompressor) -> None:
        """An offer for a target is at most so large, or as small as the compressor can make the page."""
        if not self.sizes:
            pytest.skip("has one form per page, whatever the target")
        pages = {p.id: p for p in make_pages()}
        least: dict[int, int] = {}
        for offer in self.offers(open_compressor, list(pages.values()), [1]):
            size = self.tokens(pages[offer.page], offer)
            least[offer.page] = min(size, least.get(offer.page, size))
        for target in (30, 77, 200, 555, 1000):
            for offer in self.offers(open_compressor, list(pages.values()), [target]):
                assert self.tokens(pages[offer.page], offer) <= max(target, least[offer.page])

    def test_nearer_to_the_target_than_a_husk(self, open_compressor: OpenCompressor) -> None:
        """Where a large text is to become a third, at least a tenth is used: an offer is not a stub."""
        if not self.sizes:
            pytest.skip("has one form per page, whatever the target")
        [big] = self.must_offer()
        sizes = [self.tokens(big, offer) for offer in self.offers(open_compressor, [big], [big.tokens // 3])]
        assert max(sizes) >= big.tokens // 10

    def test_other_sessions_ids_are_served(self, open_compressor: OpenCompressor) -> None:
        """Page ids of any size, and pages of one message only."""
        from lamina.model import user

        big = page(1_234_567, user("one line of prose, and another.\n" * 300))
        for offer in self.offers(open_compressor, [big]):
            assert offer.page == big.id


def _original(page: Page, key: tuple[int, int]) -> str:
    part = page.messages[key[0]].parts[key[1]]
    return part.arguments if isinstance(part, ToolCall) else str(getattr(part, "text", ""))


def _joints(text: str) -> set[tuple[str, str]]:
    """Every two characters side by side that are read as one."""
    if text.isascii():
        return set()
    return {(a, b) for a, b in set(pairwise(text)) if unicodedata.combining(b) or b in _JOINERS or a == "\u200d"}
