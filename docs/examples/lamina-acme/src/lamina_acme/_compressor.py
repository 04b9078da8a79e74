"""The first lines of long texts, and a remark that says how many lines are missing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache

from lamina.model import Page, Text, ToolResult
from lamina.protocols import CompressRequest, Shortened

Key = tuple[int, int]
"""Where a text stands in its page: the index of the message, and that of the part in it."""


class FirstLinesCompressor:
    """Offers, for each target, the page with as many first lines of its texts as fit.

    Texts and tool results are cut; what a model thought or passed to a tool stays as it is. All texts of a page
    keep the same number of lines, so of parallel results the short ones stay whole.

    Args:
        min_lines: So many lines of each text stay, whatever the target.
    """

    def __init__(self, min_lines: int) -> None:
        self._min_lines = min_lines

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """At most one offer per page and target; none for a page without a text of more than ``min_lines`` lines.

        Pure. Counts each page's texts about log2(lines) times for each target.
        """
        return [offer for page in request.pages for offer in self._offers(page, request)]

    def _offers(self, page: Page, request: CompressRequest) -> list[Shortened]:
        texts = {key: lines for key, lines in _lines(page).items() if len(lines) > self._min_lines}
        if not texts:
            return []
        whole = dict(zip(texts, request.count(["\n".join(lines) for lines in texts.values()]), strict=True))

        @cache
        def tokens(n_lines: int) -> int:
            # What is not cut costs what it did, frames included, and need not be counted.
            cut = _cut(texts, n_lines, page.id)
            return page.tokens + sum(request.count(list(cut.values()))) - sum(whole[key] for key in cut)

        sizes = range(self._min_lines, max(map(len, texts.values())))
        fitting = {bisect_right(sizes, target, key=tokens) - 1 for target in request.targets}
        # Where not even the fewest lines fit, they are offered all the same: the nearest that can be had.
        wanted = sorted({sizes[max(0, at)] for at in fitting})
        # A remark may cost more than the lines that it stands for, and what is no smaller is no offer.
        return [
            Shortened(page=page.id, texts=_cut(texts, n_lines, page.id), covers=tokens(n_lines) / page.tokens)
            for n_lines in wanted
            if tokens(n_lines) < page.tokens
        ]


def _lines(page: Page) -> dict[Key, list[str]]:
    """The lines of each text and tool result of the page."""
    return {
        (at, index): part.text.split("\n")
        for at, message in enumerate(page.messages)
        for index, part in enumerate(message.parts)
        if isinstance(part, Text | ToolResult)
    }


def _cut(texts: Mapping[Key, Sequence[str]], n_lines: int, page: int) -> dict[Key, str]:
    """The first lines of each text that has more, with the remark."""
    return {
        key: "\n".join((*lines[:n_lines], f"[… {len(lines) - n_lines} more lines on page {page}; expand {page} …]"))
        for key, lines in texts.items()
        if len(lines) > n_lines
    }
