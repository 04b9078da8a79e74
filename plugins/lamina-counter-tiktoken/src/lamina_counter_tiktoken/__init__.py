"""Exact token counts for lamina, by tiktoken, with a vocabulary that is found offline."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Counter
from lamina.trust import outside_home


@frozen
class TiktokenSettings:
    """Settings of the tiktoken counter."""

    encoding: str = field(default="cl100k_base", validator=validators.in_(("cl100k_base", "o200k_base")))
    """``cl100k_base`` (GPT-4, 50 MB of memory) or ``o200k_base`` (GPT-4o and later, 90 MB)."""
    vocabulary: Path | None = field(default=None, metadata={"trust": outside_home})
    """A ``.tiktoken`` file of that encoding, or one packed by gzip; searched for where absent."""
    download: bool = field(default=False, metadata={"trust": bool})
    """Whether the vocabulary may be fetched from the network when nothing installed has it."""
    timeout_s: float = field(default=10.0, validator=validators.gt(0))
    """Seconds that a download may take in all."""


@asynccontextmanager
async def open_tiktoken(settings: TiktokenSettings, host: Host) -> AsyncIterator[Counter]:
    """Open the counter: finds the vocabulary, checks its hash, builds the encoding (0.25 s for cl100k_base).

    Raises:
        ConfigError: No vocabulary was found; the text names the places searched and the remedies.
        IntegrityError: The vocabulary of the settings has a wrong hash.
    """
    import asyncio

    from lamina_counter_tiktoken._counter import TiktokenCounter, build
    from lamina_counter_tiktoken._vocabulary import VOCABULARIES, locate

    place = None if settings.vocabulary is None else host.path(settings.vocabulary)
    # In a thread, because reading, and a download all the more, would stop the event loop.
    data, origin = await asyncio.to_thread(locate, settings, place)
    encoding = build(VOCABULARIES[settings.encoding], data)
    del data
    yield TiktokenCounter(encoding, origin)


@hookimpl
def register_counter(register: Register[Counter]) -> None:
    """Offer ``tiktoken``."""
    register("tiktoken", open_tiktoken, TiktokenSettings)
