"""Token counters for lamina that add what a provider charges for images, tools and frames to any counter of texts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Counter


@frozen
class OpenaiSettings:
    """Settings of the counter of OpenAI's requests."""

    counter: str
    """The configured counter that counts the texts."""
    model: str
    """The model that is charged for, as OpenAI names it."""
    detail: str = field(default="high", validator=validators.in_(("high", "low")))
    """In what detail images are sent."""


@frozen
class AnthropicSettings:
    """Settings of the counter of Anthropic's requests."""

    counter: str
    """The configured counter that counts the texts."""
    model: str
    """The model that is charged for, as Anthropic names it."""
    tool_choice: str = field(default="auto", validator=validators.in_(("auto", "any")))
    """What requests with tools say of their use; ``any`` stands for ``tool`` too."""


@asynccontextmanager
async def open_openai(settings: OpenaiSettings, host: Host) -> AsyncIterator[Counter]:
    """Open the counter around the one that it names.

    Raises:
        ConfigError: It has no rule for the model; the text names those that it knows.
    """
    from lamina_counter_provider._openai import OpenaiCounter, model_of

    model = model_of(settings.model, host.name)
    yield OpenaiCounter(await host.open("counter", settings.counter), model, settings.detail)


@asynccontextmanager
async def open_anthropic(settings: AnthropicSettings, host: Host) -> AsyncIterator[Counter]:
    """Open the counter around the one that it names.

    Raises:
        ConfigError: It has no rule for the model; the text names those that it knows.
    """
    from lamina_counter_provider._anthropic import AnthropicCounter, model_of

    model = model_of(settings.model, host.name)
    yield AnthropicCounter(await host.open("counter", settings.counter), model, settings.tool_choice)


@hookimpl
def register_counter(register: Register[Counter]) -> None:
    """Offer ``openai`` and ``anthropic``."""
    register("openai", open_openai, OpenaiSettings)
    register("anthropic", open_anthropic, AnthropicSettings)
