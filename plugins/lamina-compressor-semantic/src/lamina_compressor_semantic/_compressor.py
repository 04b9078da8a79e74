"""Sentences and lines of a page's texts, as offers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from lamina.model import Page
from lamina.protocols import CompressRequest, Shortened
from lamina_compressor_semantic._choose import Choice
from lamina_compressor_semantic._reading import Count, Passage, Reader, Reading, Worth
from lamina_compressor_semantic._render import excerpts, head, nothing

if TYPE_CHECKING:
    from lamina_compressor_semantic import SemanticSettings

Key = tuple[int, int]

_ROUNDS = 6


@frozen
class _Made:
    """A page's texts for one choice of units."""

    texts: dict[Key, str | None]
    tokens: int
    """Of all passages, those that stay whole included."""


class SemanticCompressor:
    """Offers, for each target, each page with those units of its texts that say the most for their tokens."""

    def __init__(self, settings: SemanticSettings) -> None:
        self._settings = settings
        self._reader = Reader(settings.min_tokens, settings.telegraphic)

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """One offer per page and target below its size, of at most the target's tokens where that can be had.

        Otherwise of the least: texts of at most ``min_tokens``, error lines, and a remark for each text. Each page is
        read once as long as it lives; then a request costs O(words of its pages), and a target the counting of about
        three texts of its size.
        """
        if not request.pages or not request.targets:
            return []
        readings = self._reader.read(request.pages, request.count)
        worth = Worth(self._reader, request, readings)
        offers: list[Shortened] = []
        for page, reading in zip(request.pages, readings, strict=True):
            targets = sorted({t for t in request.targets if t < page.tokens}, reverse=True)
            if reading.passages and targets:
                offers += self._offers(page, reading, worth, targets, request.count)
        return offers

    def _offers(
        self, page: Page, reading: Reading, worth: Worth, targets: Sequence[int], count: Count
    ) -> Iterable[Shortened]:
        passages = reading.passages
        factors, values = worth.of(page, reading)
        choice = Choice(passages, factors, values)
        ranked, first = choice.order(), self._first(choice)
        whole = sum(passage.tokens for passage in passages)
        other = page.tokens - whole
        spare = sum(count([head(page.id) + "\n"])) * len(passages)
        seen: set[int] = set()
        for target in targets:
            room = target - other
            wanted = float(room - spare)
            for _ in range(_ROUNDS):
                kept = choice.fill(ranked, first, wanted)
                made = self._make(page, passages, choice.split(kept, passages), count)
                if made.tokens <= room or len(kept) == len(first):
                    break
                # What a unit costs in its text differs a little from what it costs alone.
                wanted = min(wanted * 0.98, wanted - 1.1 * (made.tokens - room))
            else:
                made = self._make(page, passages, choice.split(first, passages), count)
                kept = first
            if made.texts and made.tokens < whole and made.tokens not in seen:
                seen.add(made.tokens)
                covers = (other + whole * choice.share(kept)) / page.tokens
                yield Shortened(page=page.id, texts=made.texts, covers=min(1.0, max(0.0, covers)))

    def _first(self, choice: Choice) -> list[int]:
        """The error lines that stand in every offer: of each text the first ones and the last, each kind once."""
        limit = self._settings.key_lines
        late = limit // 3
        found: list[int] = []
        for kinds in choice.errors:
            found += kinds if len(kinds) <= limit else [*kinds[: limit - late], *kinds[len(kinds) - late :]]
        return found

    def _make(self, page: Page, passages: Sequence[Passage], kept: Iterable[Sequence[int]], count: Count) -> _Made:
        texts: list[str] = []
        for passage, units in zip(passages, kept, strict=True):
            spans = [(u.start, u.end, u.shown) for u in map(passage.units.__getitem__, units)]
            texts.append(excerpts(passage.text, spans, page.id) if spans else nothing(page.id, passage.tokens))
        made: dict[Key, str | None] = {}
        tokens = 0
        for passage, text, size in zip(passages, texts, count(texts), strict=True):
            if size < passage.tokens:
                made[passage.key] = text
            tokens += min(size, passage.tokens)
        return _Made(made, tokens)
