"""Compressor for lamina: asks compressors in turn until one has an offer near the target."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import Attribute, field, frozen, validators

from lamina.errors import ConfigError
from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Compressor, is_deterministic


@frozen
class ChainSettings:
    """Settings of the chain."""

    compressors: tuple[str, ...] = field()
    """Names of configured compressors, in order of preference; the last is deterministic."""
    near: float = field(default=0.1, validator=[validators.ge(0), validators.le(1)])
    """An offer is near a target when it has at most the target's tokens and at least this share of them."""

    @compressors.validator
    def _form_a_chain(self, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
        if not value:
            raise ValueError('names no compressor; write compressors = ["llm", "truncate"]')
        twice = sorted({name for name in value if value.count(name) > 1})
        if twice:
            raise ValueError(f"names {', '.join(twice)} twice; a second turn has nothing new to say")


@asynccontextmanager
async def open_chain(settings: ChainSettings, host: Host) -> AsyncIterator[Compressor]:
    """Open the chain and its members.

    Raises:
        ConfigError: A member is not there or needs this chain, or the last one is not deterministic.
    """
    from lamina_compressor_chain._chain import Chain

    members = {name: await host.open("compressor", name) for name in settings.compressors}
    last = settings.compressors[-1]
    if not is_deterministic(members[last]):
        fault = (
            f"compressors.{host.name}.compressors: ends in {last!r}, which is not deterministic and may have nothing to "
            'say; put a local one behind it, such as "truncate"'
        )
        raise ConfigError([fault])
    yield Chain(members, settings.near, host.logger)


@hookimpl
def register_compressor(register: Register[Compressor]) -> None:
    """Offer ``chain``."""
    register("chain", open_chain, ChainSettings)
