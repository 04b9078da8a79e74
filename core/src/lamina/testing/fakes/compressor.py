"""Compressors: sound ones, and one for each thing that a compressor can do wrong."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve

from lamina.model import Page, Text, ToolCall, ToolResult
from lamina.protocols import CompressRequest, Shortened

Key = tuple[int, int]
"""Index of the message in its page, index of the part in the message."""


class SoundCompressor:
    """Keeps the heads of texts and results, each with a remark behind it."""

    fails: frozenset[str] = frozenset()

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """At most one offer per page and target."""
        return [offer for page in request.pages for offer in self.offers(page, request)]

    def offers(self, page: Page, request: CompressRequest) -> Iterator[Shortened]:
        """For each target the longest form that keeps it, else the shortest."""
        forms = list(self.forms(page, request))
        for target in request.targets:
            fitting = [form for form in forms if form[0] <= self.room(target)] or forms[-1:]
            for tokens, texts in fitting[:1]:
                yield Shortened(page=page.id, texts=texts, covers=tokens / page.tokens)

    def room(self, target: int) -> int:
        """Tokens that a form for the target may have."""
        return target

    def forms(self, page: Page, request: CompressRequest) -> Iterator[tuple[int, dict[Key, str | None]]]:
        """The page's tokens in each form, and its texts; ever shorter."""
        pieces = self.pieces(page)
        sizes = dict(zip(pieces, request.count(list(pieces.values())), strict=True))
        longest = max(map(len, pieces.values()), default=0)
        while longest:
            longest = longest * 7 // 10
            cut = {k: self.cut(text, longest, page.id) for k, text in pieces.items() if len(text) > longest}
            costs = dict(zip(cut, request.count(list(cut.values())), strict=True))
            saved = {k: sizes[k] - costs[k] for k in cut if costs[k] < sizes[k]}
            if saved:
                yield page.tokens - sum(saved.values()), {k: cut[k] for k in saved}

    def pieces(self, page: Page) -> dict[Key, str]:
        """The texts that are cut."""
        return {
            (m, p): part.text
            for m, message in enumerate(page.messages)
            for p, part in enumerate(message.parts)
            if isinstance(part, Text | ToolResult)
        }

    def cut(self, text: str, length: int, page: int) -> str:
        """At most so many of the text's first characters, and the remark."""
        while 0 < length < len(text) and (_follows(text[length]) or text[length - 1] == "\u200d"):
            length -= 1
        return f"{text[:length]}\n{self.remark(page)}"

    def remark(self, page: int) -> str:
        """What stands for the rest."""
        return f"[… expand {page}]"


def _follows(c: str) -> bool:
    return c in "\u200d\ufe0e\ufe0f" or bool(unicodedata.combining(c))


class Shapeless:
    """Cannot compress."""

    fails = frozenset(
        {
            "test_it_satisfies_the_protocol",
            "test_no_pages_have_no_offers",
            "test_it_offers_something",
            "test_it_offers_for_given_pages_only",
            "test_each_replacement_is_legal",
            "test_each_offer_is_smaller_than_its_page",
            "test_the_same_pages_always_have_the_same_offers",
            "test_what_is_left_out_is_said_with_the_pages_id",
            "test_what_it_offers_is_valid_text",
            "test_its_estimates_are_shares",
            "test_the_request_is_left_as_it_was",
            "test_without_targets_it_does_not_fail",
            "test_its_offers_keep_the_target",
            "test_nearer_to_the_target_than_a_husk",
            "test_other_sessions_ids_are_served",
        }
    )


class NeedsPages(SoundCompressor):
    """Fails where there are none."""

    fails = frozenset({"test_no_pages_have_no_offers"})

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """Looks at the first page."""
        request.pages[0]
        return await super().compress(request)


class Silent(SoundCompressor):
    """Never offers anything."""

    fails = frozenset({"test_it_offers_something", "test_nearer_to_the_target_than_a_husk"})

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """Nothing."""
        return []


class ShortensResidents(SoundCompressor):
    """Offers for what is to stay verbatim."""

    fails = frozenset({"test_no_pages_have_no_offers", "test_it_offers_for_given_pages_only"})

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """Offers for all pages that it sees."""
        return await super().compress(evolve(request, pages=[*request.pages, *request.resident]))


class CutsArguments(SoundCompressor):
    """Cuts arguments as if they were text."""

    fails = frozenset(
        {
            "test_each_replacement_is_legal",
            "test_each_offer_is_smaller_than_its_page",
            "test_without_targets_it_does_not_fail",
            "test_its_offers_keep_the_target",
        }
    )

    def pieces(self, page: Page) -> dict[Key, str]:
        """Arguments too."""
        arguments = {
            (m, p): part.arguments
            for m, message in enumerate(page.messages)
            for p, part in enumerate(message.parts)
            if isinstance(part, ToolCall)
        }
        return super().pieces(page) | arguments


class Stubborn(SoundCompressor):
    """Puts its remark also behind what is too short to be cut."""

    fails = frozenset({"test_each_offer_is_smaller_than_its_page", "test_without_targets_it_does_not_fail"})

    def offers(self, page: Page, request: CompressRequest) -> Iterator[Shortened]:
        """An offer also where there is no shorter form."""
        found = list(super().offers(page, request))
        whole: Mapping[Key, str | None] = {
            key: self.cut(text, len(text), page.id) for key, text in self.pieces(page).items()
        }
        yield from found or ([Shortened(page=page.id, texts=whole)] if whole else [])


class Empty(SoundCompressor):
    """Offers forms in which nothing is replaced."""

    fails = frozenset(
        {
            "test_each_replacement_is_legal",
            "test_each_offer_is_smaller_than_its_page",
            "test_without_targets_it_does_not_fail",
            "test_its_offers_keep_the_target",
        }
    )

    def offers(self, page: Page, request: CompressRequest) -> Iterator[Shortened]:
        """An offer of the page itself for large targets."""
        for target, offer in zip(request.targets, super().offers(page, request), strict=False):
            yield evolve(offer, texts={}) if target >= 1000 else offer


class Drifts(SoundCompressor):
    """Finds everything worth a little less with each call of the process."""

    fails = frozenset({"test_the_same_pages_always_have_the_same_offers"})
    calls = itertools.count(2)

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """Halves, thirds, quarters."""
        part = next(self.calls)
        return [evolve(offer, covers=offer.covers / part) for offer in await super().compress(request)]


class Service(SoundCompressor):
    """Sound, and other in each opening, which it says."""

    deterministic = False
    openings = itertools.count(2)

    def __init__(self) -> None:
        self.part = next(self.openings)

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """The same in one opening."""
        return [evolve(offer, covers=offer.covers / self.part) for offer in await super().compress(request)]


class Wavers(Drifts):
    """Says that it is not deterministic, and has other offers for a page at each request."""

    deterministic = False


class Hesitates(SoundCompressor):
    """Does not know whether it is deterministic."""

    fails = frozenset({"test_it_says_clearly_whether_it_is_deterministic"})
    deterministic = "mostly"


class Mute(SoundCompressor):
    """Does not say whence the rest can be had."""

    fails = frozenset({"test_what_is_left_out_is_said_with_the_pages_id"})

    def remark(self, page: int) -> str:
        """No id."""
        return "[…]"


class CutsCharacters(SoundCompressor):
    """Parts letters from their marks, and puts a mark behind the remark."""

    fails = frozenset({"test_what_it_offers_is_valid_text"})

    def cut(self, text: str, length: int, page: int) -> str:
        """The tail, after a remark."""
        return f"{self.remark(page)}{text[len(text) - length :]}"


class Halves(SoundCompressor):
    """Ends with half of a character where it had to cut within a text that is not ASCII."""

    fails = frozenset({"test_what_it_offers_is_valid_text"})

    def cut(self, text: str, length: int, page: int) -> str:
        """The first of two surrogates stays."""
        half = "" if text.isascii() else "\ud83d"
        return f"{text[:length]}{half}\n{self.remark(page)}"


class Percents(SoundCompressor):
    """Estimates in per cent."""

    fails = frozenset({"test_its_estimates_are_shares"})

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """Shares of a hundred."""
        return [evolve(offer, covers=offer.covers * 100) for offer in await super().compress(request)]


class SortsTargets(SoundCompressor):
    """Orders the caller's list."""

    fails = frozenset({"test_the_request_is_left_as_it_was"})

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """Offers, smallest target first."""
        if isinstance(request.targets, list):
            request.targets.sort()
        return await super().compress(request)


class NeedsTargets(SoundCompressor):
    """Fails where no target is given."""

    fails = frozenset({"test_without_targets_it_does_not_fail"})

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """Looks for the largest."""
        max(request.targets)
        return await super().compress(request)


class Overshoots(SoundCompressor):
    """Takes every target for a hundred tokens more."""

    fails = frozenset({"test_its_offers_keep_the_target"})

    def room(self, target: int) -> int:
        """More than may be used."""
        return target + 100


class Husks(SoundCompressor):
    """Offers nothing but the smallest form."""

    fails = frozenset({"test_nearer_to_the_target_than_a_husk"})

    def room(self, target: int) -> int:
        """None."""
        return 0


class Wraps(SoundCompressor):
    """Keeps page ids in 16 bits."""

    fails = frozenset({"test_other_sessions_ids_are_served"})

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """Offers for pages of other ids."""
        return [evolve(offer, page=offer.page & 0xFFFF) for offer in await super().compress(request)]


BROKEN: tuple[type, ...] = (
    Shapeless,
    NeedsPages,
    Silent,
    ShortensResidents,
    CutsArguments,
    Stubborn,
    Empty,
    Drifts,
    Wavers,
    Hesitates,
    Mute,
    CutsCharacters,
    Halves,
    Percents,
    SortsTargets,
    NeedsTargets,
    Overshoots,
    Husks,
    Wraps,
)
