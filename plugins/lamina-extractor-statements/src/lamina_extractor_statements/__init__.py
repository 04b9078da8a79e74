"""Rules, decisions and facts that people state, drawn from conversations for lamina, without a model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Extractor


@frozen
class StatementsSettings:
    """Settings of the statements."""

    most_chars: int = field(default=400, validator=validators.ge(40))
    """Longer sentences are left out: they are pasted more often than said."""
    decisions: bool = True
    """Whether decisions of the model are drawn too, where it gives reasons."""


@asynccontextmanager
async def open_statements(settings: StatementsSettings, host: Host) -> AsyncIterator[Extractor]:
    """Open the extractor."""
    from lamina_extractor_statements._statements import Statements

    yield Statements(settings.most_chars, settings.decisions)


@hookimpl
def register_extractor(register: Register[Extractor]) -> None:
    """Offer ``statements``."""
    register("statements", open_statements, StatementsSettings)
