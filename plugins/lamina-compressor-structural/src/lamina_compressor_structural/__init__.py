"""Compressor for lamina: JSON as lines and tables, logs without colours and repeats, HTML as text.

Its lossless forms invert: ``canonical(restore(form)) == canonical(original)``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Compressor

__all__ = ["StructuralSettings", "canonical", "open_structural", "register_compressor", "restore"]


@frozen
class StructuralSettings:
    """Settings of the structural compressor."""

    lossless: bool = False
    """Whether only forms from which the original can be computed are offered."""
    min_chars: int = field(default=60, validator=validators.ge(1))
    """Texts of fewer characters stay as they are."""
    html: bool = True
    """Whether HTML documents (not those read as source files) are offered as text; a lossy form."""
    numbers: Literal["each", "once"] = "each"
    """Of numbered lines: ``each`` keeps every number and drops the blanks before it; ``once`` keeps the first and last."""


def restore(text: str) -> str:
    """The original of a lossless form: byte for byte of text, up to :func:`canonical` of JSON.

    Args:
        text: A text of an offer that says ``lossless``. Other texts come back as they are.

    Raises:
        ValueError: It begins like a lossless form and is none.
    """
    from lamina_compressor_structural._forms import restore

    return restore(text)


def canonical(text: str) -> str:
    """What is kept of a text by the lossless forms: all, but of JSON not the white space and the way of escaping.

    The order of keys and the digits of numbers are kept.
    """
    from lamina_compressor_structural._forms import canonical

    return canonical(text)


@asynccontextmanager
async def open_structural(settings: StructuralSettings, host: Host) -> AsyncIterator[Compressor]:
    """Open the compressor."""
    from lamina_compressor_structural._compressor import StructuralCompressor

    yield StructuralCompressor(settings)


@hookimpl
def register_compressor(register: Register[Compressor]) -> None:
    """Offer ``structural``."""
    register("structural", open_structural, StructuralSettings)
