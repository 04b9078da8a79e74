"""Exact token counts for lamina, fast, by splintr, whose vocabularies are built in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Counter


@frozen
class SplintrSettings:
    """Settings of the splintr counter."""

    encoding: str = field(default="cl100k_base", validator=validators.in_(("cl100k_base", "o200k_base")))
    """``cl100k_base`` (GPT-4, 28 MB of memory) or ``o200k_base`` (GPT-4o and later, 44 MB)."""


_checked: set[str] = set()
"""Encodings that passed the check in this process."""


@asynccontextmanager
async def open_splintr(settings: SplintrSettings, host: Host) -> AsyncIterator[Counter]:
    """Open the counter (0.1 to 0.4 s), and check it; against tiktoken too, once for each pair of versions (0.5 to 1.5 s).

    Raises:
        IntegrityError: The installed splintr does not count as tiktoken does; the text names both versions.
    """
    import asyncio

    from lamina_counter_splintr._check import check
    from lamina_counter_splintr._counter import SplintrCounter, load

    tokenizer = load(settings.encoding)
    counter = SplintrCounter(tokenizer, settings.encoding)
    if settings.encoding not in _checked:
        await asyncio.to_thread(check, counter, tokenizer, host.path("counters/splintr.checked"))
        _checked.add(settings.encoding)
    yield counter


@hookimpl
def register_counter(register: Register[Counter]) -> None:
    """Offer ``splintr``."""
    register("splintr", open_splintr, SplintrSettings)
