"""References for a page's texts, as offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from attrs import define, field

from lamina.model import Page
from lamina.protocols import CompressRequest, Shortened
from lamina_compressor_redundancy._pieces import Key, Source, sources
from lamina_compressor_redundancy._references import Places, matches, superseding, write

if TYPE_CHECKING:
    from lamina_compressor_redundancy import RedundancySettings


@define
class _Replaced:
    """A text of a page, and what may stand for it."""

    source: Source
    referring: str | None
    superseded: str | None


@define
class _Standing:
    """What may be referred to."""

    places: Places = field(factory=Places)
    calls: dict[tuple[str, str], list[Source]] = field(factory=dict)
    """Answers by call, and by the name of a call and the file that it names."""

    def add(self, source: Source) -> None:
        self.places.add(source)
        for name in {source.call, source.file}:
            if name is not None:
                self.calls.setdefault(name, []).append(source)

    def answers(self, source: Source) -> list[Source]:
        return [s for name in (source.call, source.file) if name is not None for s in self.calls.get(name, ())]


class RedundancyCompressor:
    """Offers pages with references to what stands beside them."""

    def __init__(self, settings: RedundancySettings) -> None:
        self._settings = settings
        self._sources: WeakKeyDictionary[Page, tuple[Source, ...]] = WeakKeyDictionary()

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """At most two offers per page, whatever the targets: references, and those and superseded results.

        O(pieces of all pages), each page split once; one call of the counter.
        """
        given = {page.id for page in request.pages}
        standing = _Standing()
        # In log order, so that the newest of equal places counts.
        stays = [page for page in request.resident if page.id not in given]
        stays += [page for page in request.pages if _must_stand(page)]
        for page in sorted(stays, key=lambda page: page.id):
            for source in self._read(page):
                standing.add(source)
        replaced: list[tuple[Page, list[_Replaced]]] = []
        # The newest first: what is itself replaced by a reference is never referred to.
        for page in sorted(request.pages, key=lambda page: page.id, reverse=True):
            if _must_stand(page):
                continue
            found, whole = self._page(page, standing)
            if found:
                replaced.append((page, found))
            if self._settings.later:
                for source in whole:
                    standing.add(source)
        made = _offers(replaced, request)
        return [offer for page in request.pages for offer in made.get(page.id, ())]

    def _read(self, page: Page) -> tuple[Source, ...]:
        known = self._sources.get(page)
        if known is None:
            known = self._sources[page] = sources(page, self._settings.min_chars)
        return known

    def _page(self, page: Page, standing: _Standing) -> tuple[list[_Replaced], list[Source]]:
        """What of the page may be replaced, and the texts that are not."""
        own = Places()
        found: list[_Replaced] = []
        whole: list[Source] = []
        for source in self._read(page):
            runs = matches(source, (standing.places, own), self._settings.min_chars)
            referring = write(source, runs) if runs else None
            newer = superseding(source, standing.answers(source)) if self._settings.superseded else None
            superseded = f"[superseded: answered anew in page {newer.page}; expand {page.id}]" if newer else None
            if referring is None and superseded is None:
                own.add(source)
                whole.append(source)
            else:
                found.append(_Replaced(source, referring, superseded))
        return found, whole


def _must_stand(page: Page) -> bool:
    return page.pinned or page.role == "system"


def _offers(replaced: Sequence[tuple[Page, list[_Replaced]]], request: CompressRequest) -> dict[int, list[Shortened]]:
    texts = [
        text
        for _, found in replaced
        for r in found
        for text in ("".join(r.source.pieces), r.referring, r.superseded)
        if text is not None
    ]
    sizes = iter(request.count(texts))
    made: dict[int, list[Shortened]] = {}
    for page, found in replaced:
        forms: tuple[dict[Key, str | None], dict[Key, str | None]] = ({}, {})
        saved = [0, 0]
        lost = 0
        for r in found:
            size = next(sizes)
            referring = (next(sizes), r.referring) if r.referring is not None else (size, None)
            superseded = (next(sizes), r.superseded) if r.superseded is not None else (size, None)
            for i, (cost, text) in enumerate((referring, min(referring, superseded, key=lambda form: form[0]))):
                if text is not None and cost < size:
                    forms[i][r.source.key] = text
                    saved[i] += size - cost
            if superseded[0] < referring[0]:
                lost += referring[0] - superseded[0]
        covers = (1.0, max(0.0, 1 - 0.5 * lost / max(1, page.tokens)))
        for i in (0, 1):
            if forms[i] and (i == 0 or saved[1] > saved[0]):
                offer = Shortened(page=page.id, texts=forms[i], covers=covers[i])
                made.setdefault(page.id, []).append(offer)
    return made
