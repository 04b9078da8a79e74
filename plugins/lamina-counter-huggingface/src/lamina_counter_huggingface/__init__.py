"""Exact token counts for lamina, by a ``tokenizer.json`` file on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import field, frozen

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Counter
from lamina.trust import outside_home


@frozen
class HuggingfaceSettings:
    """Settings of the counter."""

    file: Path = field(metadata={"trust": outside_home})
    """A ``tokenizer.json`` file; relative paths lie in lamina's home."""


@asynccontextmanager
async def open_huggingface(settings: HuggingfaceSettings, host: Host) -> AsyncIterator[Counter]:
    """Open the counter: reads the file (0.1 to 1 s for a vocabulary of 30,000 to 200,000). Nothing is downloaded.

    Raises:
        ConfigError: The file is not there, or cannot be read.
        IntegrityError: It is no tokenizer, or damaged.
    """
    import asyncio

    from lamina_counter_huggingface._counter import HuggingfaceCounter, read

    # In a thread, because a large file would stop the event loop.
    tokenizer, sha256 = await asyncio.to_thread(read, host.path(settings.file))
    yield HuggingfaceCounter(tokenizer, sha256, str(settings.file))


@hookimpl
def register_counter(register: Register[Counter]) -> None:
    """Offer ``huggingface``."""
    register("huggingface", open_huggingface, HuggingfaceSettings)
