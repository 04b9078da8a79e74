"""The smallest forms of a page's texts, as offers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from lamina.model import Page, Text, ToolCall, ToolResult
from lamina.protocols import CompressRequest, Shortened
from lamina_compressor_structural._forms import Form, forms

if TYPE_CHECKING:
    from lamina_compressor_structural import StructuralSettings

Key = tuple[int, int]
Count = Callable[[Sequence[str]], Sequence[int]]

_SOURCES = (".html", ".htm", ".xhtml", ".jinja", ".j2", ".vue", ".svelte")


class StructuralCompressor:
    """Offers at most two forms for each page: the smallest lossless one, and the smallest."""

    def __init__(self, settings: StructuralSettings) -> None:
        self._settings = settings
        self._offers: WeakKeyDictionary[Page, tuple[Count, tuple[Shortened, ...]]] = WeakKeyDictionary()

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """The same offers whatever the targets; each page is read once; O(characters), one call of the counter."""
        new: list[tuple[Page, dict[Key, tuple[str, list[Form]]]]] = []
        for page in request.pages:
            known = self._offers.get(page)
            if known is None or known[0] != request.count:
                new.append((page, self._forms(page)))
        texts = [t for _, parts in new for text, found in parts.values() for t in (text, *(f.text for f in found))]
        sizes = iter(request.count(texts))
        for page, parts in new:
            sized = {key: (next(sizes), [(form, next(sizes)) for form in found]) for key, (_, found) in parts.items()}
            self._offers[page] = (request.count, tuple(_offers(page, sized)))
        return [offer for page in request.pages for offer in self._offers[page][1]]

    def _forms(self, page: Page) -> dict[Key, tuple[str, list[Form]]]:
        """The forms of each text of the page that has any."""
        made: dict[Key, tuple[str, list[Form]]] = {}
        sources = {c.id for m in page.messages for c in m.calls if _reads_source(c.arguments)}
        for m, message in enumerate(page.messages):
            for p, part in enumerate(message.parts):
                if not isinstance(part, Text | ToolResult | ToolCall):
                    continue
                arguments = isinstance(part, ToolCall)
                text = part.arguments if isinstance(part, ToolCall) else part.text
                if len(text) < self._settings.min_chars or (arguments and not text.lstrip().startswith("{")):
                    continue
                html = self._settings.html and isinstance(part, ToolResult) and part.call_id not in sources
                found = forms(
                    text,
                    page.id,
                    lossless=self._settings.lossless,
                    html=html,
                    arguments=arguments,
                    numbers=self._settings.numbers,
                )
                if found:
                    made[m, p] = (text, found)
        return made


def _offers(page: Page, sized: dict[Key, tuple[int, list[tuple[Form, int]]]]) -> list[Shortened]:
    exact: dict[Key, tuple[Form, int]] = {}
    least: dict[Key, tuple[Form, int]] = {}
    for key, (size, found) in sized.items():
        lossless = min([f for f in found if f[0].lossless], key=lambda f: f[1], default=None)
        # Every text of a lossy offer names its page.
        marked = min([f for f in found if f[0].marked], key=lambda f: (f[1], not f[0].lossless), default=None)
        if lossless and lossless[1] < size:
            exact[key] = lossless
        if marked and marked[1] < size:
            least[key] = marked
    offers: list[Shortened] = []
    if exact:
        offers.append(_offer(page, exact, 1.0))
    saved = [sum(sized[key][0] - tokens for key, (_, tokens) in found.items()) for found in (exact, least)]
    if saved[1] > saved[0]:
        offers.append(_offer(page, least, 0.95))
    return offers


def _offer(page: Page, found: dict[Key, tuple[Form, int]], covers: float) -> Shortened:
    texts: dict[Key, str | None] = {key: form.text for key, (form, _) in found.items()}
    lossless = all(form.lossless for form, _ in found.values())
    return Shortened(page=page.id, texts=texts, lossless=lossless, covers=covers)


def _reads_source(arguments: str) -> bool:
    """Whether a call names a file of HTML, which is then wanted as it stands."""
    try:
        values = json.loads(arguments).values()
    except (ValueError, AttributeError, RecursionError):
        return False
    return any(isinstance(v, str) and v.lower().endswith(_SOURCES) and "://" not in v for v in values)
