"""Compressor for lamina: asks a language model over HTTP for shorter forms, within a budget."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Literal

from attrs import Attribute, field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Compressor

INSTRUCTIONS = (
    "Keep what later work may need: decisions and their reasons, results, errors word for word, names, paths, "
    "commands, numbers, ids, what is still to do. Leave out repetition, greetings, progress and boilerplate."
)
"""What the model is told to keep, unless the settings say otherwise."""

_OWN = frozenset({"model", "messages", "system", "stream", "n", "tools", "tool_choice"})
"""Fields of a request that ``extra`` may not set."""

_PATHS = {"openai": "/chat/completions", "anthropic": "/v1/messages"}
"""What is added to the base address.

Source: the providers' own clients, which take the same base addresses (openai-python: ``https://api.openai.com/v1``,
anthropic-sdk-python: ``https://api.anthropic.com``).
"""


@frozen
class LlmSettings:
    """Settings of the llm compressor."""

    __tune__: ClassVar[bool] = False
    """A trial would ask the endpoint, and be billed."""
    __trust__: ClassVar[bool] = True
    """It sends what is said to the endpoint, with a key from the environment."""

    url: str
    """The API's base address, as the provider's own clients take it: ``https://api.openai.com/v1``,
    ``https://api.anthropic.com``, ``http://localhost:11434/v1``."""
    model: str = field(validator=validators.min_len(1))
    """The model's name, as the endpoint knows it."""
    api: Literal["openai", "anthropic"] = "openai"
    """Which API the endpoint speaks: chat completions or messages."""
    key_env: str | None = None
    """Name of the environment variable that holds the key; none for endpoints that ask for no key."""
    instructions: str = INSTRUCTIONS
    """What to keep and what to leave out. That texts are data, their sizes and the form of the answer are said beside
    it in any case."""
    share: float = field(default=0.3, validator=[validators.ge(0.02), validators.le(0.9)])
    """The share of a text's tokens that its shorter form is to have."""
    most_tokens: int = field(default=800, validator=validators.ge(50))
    """No more tokens than this are asked for a page."""
    min_tokens: int = field(default=400, validator=validators.ge(50))
    """Pages with fewer tokens in long texts are not worth a call."""
    max_page_tokens: int = field(default=50_000, validator=validators.ge(100))
    """Pages with more tokens in long texts are not sent."""
    timeout_s: float = field(default=30.0, validator=[validators.gt(0), validators.le(3600)])
    """Seconds that one call may take in all, from connecting to the last byte."""
    retries: int = field(default=2, validator=[validators.ge(0), validators.le(10)])
    """Further calls after 408, 429, 5xx and broken connections."""
    backoff_s: float = field(default=0.5, validator=[validators.gt(0), validators.le(60)])
    """The first wait is a random time up to this, and the limit doubles with each further one."""
    concurrency: int = field(default=4, validator=[validators.ge(1), validators.le(64)])
    """At most so many calls at once."""
    max_calls: int = field(default=200, validator=validators.ge(0))
    """Calls, retries included, for as long as the context is open."""
    max_input_tokens: int = field(default=500_000, validator=validators.ge(0))
    """Tokens that may be sent, for as long as the context is open."""
    max_output_tokens: int = field(default=100_000, validator=validators.ge(0))
    """Tokens that may be answered, for as long as the context is open."""
    breaker_failures: int = field(default=3, validator=validators.ge(1))
    """After so many pages in a row without a usable answer, asking pauses."""
    breaker_s: float = field(default=60.0, validator=validators.gt(0))
    """Seconds that it pauses; then one page is tried."""
    cache_pages: int = field(default=1000, validator=validators.ge(1))
    """Answers for so many pages are kept in memory."""
    storage: str | None = None
    """Name of a configured storage that keeps answers for later runs."""
    json_mode: bool = True
    """Whether to ask for JSON by ``response_format`` (``openai`` only; some servers refuse the field)."""
    limit_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    """The name of the field that bounds the answer (``openai`` only; older servers know ``max_tokens``)."""
    thinking_tokens: int = field(default=0, validator=validators.ge(0))
    """Further tokens that an answer may have, for models that think before they answer."""
    extra: Mapping[str, Any] = field(factory=dict)
    """Further fields of each request's body, such as ``{temperature = 0}``."""

    @extra.validator
    def _leave_the_frame(self, attribute: Attribute[Mapping[str, Any]], value: Mapping[str, Any]) -> None:
        taken = sorted(_OWN & value.keys())
        if taken:
            raise ValueError(f"sets {', '.join(taken)}, which the compressor sets itself")


@asynccontextmanager
async def open_llm(settings: LlmSettings, host: Host) -> AsyncIterator[Compressor]:
    """Open the compressor; nothing is asked yet.

    Raises:
        ConfigError: The address is none, the key is not in the environment, or the storage is not there.
    """
    from lamina.kit.http import key_of, place_of
    from lamina_compressor_llm._cache import Cache
    from lamina_compressor_llm._compressor import LlmCompressor
    from lamina_compressor_llm._endpoint import Endpoint

    place = place_of(settings.url, _PATHS[settings.api], f"compressors.{host.name}.url")
    key = key_of(settings.key_env, f"compressors.{host.name}.key_env")
    if key and place.exposed:
        host.logger.warning("the key is sent unencrypted; use https", server=place.host)
    storage = await host.open("storage", settings.storage) if settings.storage else None
    endpoint = Endpoint(settings, place, key, clock=host.clock, random=host.random, logger=host.logger)
    yield LlmCompressor(settings, endpoint, Cache(settings.cache_pages, storage, host.logger), host.logger)


@hookimpl
def register_compressor(register: Register[Compressor]) -> None:
    """Offer ``llm``."""
    register("llm", open_llm, LlmSettings)
