"""The values of a page's JSON results, as offers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from attrs import frozen

from lamina.model import Page, ToolResult
from lamina.protocols import Compressor, CompressRequest, Shortened
from lamina_compressor_values._pick import GONE, Keep, citable, everything, minified, parse, prune
from lamina_compressor_values._render import Renderer

if TYPE_CHECKING:
    from lamina_compressor_values import ValuesSettings

Key = tuple[int, int]
Count = Callable[[Sequence[str]], Sequence[int]]

_LEVELS: tuple[tuple[Keep, str, float], ...] = ((everything, "values", 0.95), (citable, "ids", 0.75))
"""What is kept, its name in the text, and the share of the worth that it is taken for."""


@frozen
class _Result:
    """A JSON result in its forms: the original, a lossless one, and one for each level."""

    key: Key
    texts: tuple[str, ...]


class ValuesCompressor:
    """Offers, for each page with JSON results, all their values, and only what can be cited."""

    def __init__(self, settings: ValuesSettings, exact: Compressor | None) -> None:
        self._settings, self._exact = settings, exact
        self._levels = _LEVELS if settings.ids else _LEVELS[:1]
        self._renderer = Renderer(settings.max_text)
        self._offers: WeakKeyDictionary[Page, tuple[Count, tuple[Shortened, ...]]] = WeakKeyDictionary()

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """At most two offers per page, whatever the targets; each page is read once; O(characters).

        One call of the counter, beside those of the compressor that it compares with.
        """
        new = [p for p in request.pages if p not in self._offers or self._offers[p][0] != request.count]
        exact = await self._lossless(new, request)
        read = [(page, list(self._results(page, exact.get(page.id, {})))) for page in new]
        sizes = iter(request.count([text for _, results in read for result in results for text in result.texts]))
        for page, results in read:
            sized = [(result, [next(sizes) for _ in result.texts]) for result in results]
            self._offers[page] = (request.count, tuple(self._made(page, sized)))
        return [offer for page in request.pages for offer in self._offers[page][1]]

    async def _lossless(
        self, pages: Sequence[Page], request: CompressRequest
    ) -> Mapping[int, Mapping[Key, str | None]]:
        if self._exact is None or not pages:
            return {}
        asked = CompressRequest(
            pages=pages,
            resident=request.resident,
            targets=request.targets,
            count=request.count,
            session=request.session,
        )
        return {offer.page: offer.texts for offer in await self._exact.compress(asked) if offer.lossless}

    def _results(self, page: Page, exact: Mapping[Key, str | None]) -> Iterable[_Result]:
        for m, message in enumerate(page.messages):
            for p, part in enumerate(message.parts):
                if not isinstance(part, ToolResult) or len(part.text) < self._settings.min_chars:
                    continue
                value = parse(part.text)
                if value is GONE:
                    continue
                made: list[str] = []
                for keep, name, _ in self._levels:
                    left = prune(value, keep)
                    said = [] if left is GONE else self._renderer.lines(left)
                    made.append("\n".join((f"[{name} of page {page.id}; all of it: expand {page.id}]", *said)))
                lossless = exact.get((m, p)) or minified(part.text) or part.text
                yield _Result((m, p), (part.text, lossless, *made))

    def _made(self, page: Page, sized: Sequence[tuple[_Result, Sequence[int]]]) -> Iterable[Shortened]:
        before = page.tokens
        for level, (_, _, covers) in enumerate(self._levels, start=2):
            texts: dict[Key, str | None] = {}
            exact = True
            tokens = page.tokens
            for result, sizes in sized:
                chosen = level
                # What loses nothing is worth a few tokens more. In an offer that does lose something each text
                # must name the page, so that it can be asked for.
                if sizes[1] <= self._settings.near * sizes[level] and (
                    len(sized) == 1 or re.search(rf"\b{page.id}\b", result.texts[1])
                ):
                    chosen = 1
                if sizes[chosen] < sizes[0]:
                    texts[result.key] = result.texts[chosen]
                    exact = exact and chosen == 1
                    tokens -= sizes[0] - sizes[chosen]
            if texts and tokens < before:
                before = tokens
                yield Shortened(page=page.id, texts=texts, lossless=exact, covers=1.0 if exact else covers)
