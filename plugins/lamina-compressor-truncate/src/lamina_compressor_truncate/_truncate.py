"""Sharing a target among the parts of a page, and cutting each to its share."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from lamina.model import Page, Text, ToolCall, ToolResult
from lamina.protocols import CompressRequest, Shortened
from lamina_compressor_truncate._cut import Count, cut

if TYPE_CHECKING:
    from lamina_compressor_truncate import TruncateSettings

_STRING = re.compile(r'"(?>[^"\\]*(?:\\.[^"\\]*)*)"(\s*+:)?', re.DOTALL)
"""A string of a JSON text, and the colon where it is a key. Keys have to match, or the search would go on within them and
take what stands between two strings for one."""

Key = tuple[int, int]


@frozen
class _Piece:
    """A text of a page that may be cut."""

    key: Key
    text: str
    tokens: int
    arguments: bool


def level(sizes: Sequence[int], room: int) -> int:
    """The largest level at which ``sum(min(size, level))`` is at most ``room``: small ones whole, large ones equal.

    O(n log n). At least 0; the largest size where all fit.
    """
    left, ordered = room, sorted(sizes)
    for i, size in enumerate(ordered):
        share = left // (len(ordered) - i)
        if size > share:
            return max(0, share)
        left -= size
    return ordered[-1] if ordered else 0


class TruncateCompressor:
    """Offers, for each target, each page with its longest texts cut in the middle."""

    def __init__(self, settings: TruncateSettings) -> None:
        self._head_share, self._min_tokens = settings.head_share, settings.min_tokens

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """One offer per page and target below its size, of at most the target's tokens where that can be had.

        Otherwise of the least that cutting every text to ``min_tokens`` gives. O(tokens) for each target.
        """
        offers: list[Shortened] = []
        for page, pieces in _pieces(request):
            seen: set[int] = set()
            for target in sorted(set(request.targets), reverse=True):
                if target >= page.tokens:
                    continue
                made = self._shorten(page, pieces, target, request.count)
                if made and made[1] not in seen and made[1] < page.tokens:
                    seen.add(made[1])
                    offers.append(Shortened(page=page.id, texts=made[0], covers=made[2]))
        return offers

    def _shorten(
        self, page: Page, pieces: Sequence[_Piece], target: int, count: Count
    ) -> tuple[dict[Key, str | None], int, float] | None:
        """Replacements, the page's tokens with them and the share of its tokens that is still shown."""
        room = target - page.tokens + sum(piece.tokens for piece in pieces)
        share = max(self._min_tokens, level([piece.tokens for piece in pieces], room))
        made: dict[Key, tuple[str, int]] = {}
        # Arguments first: they may not come down to their share, and then the texts have to give more. Where that
        # is not enough, once more with the arguments as small as they can be.
        for limit in (share, self._min_tokens):
            made = {}
            for piece in pieces:
                if piece.arguments and piece.tokens > limit:
                    made[piece.key] = self._arguments(piece, limit, page.id, count)
            texts = [piece for piece in pieces if not piece.arguments]
            spent = sum(made.get(p.key, ("", p.tokens))[1] for p in pieces if p.arguments)
            rest = max(self._min_tokens, level([piece.tokens for piece in texts], room - spent))
            for piece in texts:
                if piece.tokens > rest:
                    made[piece.key] = cut(piece.text, piece.tokens, rest, self._head_share, page.id, count)
            total = sum(made.get(p.key, ("", p.tokens))[1] for p in pieces)
            if total <= room:
                break
        kept = {p.key: made[p.key] for p in pieces if p.key in made and made[p.key][1] < p.tokens}
        if not kept:
            return None
        saved = sum(p.tokens - kept[p.key][1] for p in pieces if p.key in kept)
        texts_made: dict[Key, str | None] = {key: text for key, (text, _) in kept.items()}
        return texts_made, page.tokens - saved, max(0.0, 1 - saved / page.tokens)

    def _arguments(self, piece: _Piece, limit: int, page: int, count: Count) -> tuple[str, int]:
        """The arguments with their long strings cut, all else as it was, and their tokens.

        Larger than the limit where strings are not what makes them large.
        """
        found = [match for match in _STRING.finditer(piece.text) if match.group(1) is None]
        values: list[str] = [json.loads(match.group()) for match in found]
        sizes = list(count(values))
        # What escapes and everything but strings cost.
        other = piece.tokens - sum(sizes)
        room = float(limit - other)
        best = (piece.text, piece.tokens)
        for _ in range(8):
            share = max(self._min_tokens // 2, level(sizes, int(room)))
            text = self._rewritten(piece.text, found, values, sizes, share, page, count)
            tokens = sum(count([text]))
            if tokens < best[1]:
                best = (text, tokens)
            if tokens <= limit or share <= self._min_tokens // 2:
                break
            room = min(room * 0.7, room - (tokens - limit))
        return best

    def _rewritten(
        self,
        text: str,
        found: Sequence[re.Match[str]],
        values: Sequence[str],
        sizes: Sequence[int],
        share: int,
        page: int,
        count: Count,
    ) -> str:
        made: list[str] = []
        done = 0
        for match, value, size in zip(found, values, sizes, strict=True):
            if size <= share:
                continue
            shorter, tokens = cut(value, size, share, self._head_share, page, count)
            if tokens >= size:
                continue
            plain = match.group().isascii() or not _encodable(shorter)
            made += (text[done : match.start()], json.dumps(shorter, ensure_ascii=plain))
            done = match.end()
        return "".join((*made, text[done:]))


def _encodable(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _pieces(request: CompressRequest) -> list[tuple[Page, list[_Piece]]]:
    """The texts that may be cut of each page above a target, counted in one call."""
    least = min(request.targets, default=0)
    pages = [page for page in request.pages if page.tokens > least]
    found = [
        (page, (m, p), part.arguments if isinstance(part, ToolCall) else part.text, isinstance(part, ToolCall))
        for page in pages
        for m, message in enumerate(page.messages)
        for p, part in enumerate(message.parts)
        if isinstance(part, Text | ToolResult) or (isinstance(part, ToolCall) and _is_object(part.arguments))
    ]
    sizes = request.count([text for _, _, text, _ in found])
    pieces: dict[int, list[_Piece]] = {page.id: [] for page in pages}
    for (page, key, text, arguments), size in zip(found, sizes, strict=True):
        pieces[page.id].append(_Piece(key, text, size, arguments))
    return [(page, pieces[page.id]) for page in pages]


def _is_object(text: str) -> bool:
    """Whether it is JSON text of an object; what was recorded otherwise is left alone."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
