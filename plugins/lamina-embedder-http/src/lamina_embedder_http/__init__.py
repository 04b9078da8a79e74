"""Embedder for lamina: asks an OpenAI-compatible service for vectors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Embedder


@frozen
class HttpSettings:
    """Settings of the HTTP embedder."""

    __tune__: ClassVar[bool] = False
    """A trial would ask the service, and be billed."""
    __trust__: ClassVar[bool] = True
    """It sends what is said to the service, with a key from the environment."""

    url: str
    """The API's base address, as the provider's own clients take it: ``https://api.openai.com/v1``,
    ``http://localhost:11434/v1``."""
    model: str = field(validator=validators.min_len(1))
    """The model's name, as the service knows it."""
    dimensions: int = field(validator=[validators.ge(1), validators.le(16_384)])
    """Numbers in the model's vectors."""
    shorten: bool = False
    """Whether to ask for vectors of so many dimensions; not every model can shorten its own."""
    key_env: str | None = None
    """Name of the environment variable that holds the key; none for services that ask for no key."""
    query_prefix: str = ""
    """Put before queries; some models want it (``"query: "``)."""
    text_prefix: str = ""
    """Put before texts (``"passage: "``)."""
    characters: int = field(default=8000, validator=validators.ge(1))
    """So much of a text is sent."""
    batch: int = field(default=64, validator=[validators.ge(1), validators.le(2048)])
    """At most so many texts in one call."""
    concurrency: int = field(default=4, validator=[validators.ge(1), validators.le(64)])
    """At most so many calls at once."""
    timeout_s: float = field(default=30.0, validator=[validators.gt(0), validators.le(3600)])
    """Seconds that one call may take in all, from connecting to the last byte."""
    retries: int = field(default=4, validator=[validators.ge(0), validators.le(20)])
    """Further calls after 408, 429, 5xx, broken connections and time-outs."""
    backoff_s: float = field(default=0.5, validator=[validators.gt(0), validators.le(60)])
    """The first wait is a random time up to this, and the limit doubles with each further one."""
    most_wait_s: float = field(default=60.0, validator=[validators.gt(0), validators.le(3600)])
    """A service that asks to be left alone for longer is not waited for."""
    cache: int = field(default=10_000, validator=validators.ge(0))
    """Vectors of so many texts are kept in memory."""
    storage: str | None = None
    """Name of a configured storage that keeps vectors for later runs."""


@asynccontextmanager
async def open_http(settings: HttpSettings, host: Host) -> AsyncIterator[Embedder]:
    """Open the embedder; nothing is asked yet.

    Raises:
        ConfigError: The address is none, the key is not in the environment, or the storage is not there.
    """
    from lamina.kit.http import key_of, place_of
    from lamina_embedder_http._cache import Cache
    from lamina_embedder_http._embedder import HttpEmbedder
    from lamina_embedder_http._service import Service

    place = place_of(settings.url, "/embeddings", f"embedders.{host.name}.url")
    key = key_of(settings.key_env, f"embedders.{host.name}.key_env")
    if key and place.exposed:
        host.logger.warning("the key is sent unencrypted; use https", server=place.host)
    storage = await host.open("storage", settings.storage) if settings.storage else None
    service = Service(settings, place, key, clock=host.clock, random=host.random)
    yield HttpEmbedder(settings, service, Cache(settings.cache, storage, host.logger))


@hookimpl
def register_embedder(register: Register[Embedder]) -> None:
    """Offer ``http``."""
    register("http", open_http, HttpSettings)
