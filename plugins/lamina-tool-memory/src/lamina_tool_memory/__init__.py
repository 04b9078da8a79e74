"""Memory tools for lamina: recall, expand and remember."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Tool


@frozen
class RecallSettings:
    """Settings of ``recall``."""

    limit: int = field(default=5, validator=validators.ge(1))
    """Hits, where the model does not say."""
    max_chars: int = field(default=4_000, validator=validators.ge(400))
    """Characters of one answer, at most."""


@frozen
class ExpandSettings:
    """Settings of ``expand``."""

    max_chars: int = field(default=8_000, validator=validators.ge(400))
    """Characters of one answer, at most."""


@frozen
class RememberSettings:
    """Settings of ``remember``: it has none."""


@asynccontextmanager
async def open_recall(settings: RecallSettings, host: Host) -> AsyncIterator[Tool]:
    """Open ``recall``."""
    from lamina_tool_memory._tools import Recall

    yield Recall(settings.limit, settings.max_chars, host)


@asynccontextmanager
async def open_expand(settings: ExpandSettings, host: Host) -> AsyncIterator[Tool]:
    """Open ``expand``."""
    from lamina_tool_memory._tools import Expand

    yield Expand(settings.max_chars, host)


@asynccontextmanager
async def open_remember(settings: RememberSettings, host: Host) -> AsyncIterator[Tool]:
    """Open ``remember``."""
    from lamina_tool_memory._tools import Remember

    yield Remember(host)


@hookimpl
def register_tool(register: Register[Tool]) -> None:
    """Offer ``recall``, ``expand`` and ``remember``."""
    register("recall", open_recall, RecallSettings)
    register("expand", open_expand, ExpandSettings)
    register("remember", open_remember, RememberSettings)
