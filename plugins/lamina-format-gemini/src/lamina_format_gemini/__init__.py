"""Contents of Google's Gemini API for lamina: reads recordings, writes and checks requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Format


@frozen
class GeminiSettings:
    """Settings of the format."""

    max_record_bytes: int = field(default=64 * 2**20, validator=validators.gt(0))
    """A content longer than this is refused with its line, before anything is stored."""
    sign_calls: bool = True
    """Whether calls that another model made carry the signature that Google documents for them
    (``skip_thought_signature_validator``): Gemini 3 and later refuse calls without any."""


@asynccontextmanager
async def open_gemini(settings: GeminiSettings, host: Host) -> AsyncIterator[Format]:
    """Open the format."""
    from lamina_format_gemini._format import GeminiFormat  # keeps start-up light

    yield GeminiFormat(settings.max_record_bytes, sign_calls=settings.sign_calls)


@hookimpl
def register_format(register: Register[Format]) -> None:
    """Offer ``gemini``."""
    register("gemini", open_gemini, GeminiSettings)
