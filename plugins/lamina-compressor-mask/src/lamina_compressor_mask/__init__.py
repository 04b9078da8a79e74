"""Compressor for lamina: tool results as one-line placeholders; what was called stays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.model import Page, ToolResult
from lamina.protocols import Compressor, CompressRequest, Shortened


@frozen
class MaskSettings:
    """Settings of the mask compressor."""

    min_tokens: int = field(default=50, validator=validators.ge(0), metadata={"tune": (10, 400)})
    """A result of fewer tokens stays as it is."""


class MaskCompressor:
    """Offers one form for each page with large tool results: all of them as placeholders."""

    def __init__(self, settings: MaskSettings) -> None:
        self._min_tokens = settings.min_tokens

    async def compress(self, request: CompressRequest) -> Sequence[Shortened]:
        """At most one offer per page, whatever the targets; O(tokens), two calls of the counter in all."""
        found = [
            (page, (m, p), part)
            for page in request.pages
            for m, message in enumerate(page.messages)
            for p, part in enumerate(message.parts)
            if isinstance(part, ToolResult)
        ]
        sizes = request.count([result.text for _, _, result in found])
        names = {id(page): {call.id: call.name for m in page.messages for call in m.calls} for page, _, _ in found}
        lines = [
            _placeholder(page, names[id(page)].get(result.call_id, "a tool"), size)
            for (page, _, result), size in zip(found, sizes, strict=True)
        ]
        costs = request.count(lines)
        texts: dict[int, dict[tuple[int, int], str | None]] = {}
        saved: dict[int, int] = {}
        for (page, key, _), line, size, cost in zip(found, lines, sizes, costs, strict=True):
            if size >= self._min_tokens and cost < size:
                texts.setdefault(page.id, {})[key] = line
                saved[page.id] = saved.get(page.id, 0) + size - cost
        return [
            Shortened(page=page.id, texts=texts[page.id], covers=max(0.0, 1 - saved[page.id] / page.tokens))
            for page in request.pages
            if page.id in texts
        ]


def _placeholder(page: Page, tool: str, tokens: int) -> str:
    return f"[result of {tool} cleared, {tokens:,} tokens; expand {page.id}]"


@asynccontextmanager
async def open_mask(settings: MaskSettings, host: Host) -> AsyncIterator[Compressor]:
    """Open the compressor."""
    yield MaskCompressor(settings)


@hookimpl
def register_compressor(register: Register[Compressor]) -> None:
    """Offer ``mask``."""
    register("mask", open_mask, MaskSettings)
