"""Compressor for lamina: JSON results as the ids and values that later steps can cite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Compressor


@frozen
class ValuesSettings:
    """Settings of the values compressor."""

    min_chars: int = field(default=120, validator=validators.ge(1))
    """Results of fewer characters stay as they are."""
    max_text: int = field(default=80, validator=validators.ge(20), metadata={"tune": (20, 400)})
    """A string of more characters keeps its beginning, and what looks like an identifier in the rest."""
    ids: bool = True
    """Whether a second form is offered: identifiers, names, dates, amounts and states only."""
    near: float = field(default=1.1, validator=validators.ge(1.0), metadata={"tune": (1.0, 1.5)})
    """A lossless form of at most so many times the tokens is taken instead."""
    lossless: str = ""
    """Name of a configured compressor whose lossless forms are compared; empty: JSON without white space."""


@asynccontextmanager
async def open_values(settings: ValuesSettings, host: Host) -> AsyncIterator[Compressor]:
    """Open the compressor, and the one that it compares with."""
    from lamina_compressor_values._compressor import ValuesCompressor

    exact = await host.open("compressor", settings.lossless) if settings.lossless else None
    yield ValuesCompressor(settings, exact)


@hookimpl
def register_compressor(register: Register[Compressor]) -> None:
    """Offer ``values``."""
    register("values", open_values, ValuesSettings)
